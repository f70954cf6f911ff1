package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/internal/httpserve"
)

// forgeResources is a server of resources, prompts that show them, and a state of which
// tools see parts. ORIGIN is an HTTP server.
const forgeResources = `
forge: {name: library}
resources:
  - {uri: "docs:///{+path}", name: Docs, root: docs, supports: [read, write, subscribe]}
  - {uri: "file://./docs/a.md"}
  - {uri: "hello:///{name}", handler: {inline: '"Hello " + name'}}
  - {uri: "kv:///{+key}", state: notes/, supports: [read, write, subscribe]}
  - {uri: "web:///{id}", http: {endpoint: "ORIGIN/{{id}}", private: true}}
  - {uri: "inside:///{id}", http: {endpoint: "ORIGIN/{{id}}"}}
tools:
  - {type: native, name: count, handler: "state::increment", params: {key: string}, state: {namespace: notes}}
  - {type: native, name: mine, handler: "state::increment", params: {key: string}, state: {scope: handle, ttl: 1h}}
  - {type: cli, name: say, command: printf, args: ["%s", "n={{state.n}}"], state: {namespace: notes}}
  - type: pipeline
    name: twice
    params: {by: {type: integer, default: 1}}
    state: {namespace: notes}
    steps: [{tool: count, input: {key: n}}, {tool: count, input: {key: n}, condition: "state.n < 2 || input.by > 1"}]
    output: {n: "{{state.n}}", input: "{{input}}"}
prompts:
  - {name: about, messages: [{resource: "docs:///{{doc}}"}, {template: "n is {{state.x}}{{doc}}"}], arguments: {doc: {enum: [a.md]}}}
`

func forgeLibrary(t *testing.T) (file string) {
	t.Helper()
	if err := buildBinaries(); err != nil { // before forgeProject moves the build cache away
		t.Fatal(err)
	}
	file = forgeProject(t, forgeResources)
	docs := filepath.Join(filepath.Dir(file), "docs")
	if err := os.Mkdir(docs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "a.md"), []byte("# A"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../forge.yaml", filepath.Join(docs, "out")); err != nil {
		t.Fatal(err)
	}
	return file
}

// The shipped command serves resources, prompts and state of a file over stdio: requests
// of one connection, one after the other.
func TestForgeResourcesOverStdio(t *testing.T) {
	file := forgeLibrary(t)
	in, stdin := io.Pipe()
	var out lockedBuffer
	done := make(chan int, 1)
	go func() { done <- run(t.Context(), []string{"serve", "--config", file}, in, &out, &bytes.Buffer{}) }()
	fmt.Fprintln(stdin, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	read := func(uri string) string { return fmt.Sprintf(`"method":"resources/read","params":{"uri":%q}`, uri) }
	for i, c := range []struct{ request, want string }{
		{`"method":"resources/list"`, `{"uri":"docs:///a.md","name":"a.md","mimeType":"text/markdown","size":3}`},
		{read("docs:///a.md"), `"mimeType":"text/markdown","text":"# A"`},
		{read("file://./docs/a.md"), `"text":"# A"`},
		{read("docs:///out"), `Resource not found`},
		{read("docs:///..%2Fforge.yaml"), `Resource not found`},
		{read("hello:///Ada"), `"text":"Hello Ada"`},
		{read("web:///7"), `\"path\":\"/7\"`},
		{read("inside:///7"), `"code":-32603`},
		{`"method":"resources/subscribe","params":{"uri":"kv:///n"}`, `"result":{}`},
		{`"method":"resources/subscribe","params":{"uri":"docs:///a.md"}`, `"result":{}`},
		{`"method":"resources/subscribe","params":{"uri":"hello:///Ada"}`, `does not support subscribe`},
		{toolCall("twice", `{}`), `"structuredContent":{"n":2,"input":{"by":1}}`},
		{toolCall("twice", `{"by":2}`), `"structuredContent":{"n":4,"input":{"by":2}}`},
		{toolCall("say", `{}`), `n=4`},
		{read("kv:///n"), `"text":"4"`},
		{toolCall("mine", `{"key":"k"}`), `"state_handle":"`},
		{toolCall("mine", `{"key":"k","state_handle":"AAAAAAAAAAAAAAAAAAAAAAAAAA"}`), `is unknown, has expired`},
		{toolCall("resource_write", `{"uri":"docs:///new/b.txt","text":"{{x}}"}`), `"bytes":5`},
		{read("docs:///new/b.txt"), `"text":"{{x}}"`},
		{`"method":"prompts/get","params":{"name":"about","arguments":{"doc":"a.md"}}`, `"uri":"docs:///a.md","mimeType":"text/markdown","text":"# A"`},
		{`"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"docs:///{+path}"},"argument":{"name":"path","value":"n"}}`, `"values":["new/"]`},
		{`"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"about"},"argument":{"name":"doc","value":""}}`, `"values":["a.md"]`},
	} {
		fmt.Fprintf(stdin, `{"jsonrpc":"2.0","id":%d,%s}`+"\n", i+1, c.request)
		id := fmt.Sprintf(`"id":%d,`, i+1)
		out.waitFor(t, id)
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, id) && !strings.Contains(line, c.want) {
				t.Errorf("%s was answered\n%swant %s", c.request, line, c.want)
			}
		}
	}
	out.waitFor(t, `"method":"notifications/resources/updated","params":{"uri":"kv:///n"}`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "docs", "a.md"), []byte("# Another"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.waitFor(t, `"method":"notifications/resources/updated","params":{"uri":"docs:///a.md"}`)
	stdin.Close()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The same over HTTP, by requests that stand alone: the state is kept by handle, and
// changes come by subscriptions/listen.
func TestForgeResourcesOverHTTP(t *testing.T) {
	file := forgeLibrary(t)
	s := serve(t, "--config", file)
	ask := func(method, name, params string) string {
		t.Helper()
		w, err := http.DefaultClient.Do(s.modernRequest(t, method, name, params))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	w, err := http.DefaultClient.Do(s.modernRequest(t, "subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["kv:///n","docs:///a.md"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	events := bufio.NewScanner(w.Body)
	hear := func(want string) {
		t.Helper()
		for events.Scan() {
			if strings.Contains(events.Text(), want) {
				return
			}
		}
		t.Fatalf("the stream ended without %s: %v", want, events.Err())
	}
	hear("acknowledged")
	for _, c := range []struct{ method, name, params, want string }{
		{"resources/read", "docs:///a.md", `"uri":"docs:///a.md"`, `"contents":[{"uri":"docs:///a.md","mimeType":"text/markdown","text":"# A"}]`},
		{"resources/read", "docs:///out", `"uri":"docs:///out"`, `"code":-32602`},
		{"resources/read", "inside:///7", `"uri":"inside:///7"`, `"code":-32603`},
		{"resources/templates/list", "", "", `{"uriTemplate":"docs:///{+path}","name":"Docs"}`},
		{"subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["web:///7"]}`, `does not support subscribe`},
		{"prompts/get", "about", `"name":"about","arguments":{"doc":"a.md"}`, `"type":"resource"`},
	} {
		if got := ask(c.method, c.name, c.params); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s; want %s", c.method, c.params, got, c.want)
		}
	}
	first := s.callModern(t, "mine", `{"key":"k"}`)["structuredContent"].(map[string]any)
	handle, _ := first["state_handle"].(string)
	if len(handle) < 20 {
		t.Fatalf("no handle: %v", first)
	}
	if got := structured(t, s.callModern(t, "mine", fmt.Sprintf(`{"key":"k","state_handle":%q}`, handle))); got != `{"value":2}` {
		t.Errorf("with its handle: %s", got)
	}
	if got := structured(t, s.callModern(t, "count", `{"key":"n"}`)); got != `{"value":1}` {
		t.Errorf("what is counted under a handle is seen elsewhere: %s", got)
	}
	hear(`"uri":"kv:///n"`)
	s.callModern(t, "resource_write", `{"uri":"docs:///a.md","text":"# By the tool"}`)
	hear(`"uri":"docs:///a.md"`)
	if got, err := os.ReadFile(filepath.Join(filepath.Dir(file), "docs", "a.md")); err != nil || string(got) != "# By the tool" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

// A token's scope stands before reading by the name resource_read.
func TestForgeResourcesAskForAScope(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	issuer, token := startIssuer(t)
	const audience = "https://box.example"
	s := serve(t, "--config", forgeLibrary(t), "--oauth-issuer", issuer, "--oauth-audience", audience, "--oauth-tool-scope", "resource_read=read", "--oauth-tool-scope", "resource_write=write")
	for _, c := range []struct {
		scope, method, name, params string
		status                      int
	}{
		{"write", "resources/read", "docs:///a.md", `"uri":"docs:///a.md"`, 403},
		{"read", "resources/read", "docs:///a.md", `"uri":"docs:///a.md"`, 200},
		{"write", "resources/list", "", "", 403},
		{"write", "subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["docs:///a.md"]}`, 403},
		{"read", "tools/call", "resource_write", `"name":"resource_write","arguments":{"uri":"docs:///a.md","text":"x"}`, 403},
		{"write", "tools/call", "resource_write", `"name":"resource_write","arguments":{"uri":"docs:///a.md","text":"x"}`, 200},
	} {
		r := s.modernRequest(t, c.method, c.name, c.params)
		r.Host = "box.example"
		r.Header.Set("Authorization", "Bearer "+token(map[string]any{"aud": audience, "scope": c.scope}))
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		if w.StatusCode != c.status {
			t.Errorf("%s with %s: %d, want %d", c.method, c.scope, w.StatusCode, c.status)
		}
	}
}
