package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/httpserve"
)

// heard is a server that keeps all that it is sent, headers included.
type heard struct {
	*httptest.Server
	mu   sync.Mutex
	all  bytes.Buffer
	seen map[string]int // requests by path
}

func hearAll(t *testing.T) *heard {
	h := &heard{seen: map[string]int{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP implements http.Handler.
func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(z)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[r.URL.Path]++
	fmt.Fprintf(&h.all, "%s %s\n", r.Method, r.URL)
	_ = r.Header.Write(&h.all)
	h.all.Write(body)
	fmt.Fprintf(w, `{"got":%d}`, len(body))
}

func (h *heard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.String()
}

func (h *heard) count(path string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[path]
}

// passingFile has a tool of each kind that could pass a caller's token on.
const passingFile = `forge: {name: inside, transport: http}
telemetry: {endpoint: ORIGIN, sample_ratio: 1}
audit: {path: DIR/audit.log, arguments: redact}
state: {backend: file, path: DIR/state}
middleware: [{type: logging}]
tools:
  - {type: native, name: remember, handler: "state::set", params: {key: string, value: string}}
  - {type: cli, name: surroundings, command: env, params: {}}
  - {type: cli, name: fails, command: "false", params: {}}
  - {type: wasm, module: MODULE}
  - {type: http, name: ask, endpoint: "ORIGIN/asked", method: POST, private: true, body: '{"text":"{{text}}"}', params: {text: string}}
  - type: pipeline
    name: all
    params: {}
    steps:
      - {tool: remember, input: {key: a, value: b}}
      - {tool: surroundings, input: {}, output_var: around}
      - {tool: sha256, input: {text: abc}}
      - {tool: ask, input: {text: hi}}
    output: {around: "{{around}}"}
`

// A caller's token goes nowhere: not to the servers that tools ask, not to programs, the
// collector of traces, the record, the state, the logs or an answer.
func TestCallersTokenStaysInside(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	os.Unsetenv(httpserve.TokenVariable)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	issuer, token := startIssuer(t)
	const audience = "https://box.example"
	module, err := filepath.Abs("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		t.Fatal(err)
	}
	out, dir := hearAll(t), t.TempDir()
	s := serve(t, "--config", writeForge(t, passingFile, "ORIGIN", out.URL, "DIR", dir, "MODULE", module), "--oauth-issuer", issuer, "--oauth-audience", audience)
	credential := token(map[string]any{"aud": audience, "sub": "ann"})
	signature := credential[strings.LastIndex(credential, ".")+1:]

	var answers strings.Builder
	for tool, want := range map[string]string{"all": "PATH=", "surroundings": "PATH=", "ask": "got", "fails": `"isError":true`, "nowhere": "Unknown tool", "sha256": "sha-256", "remember": "content"} {
		arguments := map[string]string{"ask": `{"text":"hi"}`, "sha256": `{"text":"abc"}`, "remember": `{"key":"k","value":"v"}`}[tool]
		if arguments == "" {
			arguments = `{}`
		}
		status, got := s.ask(t, http.DefaultClient, credential, "tools/call", calling(tool, arguments))
		if status != 200 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s; want %s", tool, status, got, want)
		}
		answers.WriteString(got)
	}
	for _, path := range []string{"/metrics", "/status", "/healthz"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.origin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+credential)
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(w.Body)
		w.Body.Close()
		answers.Write(text)
	}
	// Spans leave some time after the calls: it is looked for them until they have come.
	for end := time.Now().Add(deadline); out.count("/asked") < 2 || out.count("/v1/traces") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not everything goes out: %s", out.text())
		}
	}
	s.process.Signal(os.Interrupt)
	if code := s.wait(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.stderr)
	}
	places := map[string]string{"what goes out": out.text(), "an answer": answers.String(), "the log": s.stderr.String()}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		places[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if record := places[filepath.Join(dir, "audit.log")]; !strings.Contains(record, "oauth:ann") {
		t.Errorf("the record does not say who: %s", record)
	}
	for place, text := range places {
		if text == "" && !strings.HasSuffix(place, "lock") {
			t.Errorf("%s is empty", place)
		}
		if strings.Contains(text, signature) || strings.Contains(text, "Bearer ") {
			t.Errorf("%s has the caller's token", place)
		}
	}
}
