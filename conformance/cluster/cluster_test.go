package cluster

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/redistest"
)

// deployment is the servers and what they stand on.
type deployment struct {
	nodes     *redistest.Nodes
	url       string
	processes []*process
	balancer  *balancer
}

func deploy(t *testing.T) *deployment {
	d := &deployment{nodes: redistest.Cluster(t, 3, 1)}
	// A write is acknowledged when a replica has it, so that none is lost with a master.
	d.url = d.nodes.URL() + "/?wait=1&timeout=15s"
	for range 3 {
		d.processes = append(d.processes, start(t, d.url))
	}
	d.balancer = balance(t, d.processes)
	return d
}

func TestCluster(t *testing.T) {
	redistest.Require(t)
	d := deploy(t)
	t.Run("calls", d.testCalls)
	t.Run("tasks", d.testTasks)
	t.Run("listen", d.testListen)
	t.Run("rates", d.testRates)
	t.Run("faults", d.testFaults)
}

// Whichever server is asked, there is one state.
func (d *deployment) testCalls(t *testing.T) {
	const clients, each = 6, 30
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for i := range each {
				if _, err := call(t.Context(), d.balancer.URL, "state_increment", `{"key":"sum"}`); err != nil {
					t.Error(err)
					return
				}
				key := fmt.Sprintf(`"key":"calls/%d/%d"`, c, i)
				if _, err := call(t.Context(), d.balancer.URL, "state_set", `{`+key+`,"value":"x","if_absent":true}`); err != nil {
					t.Error(err)
					return
				}
				got, err := call(t.Context(), d.balancer.URL, "state_get", `{`+key+`}`)
				if err != nil || got["value"] != "x" {
					t.Errorf("%s: %v, %v", key, got, err)
					return
				}
			}
		})
	}
	running.Wait()
	for i, p := range d.processes {
		if got := must(t, p.origin, "state_get", `{"key":"sum"}`); got["value"] != fmt.Sprint(clients*each) {
			t.Errorf("server %d counts %v", i, got)
		}
		if p.served.Load() == 0 {
			t.Errorf("server %d was never asked", i)
		}
	}
	t.Logf("calls: %d, at the servers %d, %d and %d", 3*clients*each, d.processes[0].served.Load(), d.processes[1].served.Load(), d.processes[2].served.Load())
}

var taskID = regexp.MustCompile(`"taskId":"([^"]+)"`)

// begin makes a task at a server, which waits for a key.
func begin(t *testing.T, p *process, key string) string {
	t.Helper()
	a, err := ask(t.Context(), p.origin, "tools/call", "state_wait", `"name":"state_wait","arguments":{"key":"`+key+`","version":0,"timeout_seconds":600}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := taskID.FindStringSubmatch(a.text)
	if found == nil {
		t.Fatalf("no task in %s", a.text)
	}
	return found[1]
}

// about asks a server something about a task.
func about(t *testing.T, p *process, method, id string) string {
	t.Helper()
	a, err := ask(t.Context(), p.origin, method, id, `"taskId":"`+id+`"`, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.text
}

// A task that one server runs is read and cancelled at others.
func (d *deployment) testTasks(t *testing.T) {
	a, b, c := d.processes[0], d.processes[1], d.processes[2]
	id := begin(t, a, "awaited")
	if said := about(t, b, "tasks/get", id); !strings.Contains(said, `"status":"working"`) {
		t.Fatal(said)
	}
	must(t, c.origin, "state_set", `{"key":"awaited","value":"here it is"}`)
	until(t, "here it is", func() string { return about(t, b, "tasks/get", id) })

	id = begin(t, a, "never")
	about(t, b, "tasks/cancel", id)
	until(t, `"status":"cancelled"`, func() string { return about(t, c, "tasks/get", id) })
}

// stream is an open subscriptions/listen.
type stream struct {
	lines chan string
}

// listen listens to a key at a server, until the test ends.
func listen(t *testing.T, p *process, key string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	frame := `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["state:///` + key + `"]},` +
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.origin+"/mcp", strings.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen",
	} {
		r.Header.Set(key, value)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{make(chan string, 1000)}
	done := make(chan struct{})
	go func() { // ends with ctx, or the server
		defer close(done)
		defer close(s.lines)
		defer w.Body.Close()
		for lines := bufio.NewScanner(w.Body); lines.Scan(); {
			select {
			case s.lines <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	s.hear(t, "subscriptions/acknowledged")
	return s
}

// hear waits for a line with a text.
func (s *stream) hear(t *testing.T, text string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				t.Fatalf("the stream ends before %q", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-late:
			t.Fatalf("%q is not heard", text)
		}
	}
}

// Who listens at one server hears what is written at another.
func (d *deployment) testListen(t *testing.T) {
	s := listen(t, d.processes[1], "told")
	for range 3 {
		must(t, d.processes[0].origin, "state_set", `{"key":"told","value":"x"}`)
		s.hear(t, `"uri":"state:///told"`)
	}
}

// Three servers let in what one of them would: a burst of six, and one a second then.
func (d *deployment) testRates(t *testing.T) {
	var processes []*process
	for range 3 {
		processes = append(processes, start(t, d.url, "--rate", "1", "--trusted-proxy", "127.0.0.1", "--auth-disabled"))
	}
	const requests, burst = 30, 6
	let := 0
	began := time.Now()
	for i := range requests {
		a, err := ask(t.Context(), processes[i%3].origin, "tools/call", "state_get", `"name":"state_get","arguments":{"key":"sum"}`, map[string]string{"X-Forwarded-For": "192.0.2.7"})
		switch {
		case err != nil:
			t.Fatal(err)
		case a.status == http.StatusOK:
			let++
		case a.status != http.StatusTooManyRequests:
			t.Fatalf("%d %s", a.status, a.text)
		}
	}
	most := burst + 1 + int(time.Since(began)/time.Second)
	t.Logf("rates: %d of %d requests let in, of at most %d", let, requests, most)
	if let < burst || let > most {
		t.Errorf("%d of %d requests were let in, and %d to %d would be by one server", let, requests, burst, most)
	}
	for _, p := range processes {
		p.kill()
	}
}
