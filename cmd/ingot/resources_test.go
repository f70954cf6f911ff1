package main

import (
	"bufio"
	"fmt"
	"github.com/ingot-run/ingot/internal/httpserve"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

const modernResourceMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// modernRequest makes a request of 2026-07-28 with the headers that it needs.
func (s *served) modernRequest(t *testing.T, method, name, params string) *http.Request {
	t.Helper()
	if params != "" {
		params += ","
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`, method, params, modernResourceMeta)
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.origin+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for header, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": name,
	} {
		if value != "" {
			r.Header.Set(header, value)
		}
	}
	return r
}

// TestResourcesOverHTTP reads, lists and listens frame by frame.
func TestResourcesOverHTTP(t *testing.T) {
	s := serve(t)
	set := func(value string) {
		t.Helper()
		s.callModern(t, "state_set", fmt.Sprintf(`{"key":"user:ada","value":%q}`, value))
	}
	set("one")
	answer := func(r *http.Request) string {
		t.Helper()
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		if err != nil || w.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", r.Header.Get("Mcp-Method"), w.StatusCode, text, err)
		}
		return string(text)
	}
	for method, c := range map[string]struct{ name, params, want string }{
		"resources/read":           {"state:///user:ada", `"uri":"state:///user:ada"`, `"contents":[{"uri":"state:///user:ada","mimeType":"text/plain","text":"one","_meta":{"run.ingot/version":1}}]`},
		"resources/list":           {"", "", `"resources":[{"uri":"state:///user:ada","name":"user:ada","size":3}]`},
		"resources/templates/list": {"", "", `"uriTemplate":"state:///{+key}"`},
	} {
		if got := answer(s.modernRequest(t, method, c.name, c.params)); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s; want %s", method, got, c.want)
		}
	}

	w, err := http.DefaultClient.Do(s.modernRequest(t, "subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["state:///user:ada"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	events := bufio.NewScanner(w.Body)
	next := func() string {
		t.Helper()
		for events.Scan() {
			if data, ok := strings.CutPrefix(events.Text(), "data: "); ok && data != "" {
				return data
			}
		}
		t.Fatalf("the stream ended: %v", events.Err())
		return ""
	}
	if got := next(); !strings.Contains(got, "subscriptions/acknowledged") {
		t.Fatalf("first came %s", got)
	}
	for i := range 3 {
		set(fmt.Sprint(i))
		if got := next(); !strings.Contains(got, `"method":"notifications/resources/updated"`) || !strings.Contains(got, `"uri":"state:///user:ada"`) {
			t.Fatalf("change %d: %s", i, got)
		}
	}
	if err := s.process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := next(); !strings.Contains(got, `"result":{`) {
		t.Errorf("the stream ended with %s", got)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

// TestResourcesAskForTheToolsScopes: who may not call state_get may not read what it
// gives as a resource, and likewise with state_list.
func TestResourcesAskForTheToolsScopes(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	issuer, token := startIssuer(t)
	const audience = "https://box.example"
	s := serve(t, "--oauth-issuer", issuer, "--oauth-audience", audience, "--oauth-tool-scope", "state_get=read", "--oauth-tool-scope", "state_list=list")
	complete := `"ref":{"type":"ref/resource","uri":"state:///{+key}"},"argument":{"name":"key","value":""}`
	for _, c := range []struct {
		scope, method, name, params string
		status                      int
	}{
		{"list", "resources/read", "state:///k", `"uri":"state:///k"`, 403},
		{"read", "resources/read", "state:///k", `"uri":"state:///k"`, 200}, // there is none
		{"read", "resources/list", "", "", 403},
		{"list", "resources/list", "", "", 200},
		{"read", "completion/complete", "", complete, 403},
		{"list", "completion/complete", "", complete, 200},
		{"list", "subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["state:///k"]}`, 403},
	} {
		r := s.modernRequest(t, c.method, c.name, c.params)
		r.Host = "box.example"
		r.Header.Set("Authorization", "Bearer "+token(map[string]any{"aud": audience, "scope": c.scope}))
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil || w.StatusCode != c.status {
			t.Errorf("%s with %s: %d %s, %v; want %d", c.method, c.scope, w.StatusCode, text, err, c.status)
		}
	}
}
