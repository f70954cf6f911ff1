package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readiness is what /readyz says.
type readiness struct {
	Status   string
	Draining bool
	Checks   []struct {
		Name  string
		OK    bool
		Error string
	}
}

// ready asks /readyz.
func (s *served) ready(t *testing.T, token string) (int, readiness) {
	t.Helper()
	status, text := s.look(t, "/readyz", token)
	var r readiness
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%d %q: %v", status, text, err)
	}
	return status, r
}

// awaitReady asks /readyz until it answers so.
func (s *served) awaitReady(t *testing.T, token string, want int) (r readiness) {
	t.Helper()
	var status int
	for began := time.Now(); status != want; time.Sleep(20 * time.Millisecond) {
		if status, r = s.ready(t, token); time.Since(began) > deadline {
			t.Fatalf("readyz says %d %+v, want %d; stderr: %s", status, r, want, s.stderr)
		}
	}
	return r
}

// names are the checks by their names; one that failed has a ! before it.
func (r readiness) names() (all string) {
	for _, c := range r.Checks {
		if !c.OK {
			all += "!"
		}
		all += c.Name + " "
	}
	return all
}

// Anybody hears whether the server is ready, and its clients why it is not: a state in a
// folder that has gone.
func TestReadiness(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	file, data := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INGOT_MEMORY", "false")
	s := serve(t, "--token-file", file, "--data", data)
	if r := s.awaitReady(t, token, 200); r.Status != "ok" || r.names() != "state disk " {
		t.Errorf("ready: %+v", r)
	}
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	r := s.awaitReady(t, token, 503)
	if r.Status != "unavailable" || r.Draining || r.names() != "state !disk " || !strings.Contains(r.Checks[1].Error, "room") {
		t.Errorf("without its folder: %+v", r)
	}
	for _, stranger := range []string{"", "wrong"} {
		if status, text := s.look(t, "/readyz", stranger); status != 503 || text != `{"status":"unavailable"}`+"\n" {
			t.Errorf("a stranger hears %d %s", status, text)
		}
		if status, text := s.look(t, "/healthz", stranger); status != 200 || text != `{"status":"ok"}`+"\n" {
			t.Errorf("healthz: %d %s", status, text)
		}
	}
	for host, want := range map[string]int{"10.0.0.7:7070": 200, "[fd00::7]": 200, "attacker.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.origin+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		if w.StatusCode != want {
			t.Errorf("a probe of %s: %d, want %d", host, w.StatusCode, want)
		}
	}
}

// The server of a file has the checks of its project.
func TestForgeReadiness(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--config", forgeProject(t, forgeFile))
	if r := s.awaitReady(t, "", 200); r.names() != "project state disk " {
		t.Errorf("%+v", r)
	}
}

// After SIGTERM the server says that it is not ready and goes on answering; a second
// signal ends it at once.
func TestDrainAndSecondSignal(t *testing.T) {
	s := serve(t, "--drain", "1h")
	s.awaitReady(t, "", 200)
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := s.awaitReady(t, "", 503); !r.Draining || r.names() != "state " {
		t.Errorf("draining: %+v", r)
	}
	s.callModern(t, "state_set", `{"key":"a","value":"b"}`) // a balancer has not heard yet
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		_ = s.process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case err := <-s.done:
			if err == nil {
				t.Error("it exited with 0 in the middle of the drain")
			}
			return
		default:
		}
		if time.Since(began) > deadline {
			t.Fatalf("it goes on after the second signal: %s", s.stderr)
		}
	}
}

// When the drain is over, streams are told their end, and the server exits with 0.
func TestDrainEndsStreams(t *testing.T) {
	s := serve(t, "--drain", "200ms")
	w, err := http.DefaultClient.Do(s.modernRequest(t, "subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["state:///a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	events := bufio.NewScanner(w.Body)
	last := ""
	for events.Scan() {
		if data, ok := strings.CutPrefix(events.Text(), "data: "); ok && data != "" {
			if last == "" {
				if err := s.process.Signal(syscall.SIGTERM); err != nil { // once it listens
					t.Fatal(err)
				}
			}
			last = data
		}
	}
	if events.Err() != nil || !strings.Contains(last, `"result":{`) {
		t.Errorf("the stream ended with %s, %v", last, events.Err())
	}
	if code := s.wait(t); code != 0 || !strings.Contains(s.stderr.String(), "draining") {
		t.Errorf("exit %d: %s", code, s.stderr)
	}
}

// A call that does not end is cut off after --drain-timeout, and the exit code says so.
func TestDrainTimeout(t *testing.T) {
	s := serve(t, "--drain-timeout", "100ms")
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v; want 100 Continue, by which the call is in flight", line, err)
	}
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.wait(t); code != 1 || !strings.Contains(s.stderr.String(), "cut off") {
		t.Errorf("exit %d: %s", code, s.stderr)
	}
}
