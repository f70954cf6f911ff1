package statetools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// fixture is a server on a store whose clock the test moves.
type fixture struct {
	t       *testing.T
	store   *state.Embedded
	millis  int64
	server  *mcp.Server
	outputs map[string]*jsonschema.Schema
}

func newFixture(t *testing.T, o state.Options) *fixture {
	f := &fixture{t: t, millis: 1_700_000_000_000, outputs: map[string]*jsonschema.Schema{}}
	o.Now = func() int64 { return f.millis }
	var err error
	f.store, err = state.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.store.Close()) })
	f.server = mcp.NewServer(mcp.Options{Name: "test", Version: "1", Tasks: statetools.NewTasks(f.store)})
	t.Cleanup(f.server.Close)
	statetools.Register(f.server, state.Public(f.store))
	statetools.RegisterResources(f.server, state.Public(f.store), statetools.ResourceOptions{})
	return f
}

// send passes one request through the server's stdio transport and returns the
// result.
func (f *fixture) send(method, params string) json.RawMessage {
	f.t.Helper()
	lines := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" +
		fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params) + "\n"
	var out bytes.Buffer
	require.NoError(f.t, f.server.ServeStdio(context.Background(), strings.NewReader(lines), &out))
	for line := range strings.Lines(out.String()) {
		var m struct {
			ID     int
			Result json.RawMessage
		}
		require.NoError(f.t, json.Unmarshal([]byte(line), &m))
		if m.ID == 1 {
			require.NotEmpty(f.t, m.Result, "%s", line)
			return m.Result
		}
	}
	f.t.Fatalf("no answer in %s", out.String())
	return nil
}

// call calls a tool and returns its structured content as JSON, checked
// against the output schema and the text block; for an isError result it is
// "error: " and the text.
func (f *fixture) call(name, args string) string {
	f.t.Helper()
	var r struct {
		Content           []struct{ Type, Text string }
		StructuredContent json.RawMessage
		IsError           bool
	}
	params := fmt.Sprintf(`{"name":%q,"arguments":%s}`, name, args)
	require.NoError(f.t, json.Unmarshal(f.send("tools/call", params), &r))
	require.Len(f.t, r.Content, 1)
	if r.IsError {
		require.Nil(f.t, r.StructuredContent)
		return "error: " + r.Content[0].Text
	}
	require.Equal(f.t, string(r.StructuredContent), r.Content[0].Text)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.StructuredContent))
	require.NoError(f.t, err)
	require.NoError(f.t, f.outputSchema(name).Validate(value), "%s: %s", name, r.StructuredContent)
	return string(r.StructuredContent)
}

func (f *fixture) outputSchema(name string) *jsonschema.Schema {
	if s := f.outputs[name]; s != nil {
		return s
	}
	for _, tool := range f.list() {
		c := jsonschema.NewCompiler()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tool.OutputSchema))
		require.NoError(f.t, err)
		require.NoError(f.t, c.AddResource(tool.Name+".json", doc))
		f.outputs[tool.Name], err = c.Compile(tool.Name + ".json")
		require.NoError(f.t, err)
	}
	require.NotNil(f.t, f.outputs[name], "no tool %q", name)
	return f.outputs[name]
}

type listed struct {
	Name, Title, Description  string
	InputSchema, OutputSchema json.RawMessage
	Annotations               map[string]any
}

func (f *fixture) list() []listed {
	var r struct{ Tools []listed }
	require.NoError(f.t, json.Unmarshal(f.send("tools/list", "{}"), &r))
	return r.Tools
}

func TestListing(t *testing.T) {
	f := newFixture(t, state.Options{})
	tools := f.list()
	require.Len(t, tools, 10)
	for _, tool := range tools {
		require.NotEmpty(t, tool.Title, tool.Name)
		require.NotEmpty(t, tool.Description, tool.Name)
		require.Equal(t, false, tool.Annotations["openWorldHint"], tool.Name)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tool.InputSchema))
		require.NoError(t, err)
		// Model APIs refuse input schemas with a combinator at the root.
		for _, word := range []string{"oneOf", "anyOf", "allOf", "not"} {
			require.NotContains(t, doc, word, tool.Name)
		}
		c := jsonschema.NewCompiler()
		require.NoError(t, c.AddResource("in.json", doc))
		_, err = c.Compile("in.json")
		require.NoError(t, err, tool.Name)
	}
}

// TestAnswers runs testdata/answers.txt: a tool and its arguments, "clock +N"
// to move time by N milliseconds, and below each the answer.
// INGOT_UPDATE=1 rewrites the answers.
func TestAnswers(t *testing.T) {
	const file = "testdata/answers.txt"
	script, err := os.ReadFile(file)
	require.NoError(t, err)
	f := newFixture(t, state.Options{BytesMax: 100_000})
	var got strings.Builder
	for line := range strings.Lines(string(script)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		got.WriteString(line + "\n")
		name, args, _ := strings.Cut(line, " ")
		switch {
		case line == "" || name == "#":
		case name == "clock":
			var step int64
			_, err := fmt.Sscanf(args, "+%d", &step)
			require.NoError(t, err, line)
			f.millis += step
		default:
			got.WriteString("\t" + f.call(name, args) + "\n")
		}
	}
	if os.Getenv("INGOT_UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
	require.Equal(t, string(script), got.String())
}

func TestBinaryKeysAreListed(t *testing.T) {
	f := newFixture(t, state.Options{})
	_, err := f.store.Set(t.Context(), "a\xff", []byte("v"), state.SetOptions{})
	require.NoError(t, err)
	require.Equal(t, `{"entries":[{"key_base64":"Yf8=","version":1,"size":1}]}`, f.call("state_list", "{}"))
}

func TestBatchLimits(t *testing.T) {
	f := newFixture(t, state.Options{})
	keys := strings.TrimSuffix(strings.Repeat(`"k",`, 1001), ",")
	require.Equal(t, `error: argument "keys": has 1001 items; at most 1000 fit in one call`, f.call("state_batch_get", `{"keys":[`+keys+`]}`))
	entries := strings.TrimSuffix(strings.Repeat(`{"key":"k","value":""},`, 1001), ",")
	require.Equal(t, `error: argument "entries": has 1001 items; at most 1000 fit in one call`, f.call("state_batch_set", `{"entries":[`+entries+`]}`))
	long := strings.Repeat("k", state.KeyBytesMax+1)
	require.Contains(t, f.call("state_get", fmt.Sprintf(`{"key":%q}`, long)), `error: argument "key": a key must have 1 to 65536 bytes, not 65537`)
}

func TestFullStore(t *testing.T) {
	f := newFixture(t, state.Options{BytesMax: 1000})
	got := f.call("state_set", fmt.Sprintf(`{"key":"k","value":%q}`, strings.Repeat("v", 2000)))
	require.Equal(t, "error: the byte budget is used up: 0 of the store's 1000 bytes are in use", got)
	require.Equal(t, `{"found":false}`, f.call("state_get", `{"key":"k"}`))
}
