package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inspectedText is a file with something of each kind that inspect shows.
const inspectedText = `
forge: {name: shown, version: 2.0.0, description: All of it, transport: http, port: 7071}
include: more.yaml
state: {backend: file, path: ./state, ttl: 1h, max_size: 1MiB}
middleware:
  - {type: logging}
  - {type: ratelimit, requests: 5, per: 1s}
fault_tolerance: {circuit_breaker: {failure_threshold: 2}}
tools:
  - {type: cli, name: print, command: printf, args: ["{{word}}"], timeout: 2s, params: {word: {type: string, required: true, max_length: 9, description: What.}}, middleware: [{type: cache, ttl: 5s}]}
  - {type: http, name: fetch, endpoint: "https://api.example/{{id}}", params: {id: string}, auth: {type: bearer, token: "${INSPECT_TOKEN}"}, bulkhead: {max_concurrent: 2}}
  - {type: pipeline, name: flow, params: {w: string}, steps: [{tool: print, input: {word: "{{w}}"}}, {parallel: [{tool: print, input: {word: a}}, {tool: print, input: {word: b}}]}]}
  - {type: wasm, module: MODULE, capabilities: {env: [LANG]}, middleware: [{type: bulkhead, max_concurrent: 3}]}
resources:
  - {uri_template: "notes:///{key}", state: notes/, description: Notes}
prompts:
  - {name: greet, template: "Hello {{who}}", arguments: {who: {type: string, required: true}}}
tests:
  - {tool: print, input: {word: x}}
`

func inspectFolder(t *testing.T) string {
	t.Helper()
	if err := buildBinaries(); err != nil { // before the cache of go build is another one
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("INSPECT_TOKEN", "s3cret-token")
	t.Setenv("LANG", "C") // the module has it
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	module, err := filepath.Abs("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"forge.yaml": strings.ReplaceAll(inspectedText, "MODULE", module),
		"more.yaml":  "tools: [{type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}]",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInspectFile(t *testing.T) {
	dir := inspectFolder(t)
	got := shipped(t, dir, "", "inspect")
	for _, want := range []string{
		"shown 2.0.0\n  All of it\n", "transport  http 127.0.0.1:7071", "state      file, in " + filepath.Join(dir, "state") + ", sync always, entries live 1h0m0s, at most 1048576 bytes",
		"files      forge.yaml\n             more.yaml\n", "tests      1 in the file",
		"tool print (cli)\n  program printf {{word}}  forge.yaml:10:5\n  - word  string, required, at most 9 long: What.\n",
		"    1. logging  (file, forge.yaml:6:5)\n        level: info  (default)\n",
		"    2. ratelimit  (file, forge.yaml:7:5)\n        requests: 5\n        per: 1s\n        burst: 5  (default)\n",
		"    3. recovery  (file, forge.yaml:8:18)\n        circuit_breaker.enabled: true  (default)\n        circuit_breaker.failure_threshold: 2\n",
		"    4. cache  (tool, forge.yaml:10:", "        ttl: 5s\n        max_size: 1000  (default)\n", "    5. timeout  (tool, forge.yaml:10:5)\n        timeout: 2s\n",
		"tool fetch (http)\n  GET https://api.example/{{id}}", "bulkhead  (tool, forge.yaml:11:", "timeout  (default, forge.yaml:11:5)\n        timeout: 30s  (default)\n",
		"tool flow (pipeline)\n  steps print, (print | print)", "tool sha256 (wasm)\n", "max_concurrent: 3\n", "tool add (native)\n  expression a + b",
		"it may, in each call\n", "LANG", "it may not\n", "\nresources\n  notes:///{key}  ", "keys notes/…", "\nprompts\n  greet who\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q", want)
		}
	}
	if got.code != 0 || t.Failed() || strings.Contains(got.stdout, "s3cret") || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("exit %d: %s%s", got.code, got.stdout, got.stderr)
	}
	var f inspectedFile
	got = shipped(t, dir, "", "inspect", filepath.Join(dir, "forge.yaml"), "--json")
	if err := json.Unmarshal([]byte(got.stdout), &f); err != nil || got.code != 0 || len(f.Tools) != 5 || len(f.Modules) != 1 || !slices.Equal(f.Modules[0].Tools, []string{"sha256"}) || len(f.Modules[0].SHA256) != 64 || strings.Contains(got.stdout, "s3cret") {
		t.Errorf("%+v, %v: %s", f, err, got.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("looking at a file has made its state")
	}
	for args, want := range map[string]string{"none.yaml": "none.yaml", "more.yaml": "forge", "--token-file x": "--token-file is for the URL"} {
		if got := shipped(t, dir, "", append([]string{"inspect"}, strings.Fields(args)...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
}

// Of a running server: its lists, and how its middleware stands after some calls.
func TestInspectServer(t *testing.T) {
	dir := t.TempDir()
	text := `
forge: {name: standing}
tools:
  - {type: cli, name: fail, command: "false", middleware: [{type: circuit_breaker, failure_threshold: 2}, {type: cache}]}
  - {type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}
prompts: [{name: greet, template: Hello}]
`
	token := filepath.Join(dir, "token")
	for name, text := range map[string]string{filepath.Join(dir, "forge.yaml"): text, token: testToken} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := serveFolder(t, dir, "--token-file", token)
	for range 3 {
		shipped(t, dir, "", "call", "fail", "--url", server.origin, "--token-file", token)
	}
	got := shipped(t, dir, "", "inspect", server.origin, "--token-file", token)
	for _, want := range []string{"standing 0.1.0\n", "protocol   2025-11-25", "tool add (native)\n  - a  number, required\n", "tool fail (cli)\n", "calls: 3 of which failed ", "circuit_breaker: open", "prompts\n  greet"} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	var s inspectedServer
	got = shipped(t, dir, "", "inspect", server.origin+"/mcp", "--json", "--token-file", token)
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil || s.Status != "running" || len(s.Tools) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if got := shipped(t, dir, "", "inspect", server.origin); got.code != 1 || !strings.Contains(got.stderr, "asks for a token") {
		t.Errorf("without the token: %+v", got)
	}
	// A server without /status is shown as far as it can be, and steers no terminal.
	got = shipped(t, dir, "", "inspect", answering(t, "{}"))
	if got.code != 0 || !strings.Contains(got.stdout, "how it stands is not known") || !strings.Contains(got.stdout, "tool draw\n  ?[2Jdraws\n") || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("of a stranger: %+v", got)
	}
}
