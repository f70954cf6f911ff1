package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/otlptest"
)

// tracedFile is a server whose pipeline calls a tool of each kind, and another server
// at PEER. COLLECTOR is where both send their spans.
const tracedFile = `
forge: {name: front, version: 1.0.0}
telemetry: {endpoint: COLLECTOR, headers: {X-Key: "${INGOT_TEST_TOKEN}"}}
middleware:
  - {type: logging}
  - {type: recovery, circuit_breaker: {failure_threshold: 5}}
tools:
  - {type: native, name: remember, handler: "state::set", params: {key: string, value: string}}
  - {type: cli, name: print, command: printf, args: ["%s", "{{word}}"], params: {word: string}}
  - {type: wasm, module: "MODULE"}
  - type: http
    name: ask
    endpoint: PEER/mcp
    method: POST
    private: true
    headers: {Content-Type: application/json, Accept: "application/json, text/event-stream", MCP-Protocol-Version: "2026-07-28", Mcp-Method: tools/call, Mcp-Name: echo}
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"{{text}}"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'
    params: {text: string}
  - type: pipeline
    name: all
    params: {}
    steps:
      - {tool: remember, input: {key: a, value: b}}
      - {tool: print, input: {word: w}}
      - {tool: sha256, input: {text: abc}}
      - {tool: ask, input: {text: hi}, output_var: answer}
    output: {answer: "{{answer}}"}
`

// peerFile is the server that tracedFile asks.
const peerFile = `
forge: {name: back, version: 1.0.0}
telemetry: {endpoint: COLLECTOR, sample_ratio: 0}
tools: [{type: native, name: echo, handler: "ingot::echo"}]
`

// writeForge writes a file with some words replaced, and returns its path.
func writeForge(t *testing.T, text string, words ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "forge.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(words...).Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A trace goes from the caller through all that a call does and on to the server that it
// asks: each span has the right parent.
func TestTraceThroughTwoServers(t *testing.T) {
	t.Setenv("INGOT_TEST_TOKEN", "s3cret-key")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	module, err := filepath.Abs("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		t.Fatal(err)
	}
	c := otlptest.Start(t)
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	back := serve(t, "--config", writeForge(t, peerFile, "COLLECTOR", c.URL))
	front := serve(t, "--config", writeForge(t, tracedFile, "COLLECTOR", c.URL, "MODULE", module, "PEER", back.origin))
	const trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	status, answer := front.post(t, map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "all"},
		fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"all","arguments":{},"_meta":{"traceparent":"00-%s-%s-01",`+
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, trace, caller))
	if result, _ := answer["result"].(map[string]any); status != 200 || result == nil || result["isError"] == true {
		t.Fatalf("%d %v", status, answer)
	}
	spans := c.Wait(t, func(spans []*otlptest.Span) bool {
		return otlptest.Find(spans, "tools/call all") != nil && otlptest.Find(spans, "tools/call echo") != nil
	})
	byID := map[string]*otlptest.Span{}
	for _, s := range spans {
		byID[s.ID] = s
		if s.Trace != trace {
			t.Errorf("%s is of the trace %s", s.Name, s.Trace)
		}
		for key, value := range s.Attributes {
			if strings.Contains(value, "s3cret") {
				t.Errorf("%s of %s tells a secret", key, s.Name)
			}
		}
	}
	if root := otlptest.Find(spans, "tools/call all"); root.Parent != caller || root.Service != "front" || root.Kind != "server" || root.Failed {
		t.Errorf("the root: %+v", *root)
	}
	for name, want := range map[string]string{
		"state set":       "step < middleware recovery < middleware logging < tools/call all",
		"run":             "middleware recovery < middleware logging < step < middleware recovery < middleware logging < tools/call all",
		"sandbox":         "middleware recovery < middleware logging < step < middleware recovery < middleware logging < tools/call all",
		"POST":            "middleware recovery < middleware logging < step < middleware recovery < middleware logging < tools/call all",
		"tools/call echo": "POST < middleware recovery < middleware logging < step < middleware recovery < middleware logging < tools/call all",
	} {
		span := otlptest.Find(spans, name)
		if span == nil {
			t.Errorf("there is no span %s", name)
			continue
		}
		var above []string
		for up := byID[span.Parent]; up != nil; up = byID[up.Parent] {
			above = append(above, up.Name)
		}
		got := strings.Join(above, " < ")
		if name == "state set" { // within the tool's own middleware
			want = "middleware recovery < middleware logging < " + want
		}
		if got != want {
			t.Errorf("above %s are %s, want %s", name, got, want)
		}
	}
	if s := otlptest.Find(spans, "sandbox"); s != nil && s.Attributes["ingot.sandbox.fuel"] == "" {
		t.Errorf("the sandbox's span has no fuel: %+v", *s)
	}
	if s := otlptest.Find(spans, "tools/call echo"); s.Service != "back" {
		t.Errorf("the other server's span: %+v", *s)
	}
	if headers, _ := c.Requests(); headers[0].Get("X-Key")+headers[len(headers)-1].Get("X-Key") == "" {
		t.Error("the collector was not sent its header")
	}
	for began := time.Now(); front.families(t).value("trace_spans_total", `result="sent"`) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > deadline { // they are counted when the collector has answered
			t.Fatal("sent spans are not counted")
		}
	}
}

// A collector that is not there holds up nothing, and its absence is counted and said.
func TestTraceCollectorAway(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--config", writeForge(t, peerFile, "COLLECTOR, sample_ratio: 0", "http://127.0.0.1:1"))
	for range 20 {
		s.callModern(t, "echo", `{"text":"hi"}`)
	}
	if err := s.process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.wait(t); code != 0 || !strings.Contains(s.stderr.String(), "traces were not sent") {
		t.Errorf("exit %d: %s", code, s.stderr)
	}
}

// A server without a file is told by the environment, and its log is
// lines of JSON.
func TestTraceByEnvironment(t *testing.T) {
	c := otlptest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_SERVICE_NAME", "named")
	s := serve(t, "--log-format", "json", "--log-level", "debug")
	s.callModern(t, "state_set", `{"key":"a","value":"b"}`)
	if err := s.process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.wait(t); code != 0 {
		t.Fatalf("exit %d: %s", code, s.stderr)
	}
	spans := c.Wait(t, func(spans []*otlptest.Span) bool { return otlptest.Find(spans, "state set") != nil })
	root, op := otlptest.Find(spans, "tools/call state_set"), otlptest.Find(spans, "state set")
	if root == nil || root.Service != "named" || root.Parent != "" || op.Parent != root.ID {
		t.Errorf("%+v, %+v", root, op)
	}
	for line := range strings.Lines(s.stderr.String()) {
		var said struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &said); err != nil || said.Msg == "" {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	if s.stderr.Len() == 0 {
		t.Error("nothing was logged")
	}
}
