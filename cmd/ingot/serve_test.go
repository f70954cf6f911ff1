package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// deadline bounds each wait for the process; only a hang meets it.
const deadline = 30 * time.Second

// binariesDir holds what buildBinaries made; TestMain removes it.
var binariesDir string

// buildBinaries builds ingot and mcp-stdio side by side, once for all tests.
var buildBinaries = sync.OnceValue(func() (err error) {
	if binariesDir, err = os.MkdirTemp("", "ingot-test-"); err != nil {
		return err
	}
	out, err := exec.Command("go", "build", "-o", binariesDir+string(filepath.Separator), "../ingot", "../mcp-stdio").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// TestMain keeps tests that do not name a directory out of the user's.
func TestMain(m *testing.M) {
	os.Setenv("INGOT_MEMORY", "true")
	code := m.Run()
	os.RemoveAll(binariesDir)
	os.Exit(code)
}

// served is a running ingot serve.
type served struct {
	origin  string // http://127.0.0.1:port
	welcome string // what it printed up to "Stop with"
	process *os.Process
	done    chan error // its end
	stderr  *bytes.Buffer
}

// serve starts the built binary and waits until it says that it serves.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(binariesDir, "ingot"), append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s := &served{done: make(chan error, 1), stderr: new(bytes.Buffer)}
	cmd.Stderr = s.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	t.Cleanup(func() { s.process.Kill() })
	lines := bufio.NewReader(stdout)
	for !strings.Contains(s.welcome, "Stop with") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("stdout ended with %v after %q", err, s.welcome)
		}
		s.welcome += line
	}
	go func() {
		io.Copy(io.Discard, lines)
		s.done <- cmd.Wait()
	}()
	match := regexp.MustCompile(`MCP +(https?://\S+:\d+)/mcp`).FindStringSubmatch(s.welcome)
	if match == nil {
		t.Fatalf("no address in %q", s.welcome)
	}
	s.origin = match[1]
	return s
}

// wait returns the process's exit code.
func (s *served) wait(t *testing.T) int {
	t.Helper()
	select {
	case err := <-s.done:
		if exit, ok := err.(*exec.ExitError); ok {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(deadline):
		t.Fatalf("ingot did not end in %v; stderr: %s", deadline, s.stderr)
		return -1
	}
}

// post sends a message to /mcp and returns the status and the answer.
func (s *served) post(t *testing.T, headers map[string]string, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.origin+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range headers {
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatalf("%d %q: %v", w.StatusCode, raw, err)
		}
	}
	return w.StatusCode, answer
}

// callModern calls a tool in the era of 2026-07-28 and returns its result.
func (s *served) callModern(t *testing.T, tool, arguments string) map[string]any {
	t.Helper()
	status, answer := s.post(t,
		map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool},
		fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{`+
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, tool, arguments))
	result, ok := answer["result"].(map[string]any)
	if status != 200 || !ok || result["resultType"] != "complete" {
		t.Fatalf("%s %s: %d %v", tool, arguments, status, answer)
	}
	return result
}

// structured is the structuredContent of a result as compact JSON.
func structured(t *testing.T, result map[string]any) string {
	t.Helper()
	text, err := json.Marshal(result["structuredContent"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBothErasSeeOneState(t *testing.T) {
	s := serve(t)
	if got := structured(t, s.callModern(t, "state_set", `{"key":"greeting","value":"hello"}`)); got != `{"stored":true,"version":1}` {
		t.Errorf("modern set: %s", got)
	}

	legacy := map[string]string{"MCP-Protocol-Version": "2025-11-25"}
	status, answer := s.post(t, nil, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	result, _ := answer["result"].(map[string]any)
	if status != 200 || result["protocolVersion"] != "2025-11-25" {
		t.Fatalf("initialize: %d %v", status, answer)
	}
	if info, _ := result["serverInfo"].(map[string]any); info["name"] != "ingot" {
		t.Errorf("serverInfo %v", info)
	}
	if status, answer = s.post(t, legacy, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); status != 202 || answer != nil {
		t.Errorf("initialized: %d %v, want an empty 202", status, answer)
	}
	_, answer = s.post(t, legacy, `{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"state_get","arguments":{"key":"greeting"}}}`)
	result, _ = answer["result"].(map[string]any)
	if got := structured(t, result); answer["id"] != "b" || got != `{"found":true,"value":"hello","version":1}` {
		t.Errorf("legacy get: id %v, %s", answer["id"], got)
	}
}

func TestBudget(t *testing.T) {
	s := serve(t, "--max-bytes", "1KiB")
	result := s.callModern(t, "state_set", fmt.Sprintf(`{"key":"big","value":%q}`, strings.Repeat("x", 2000)))
	if result["isError"] != true {
		t.Errorf("a write over the budget: %v, want isError", result)
	}
	if got := structured(t, s.callModern(t, "state_exists", `{"key":"big"}`)); got != `{"exists":false}` {
		t.Errorf("afterwards %s", got)
	}
}

func TestRefusedRequests(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		headers map[string]string
		body    string
		want    int
	}{
		"foreign host":   {map[string]string{"Host": "attacker.example"}, `{}`, 403},
		"foreign origin": {map[string]string{"Origin": "http://attacker.example"}, `{}`, 403},
		"huge body":      {nil, strings.Repeat(" ", 17<<20), 413},
		"huge header":    {map[string]string{"X-Long": strings.Repeat("x", 64<<10)}, `{}`, 431},
	} {
		r, err := http.NewRequest("POST", s.origin+"/mcp", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for name, value := range c.headers {
			r.Header.Set(name, value)
		}
		if host := c.headers["Host"]; host != "" {
			r.Host = host
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w.Body.Close()
		if w.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, w.StatusCode, c.want)
		}
	}
}

// The printed configurations must work as they stand.
func TestPrintedConfigurations(t *testing.T) {
	s := serve(t)
	var servers []clientServer
	for _, text := range regexp.MustCompile(`(?ms)^\{$.*?^\}$`).FindAllString(s.welcome, -1) {
		var config clientConfig
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		servers = append(servers, config.Servers["ingot"])
	}
	if len(servers) != 2 || servers[0].URL != s.origin+"/mcp" || servers[0].Type != "http" {
		t.Fatalf("servers %+v in %q", servers, s.welcome)
	}
	if !filepath.IsAbs(servers[1].Command) {
		t.Errorf("the command %q is no absolute path", servers[1].Command)
	}
	cmd := exec.CommandContext(t.Context(), servers[1].Command)
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":7,"method":"ping"}` + "\n")
	out, err := cmd.Output()
	if err != nil || !bytes.Contains(out, []byte(`"id":7`)) || !bytes.Contains(out, []byte(`"result"`)) {
		t.Errorf("ping of %s: %q, %v", servers[1].Command, out, err)
	}
}

func TestWithoutMCPStdioBeside(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "mcp-stdio")
	if help := stdioHelp(missing); !strings.Contains(help, "go build -o "+missing) || strings.Contains(help, "{") {
		t.Errorf("help %q, want how to build it and no configuration", help)
	}
}

// A stop lets a call in flight end, takes no new one, and exits with 0.
func TestStopDrains(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) { checkStopDrains(t, signal) })
	}
}

func checkStopDrains(t *testing.T, signal os.Signal) {
	s := serve(t)
	address := strings.TrimPrefix(s.origin, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(deadline))
	body := `{"jsonrpc":"2.0","id":5,"method":"ping"}`
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v; want 100 Continue, by which the call is in flight", line, err)
	}
	answer.ReadString('\n') // the empty line behind it

	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	for started := time.Now(); ; {
		probe, err := net.Dial("tcp", address)
		if err != nil {
			break // no new connection is taken any more
		}
		probe.Close()
		if time.Since(started) > deadline {
			t.Fatal("new connections are still taken")
		}
	}
	io.WriteString(conn, body)
	w, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatalf("the call in flight: %v", err)
	}
	raw, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != 200 || !bytes.Contains(raw, []byte(`"id":5`)) {
		t.Errorf("the call in flight: %d %q, %v", w.StatusCode, raw, err)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("exit %d, stderr %s", code, s.stderr)
	}
}
