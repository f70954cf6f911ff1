package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// forgeFile is a server with a tool of each kind, and what stands around them. ORIGIN
// is an HTTP server, MODULE a wasm tool.
const forgeFile = `
forge: {name: kinds, version: 1.0.0, description: One of each}
state: {backend: file, path: ./state}
middleware:
  - {type: logging, include_request: true, redact: [password]}
  - {type: recovery, circuit_breaker: {failure_threshold: 2}}
  - {type: metrics}
tools:
  - type: native
    name: echo
    description: Says it again
    handler: {path: "ingot::echo"}
    params:
      text: {type: string, required: true, min_length: 1}
      times: {type: integer, default: 2, minimum: 1, maximum: 5}
  - {type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}
  - {type: native, name: remember, handler: "state::set", params: {key: string, value: string}}
  - {type: native, name: recall, handler: "state::get", params: {key: string}}
  - {type: native, name: count, handler: "state::increment", params: {key: string, delta: {type: integer, default: 1}}}
  - {type: native, name: keys, handler: "state::list", params: {prefix: {type: string, default: ""}}}
  - {type: cli, name: print, command: printf, args: ["%s|", "{{words}}"], params: {words: {type: array, items: string, required: true}}}
  - {type: cli, name: fails, command: "false", fault_tolerance: {}}
  - {type: http, name: fetch, endpoint: "ORIGIN/users/{{id}}", private: true, auth: {type: bearer, token: "${INGOT_TEST_TOKEN}"}, params: {id: string}}
  - type: pipeline
    name: flow
    params: {who: string}
    steps:
      - {tool: echo, input: {text: "{{who}}"}, output_var: said}
      - {tool: sha256, input: {text: "{{said.text}}"}, output_var: digest}
      - {tool: add, condition: "said.times == 2", input: {a: 1, b: 2}, output_var: sum}
    output: {who: "{{said.text}}", sum: "{{sum}}", hex: "{{digest.hex}}"}
  - {type: wasm, module: "MODULE", middleware: [{type: validation, schema: {type: object, properties: {text: {type: string, maxLength: 5}}}}]}
  - {type: native, name: promises, handler: {inline: '{"n": s}'}, params: {s: string}, output_schema: {type: object, properties: {n: {type: integer}}}}
prompts:
  - name: review
    template: "Review {{language}}: {{code}}"
    arguments: {language: {enum: [go, rust], default: go}, code: string}
`

// forgeProject writes the file and returns its path.
func forgeProject(t *testing.T, text string) string {
	t.Helper()
	t.Setenv("INGOT_TEST_TOKEN", "s3cret-token")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"path":%q,"known":%t}`, r.URL.EscapedPath(), r.Header.Get("Authorization") == "Bearer s3cret-token")
	}))
	t.Cleanup(peer.Close)
	module, err := filepath.Abs("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "forge.yaml")
	text = strings.NewReplacer("ORIGIN", peer.URL, "MODULE", module, ", fault_tolerance: {}", "").Replace(text)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// session sends requests to a served file, one after the other, and returns their
// answers by id.
func session(t *testing.T, file string, requests ...string) (answers map[int]string, stderr string) {
	t.Helper()
	in := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
	answers = map[int]string{}
	var all bytes.Buffer
	for i, r := range requests {
		frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,%s}`+"\n", i+1, r)
		var out, log bytes.Buffer
		if code := run(t.Context(), []string{"serve", "--config", file}, strings.NewReader(in+frame), &out, &log); code != 0 {
			t.Fatalf("exit code %d: %s", code, log.String())
		}
		for line := range strings.Lines(out.String()) {
			var head struct{ ID *int }
			if err := json.Unmarshal([]byte(line), &head); err != nil {
				t.Fatalf("stdout carries something else: %s", line)
			}
			if head.ID != nil {
				answers[*head.ID] = line
			}
		}
		all.Write(log.Bytes())
	}
	return answers, all.String()
}

func toolCall(name, args string) string {
	return fmt.Sprintf(`"method":"tools/call","params":{"name":%q,"arguments":%s}`, name, args)
}

// Each call is a process's life: what the state keeps outlives it.
func TestForgeKinds(t *testing.T) {
	file := forgeProject(t, forgeFile)
	cases := []struct{ request, want string }{
		{`"method":"tools/list"`, `"flow"`},
		{toolCall("echo", `{"text":"hi"}`), `"structuredContent":{"text":"hi","times":2}`},
		{toolCall("echo", `{"text":"hi","times":9}`), `argument \"times\"`},
		{toolCall("echo", `{"txet":"hi"}`), `did you mean \"text\"?`},
		{toolCall("add", `{"a":1.5,"b":2}`), `3.5`},
		{toolCall("remember", `{"key":"who","value":"Ada {{x}}"}`), `"version":1`},
		{toolCall("recall", `{"key":"who"}`), `"value":"Ada {{x}}"`},
		{toolCall("count", `{"key":"n","delta":5}`), `"value":5`},
		{toolCall("count", `{"key":"n"}`), `"value":6`},
		{toolCall("keys", `{}`), `"keys":["n","who"]`},
		{toolCall("print", `{"words":["a b","$(id)"]}`), `"text":"a b|$(id)|"`},
		{toolCall("print", `{"words":["--help"]}`), `would take for an option`},
		{toolCall("fails", `{}`), `exit code 1`},
		{toolCall("fetch", `{"id":"a/b"}`), `"structuredContent":{"path":"/users/a%2Fb","known":true}`},
		{toolCall("sha256", `{"text":"abc"}`), `ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad`},
		{toolCall("sha256", `{"text":"longer than five"}`), `argument \"text\"`},
		{toolCall("sha256", `{}`), `"isError":true`},
		{toolCall("promises", `{"s":"x"}`), `what its output schema does not allow`},
		{toolCall("flow", `{"who":"abc"}`), `"sum":"3"`},
		{toolCall("flow", `{"who":"abc"}`), `"hex":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		{`"method":"prompts/get","params":{"name":"review","arguments":{"code":"x := {{code}}"}}`, `Review go: x := {{code}}`},
		{`"method":"prompts/get","params":{"name":"review","arguments":{"code":"x","language":"cobol"}}`, `must be one of go, rust`},
		{`"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"language","value":"r"}}`, `"values":["rust"]`},
	}
	var requests []string
	for _, c := range cases {
		requests = append(requests, c.request)
	}
	answers, stderr := session(t, file, requests...)
	for i, c := range cases {
		if got := answers[i+1]; !strings.Contains(got, c.want) {
			t.Errorf("%s was answered\n%s\nwant %s", c.request, got, c.want)
		}
	}
	if strings.Contains(stderr, "s3cret-token") || !strings.Contains(stderr, "tool=echo middleware=metrics") {
		t.Errorf("the log: %s", stderr)
	}
}

// What stands around a tool acts: after two failures the breaker is open.
func TestForgeMiddlewareActs(t *testing.T) {
	file := forgeProject(t, forgeFile)
	frames := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	done := make(chan int, 1)
	go func() { done <- run(t.Context(), []string{"serve", "--config", file}, r, &out, &bytes.Buffer{}) }()
	for id := 1; id <= 3; id++ { // one after the other
		fmt.Fprintf(w, "%s"+`{"jsonrpc":"2.0","id":%d,%s}`+"\n", frames, id, toolCall("fails", `{}`))
		frames = ""
		out.waitFor(t, fmt.Sprintf(`"id":%d,`, id))
	}
	w.Close()
	if code := <-done; code != 0 {
		t.Fatalf("exit code %d", code)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; strings.Contains(last, "exit code 1") || !strings.Contains(last, `"isError":true`) {
		t.Errorf("the third call still ran the program: %s", last)
	}
}

// A file that cannot be served says why, with its place, and nothing starts.
func TestForgeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"tools: [{type: cli, name: a, comand: x}]":                                                                      `did you mean`,
		"forge: {name: a}\ntools: [{type: native, name: a, handler: 'b::c'}]":                                           `there is no function "b::c"`,
		"forge: {name: a}\ntools: [{type: cli, name: a, command: no-such-program-here}]":                                `is not there`,
		"forge: {name: a}\ntools: [{type: wasm, module: none.wasm}]":                                                    `none.wasm`,
		"forge: {name: a}\nresources: [{uri: 'one:{+x}', root: none}]":                                                  `its folder cannot be opened`,
		"forge: {name: a}\nresources: [{uri: 'one:x', handler: 'b::c'}]":                                                `there is no function "b::c"`,
		"forge: {name: a}\ntools: [{type: wasm, module: 'MODULE', title: Mine}]":                                        `the module says itself what its title is`,
		"forge: {name: a}\ntools: [{type: wasm, module: 'MODULE'}, {type: pipeline, name: p, steps: [{tool: nobody}]}]": `"nobody", is neither in the file nor in its modules`,
		"forge: {name: a}\nstate: {backend: redis, options: {url: 'redis://127.0.0.1/'}}":                               `forge.yaml`,
	} {
		code, stdout, stderr := runWith(t, "serve", "--config", forgeProject(t, text))
		if code != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s\nexit %d, stdout %q, stderr %q; want %q", text, code, stdout, stderr, want)
		}
	}
	for flags, want := range map[string]string{
		"--data=x": "--config does not go with", "--sync=never": "--config does not go with", "--max-bytes=1MiB": "--config does not go with",
		"--auth-disabled": "--auth-disabled is about HTTP", "--oauth-scope=x": "--oauth-scope is about HTTP",
	} {
		if code, _, stderr := runWith(t, "serve", "--config", forgeProject(t, forgeFile), flags); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d: %s", flags, code, stderr)
		}
	}
}

// lockedBuffer takes output while a test looks at it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// waitFor waits until the output has a text.
func (b *lockedBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(b.String(), text) {
		if t.Context().Err() != nil {
			t.Fatalf("it never said %s: %s", text, b)
		}
		time.Sleep(time.Millisecond)
	}
}
