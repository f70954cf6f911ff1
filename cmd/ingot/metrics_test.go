package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/internal/metrics"
)

// look reads a path of a running server, with a token unless that is empty.
func (s *served) look(t *testing.T, path, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, string(body)
}

// The server of a file tells Prometheus and people what its tools do.
func TestForgeMetrics(t *testing.T) {
	s := serve(t, "--config", forgeProject(t, forgeFile))
	s.callModern(t, "echo", `{"text":"hi"}`)
	s.callModern(t, "fails", `{}`)
	s.callModern(t, "fails", `{}`)
	s.callModern(t, "remember", `{"key":"a","value":"b"}`)
	s.callModern(t, "sha256", `{"text":"abc"}`)
	status, text := s.look(t, "/metrics", "")
	for _, want := range []string{
		`ingot_tool_calls_total{kind="native",tool="echo"} 1`, `ingot_tool_errors_total{class="failed",tool="fails"} 2`,
		`ingot_circuit_breaker_state{position="0",state="open",tool="fails"} 1`, `ingot_tool_duration_seconds_count{tool="echo"} 1`,
		`ingot_state_keys{backend="file"} 1`, `ingot_module_calls_total{module="sha256.wasm"} 1`, `ingot_server_info{name="kinds",version="1.0.0"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics (%d) lack %s", status, want)
		}
	}
	status, text = s.look(t, "/status", "")
	var told metrics.Status
	if err := json.Unmarshal([]byte(text), &told); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	calls := map[string]uint64{}
	for _, tool := range told.Tools {
		calls[tool.Name] = tool.Calls
	}
	if calls["echo"] != 1 || calls["fails"] != 2 || calls["add"] != 0 || len(calls) != 12 || told.State.Keys != 1 || told.Modules[0].Calls != 1 {
		t.Errorf("the status: %s", text)
	}
	for _, tool := range told.Tools {
		if (tool.Name == "sha256") != (tool.Capabilities != nil && tool.Module == told.Modules[0].Name) {
			t.Errorf("%s: the module %q with the capabilities %+v", tool.Name, tool.Module, tool.Capabilities)
		}
		ended := uint64(0)
		for _, n := range tool.Buckets {
			ended += n
		}
		if ended != tool.Calls || tool.Calls > 0 && len(tool.Buckets) != len(told.BucketMillis)+1 {
			t.Errorf("%s: %d calls in the buckets %v", tool.Name, tool.Calls, tool.Buckets)
		}
	}
	if status, page := s.look(t, "/", ""); status != 200 || !strings.HasPrefix(page, "<!doctype html>") {
		t.Errorf("the page: %d %.100s", status, page)
	}
	if strings.Contains(text, "s3cret-token") || strings.Contains(text, "exit code") {
		t.Errorf("the status tells too much: %s", text)
	}
}

// Whoever may not call tools may not look, and the owner may close the door to all.
func TestMetricsAreGuarded(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	guarded := serve(t, "--token-file", file)
	without := serve(t, "--metrics-disabled")
	for path, want := range map[string]string{"/metrics": "ingot_state_keys", "/status": `"name":"state_get"`} {
		if status, _ := guarded.look(t, path, ""); status != 401 {
			t.Errorf("%s without a token: %d", path, status)
		}
		if status, text := guarded.look(t, path, token); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d, without %s: %s", path, status, want, text)
		}
		if status, text := without.look(t, path, ""); strings.Contains(text, want) {
			t.Errorf("%s with --metrics-disabled: %d %s", path, status, text)
		}
	}
}
