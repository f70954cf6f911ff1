package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAddToolMistakesPanic(t *testing.T) {
	for name, tool := range map[string]Tool{
		"no name":          {},
		"space in name":    {Name: "a b"},
		"letter beyond":    {Name: "grüße"},
		"long name":        {Name: strings.Repeat("n", 129)},
		"schema no JSON":   {Name: "a", InputSchema: []byte(`{`)},
		"schema twice":     {Name: "a", InputSchema: []byte(`{"type":"object","type":"object"}`)},
		"schema no object": {Name: "a", InputSchema: []byte(`true`)},
		"schema of array":  {Name: "a", InputSchema: []byte(`{"type":"array"}`)},
		"output no schema": {Name: "a", OutputSchema: []byte(`["object"]`)},
		"text not UTF-8":   {Name: "a", Description: "\xff"},
		"taken name":       {Name: "taken"},
	} {
		s := NewServer(Options{})
		s.AddTool(Tool{Name: "taken"}, echo)
		assert.Panics(t, func() { s.AddTool(tool, echo) }, name)
	}
	assert.Panics(t, func() { NewServer(Options{}).AddTool(Tool{Name: "a"}, nil) }, "no handler")
	assert.Panics(t, func() { NewServer(Options{Name: "\xff"}) })
}

func TestAddToolCopiesWhatItIsGiven(t *testing.T) {
	s := NewServer(Options{})
	hints := &ToolAnnotations{Title: "before"}
	schema := []byte(`{"type":"object"}`)
	s.AddTool(Tool{Name: "a", Annotations: hints, InputSchema: schema}, echo)
	hints.Title = "after"
	copy(schema, `{"type":"string"}`)
	e := s.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	assert.Equal(t, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":{"type":"object"},"annotations":{"title":"before"}}]}}`,
		string(e.Answer(t.Context(), VersionLegacy, nil)))
}

// A walk over the pages sees each tool that is there throughout exactly once,
// in order, while others are added.
func TestPagesWhileToolsAreAdded(t *testing.T) {
	s := NewServer(Options{PageSize: 3})
	for i := range 20 {
		s.AddTool(Tool{Name: fmt.Sprintf("tool-%02d", i)}, echo)
	}
	page := func(cursor string) ([]*tool, string, bool) {
		return s.offers().tools.page("tools:", cursor, 3, checkName)
	}
	var seen []string
	cursor := ""
	for round := 0; ; round++ {
		tools, next, ok := page(cursor)
		require.True(t, ok)
		for _, tool := range tools {
			seen = append(seen, tool.Name)
		}
		s.AddTool(Tool{Name: fmt.Sprintf("new-%02d", round)}, echo)        // before the cursor
		s.AddTool(Tool{Name: fmt.Sprintf("tool-%02d-x", 2*round+9)}, echo) // behind it, at first
		if cursor = next; cursor == "" {
			break
		}
	}
	assert.IsIncreasing(t, seen)
	for i := range 20 {
		assert.Contains(t, seen, fmt.Sprintf("tool-%02d", i))
	}
	for _, forged := range []string{"x", "dG9vbHM6", "dG9vbHM6YSBi", "cHJvbXB0czph", "dG9vbHM6YQ=="} {
		_, _, ok := page(forged)
		assert.False(t, ok, forged)
	}
}

func TestToolsAreAddedWhileServing(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "echo"}, echo)
	var adding sync.WaitGroup
	for g := range 4 {
		adding.Go(func() {
			for i := range 25 {
				s.AddTool(Tool{Name: fmt.Sprintf("t%d-%d", g, i)}, echo)
			}
		})
	}
	for range 200 {
		e := s.NewExchange([]byte(echoCall(1, "x", true)))
		assert.Contains(t, string(e.Answer(t.Context(), "", nil)), `"text":"x"`)
	}
	adding.Wait()
	assert.Len(t, s.offers().tools.sorted, 101)
}

func TestStructuredResult(t *testing.T) {
	r, err := StructuredResult(struct {
		Found bool           `json:"found"`
		More  map[string]int `json:"more"`
	}{true, map[string]int{"b": 1, "a": 2}})
	require.NoError(t, err)
	assert.Equal(t, &CallResult{Content: []Content{{Type: ContentText, Text: `{"found":true,"more":{"a":2,"b":1}}`}}, Structured: []byte(`{"found":true,"more":{"a":2,"b":1}}`)}, r)
	for _, v := range []any{nil, []int{1}, "x", make(chan int)} {
		_, err := StructuredResult(v)
		assert.Error(t, err, "%v", v)
	}
}

func TestUnknownContentTypeIsAnInternalError(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "odd"}, func(context.Context, *CallRequest) (*CallResult, error) {
		return &CallResult{Content: []Content{{Type: "video"}}}, nil
	})
	e := s.NewExchange([]byte(call(1, "odd", "{}", false)))
	assert.Equal(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"tool odd made a result that cannot be sent: content block 0 has the unknown type \"video\""}}`,
		string(e.Answer(t.Context(), VersionLegacy, nil)))
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c\n\r\t\x00\x1f\x7f", "é€😀", "\xff\xc0\x80\xed\xa0\x80", "12345678\"1234567\x01", "�"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := appendString(nil, s)
		scan := scanner{depthMax: 1}
		if !scan.scan(raw) {
			t.Fatalf("not strict JSON: %q: %v", raw, scan.fault)
		}
		var back string
		want := string([]rune(s)) // each byte that is not UTF-8 becomes U+FFFD
		if err := json.Unmarshal(raw, &back); err != nil || back != want {
			t.Fatalf("%q became %q (%v)", s, back, err)
		}
	})
}
