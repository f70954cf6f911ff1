package mcp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// noSecrets is a guard that keeps from callers whatever has "secret" in its name.
type noSecrets struct {
	mu      sync.Mutex
	records []string
	full    bool
}

func (g *noSecrets) Begin(context.Context) (bool, error) { return true, nil }

func (g *noSecrets) Allow(_ context.Context, _ Kind, name string) error {
	if strings.Contains(name, "secret") {
		return errors.New("you may not")
	}
	return nil
}

func (g *noSecrets) Shows(ctx context.Context, kind Kind, name string) bool {
	return g.Allow(ctx, kind, name) == nil
}

func (g *noSecrets) Record(_ context.Context, r *Record) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full {
		return errors.New("the record is full")
	}
	text := r.Method + " " + string(r.Kind) + " " + r.Name + " " + itoa(r.Code)
	if r.Failed {
		text += " failed"
	}
	if r.Task {
		text += " task"
	}
	g.records = append(g.records, text)
	return nil
}

func (g *noSecrets) Waits() bool { return false }

// secretive is a server where one half of everything is secret.
func secretive(g *noSecrets) *Server {
	s := NewServer(sealed(Options{PageSize: 1}))
	answer := func(context.Context, *CallRequest) (*CallResult, error) { return TextResult("done"), nil }
	read := func(_ context.Context, r *ReadRequest) (*ReadResult, error) {
		return &ReadResult{Contents: []ResourceContents{{Text: "content"}}}, nil
	}
	prompt := func(context.Context, *PromptRequest) (*PromptResult, error) { return &PromptResult{}, nil }
	for _, name := range []string{"a-secret", "open", "secret-z"} {
		s.AddTool(Tool{Name: name}, answer)
		s.AddPrompt(Prompt{Name: name}, prompt)
		s.AddResource(Resource{URI: "x:///" + name, Name: name}, read)
		s.AddTemplate(ResourceTemplate{URITemplate: "y-" + name + "://{+key}", Name: name, List: func(_ context.Context, r *ListRequest) (*ListResult, error) {
			if r.Cursor == "" {
				return &ListResult{Resources: []Resource{{URI: "y-" + name + "://k-secret", Name: "k"}}, Next: "behind k-secret"}, nil
			}
			return &ListResult{Resources: []Resource{{URI: "y-" + name + "://k-open", Name: "k"}}}, nil
		}, Complete: func(context.Context, *CompleteRequest) (*CompleteResult, error) {
			return &CompleteResult{Values: []string{"v-secret", "v-open"}, Total: 2}, nil
		}}, read)
	}
	s.SetGuard(g)
	return s
}

func askModern(s *Server, method, params string) (string, int) {
	if params != "" {
		params += ","
	}
	e := s.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + modernMeta + `}}`))
	return string(e.Answer(context.Background(), "", nil)), e.Code()
}

func TestGuardHidesWhatItDenies(t *testing.T) {
	g := &noSecrets{}
	s := secretive(g)
	defer s.Close()
	for _, method := range []string{methodToolsList, methodPromptsList, methodResourcesList, methodTemplatesList} {
		cursor, shown := "", ""
		for pages := 0; ; pages++ {
			got, _ := askModern(s, method, cursor)
			shown += got
			_, next, more := strings.Cut(got, `"nextCursor":"`)
			if !more {
				break
			}
			if pages > 20 {
				t.Fatalf("%s has no end: %s", method, shown)
			}
			next, _, _ = strings.Cut(next, `"`)
			cursor = `"cursor":"` + next + `"`
		}
		if strings.Contains(shown, "secret") || !strings.Contains(shown, "open") || strings.Contains(shown, "error") || strings.Contains(shown, `"public"`) {
			t.Errorf("%s: %s", method, shown)
		}
	}
	for _, c := range []struct{ method, params, want string }{
		{methodToolsCall, `"name":"open"`, "done"},
		{methodToolsCall, `"name":"a-secret"`, "you may not"},
		{methodToolsCall, `"name":"no-secret"`, "you may not"},
		{methodToolsCall, `"name":"a-secre"`, "Unknown tool: a-secre\""},
		{methodPromptsGet, `"name":"open"`, "messages"},
		{methodPromptsGet, `"name":"secret-z"`, "you may not"},
		{methodPromptsGet, `"name":"secre-z"`, "Unknown prompt: secre-z\""},
		{methodResourcesRead, `"uri":"x:///open"`, "content"},
		{methodResourcesRead, `"uri":"x:///a-secret"`, "you may not"},
		{methodResourcesRead, `"uri":"x:///no-secret"`, "you may not"},
		{methodComplete, `"ref":{"type":"ref/resource","uri":"y-open://{+key}"},"argument":{"name":"key","value":""}`, `"values":["v-open"],"hasMore":false`},
		{methodComplete, `"ref":{"type":"ref/resource","uri":"y-secret-z://{+key}"},"argument":{"name":"key","value":""}`, "you may not"},
		{methodComplete, `"ref":{"type":"ref/prompt","name":"a-secret"},"argument":{"name":"key","value":""}`, "you may not"},
		{methodListen, `"notifications":{"resourceSubscriptions":["x:///a-secret"]}`, "needs a transport"},
	} {
		got, _ := askModern(s, c.method, c.params)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s; want %s", c.method, c.params, got, c.want)
		}
	}
	want := "tools/call tool open 0|tools/call tool a-secret -32600|tools/call tool no-secret -32600|tools/call tool a-secre -32602"
	if got := strings.Join(g.records, "|"); !strings.Contains(got, want) {
		t.Errorf("records: %s", got)
	}
	g.full = true
	if got, _ := askModern(s, methodToolsCall, `"name":"open"`); !strings.Contains(got, "the record is full") || strings.Contains(got, "done") {
		t.Errorf("what is not recorded is answered: %s", got)
	}
}

// A legacy client subscribes and hears; what it may not hear of any more it is not told.
func TestGuardedSubscriptions(t *testing.T) {
	g := &noSecrets{}
	s := secretive(g)
	defer s.Close()
	heard := make(chan string, 10)
	c := s.Connect(context.Background(), streamFunc(func(frame []byte) { heard <- string(frame) }), ConnOptions{})
	defer c.Close()
	for _, frame := range []string{
		legacyInitialize,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"x:///a-secret"}}`,
		`{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"x:///open"}}`,
		`{"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["x:///secret-z"]},` + modernMeta + `}}`,
	} {
		c.Receive([]byte(frame))
	}
	s.ResourceUpdated("x:///a-secret")
	s.ResourceUpdated("x:///secret-z")
	s.ResourceUpdated("x:///open")
	for _, want := range []string{`"id":0`, "you may not", `"id":2,"result":{}`, "you may not", `"uri":"x:///open"`} {
		if got := <-heard; !strings.Contains(got, want) {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

type streamFunc func(frame []byte)

func (f streamFunc) Send(_ context.Context, frame []byte) error { f(frame); return nil }
