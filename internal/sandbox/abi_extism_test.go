package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"
)

const (
	extismV1Path = "testdata/extism/v1.wasm"
	extismV2Path = "testdata/extism/v2.wasm"
)

// plugin calls a tool of a plug-in and returns its result.
func plugin(t *testing.T, m *Module, tool, args string) string {
	t.Helper()
	out, err := m.Call(context.Background(), CallRequest{Tool: tool, Arguments: []byte(args)})
	require.NoError(t, err)
	require.Nil(t, out.JSON)
	return string(out.MCP)
}

func TestExtismV1(t *testing.T) {
	m := loadFile(t, extismV1Path, Policy{})
	require.Equal(t, "extism/1", m.Info().ABI)
	require.Len(t, m.Tools(), 1)
	require.Equal(t, "vowels", m.Tools()[0].Name)
	require.Empty(t, m.Methods())
	// Isolation "call": a variable is gone in the next call.
	for range 3 {
		require.JSONEq(t, `{"content":[{"type":"text","text":"{\"vowels\":3,\"total\":3}"}]}`, plugin(t, m, "", `{"text":"Extism is"}`))
	}
	_, err := m.Call(context.Background(), CallRequest{Arguments: []byte(`{}`)})
	var g *GuestError
	require.ErrorAs(t, err, &g)
	require.Equal(t, "text is missing", g.Message)
}

// Isolation "shared" with one instance: variables stay.
func TestExtismVariablesLiveWithTheInstance(t *testing.T) {
	m := loadFile(t, extismV1Path, Policy{Isolation: IsolationShared, Limits: Limits{ConcurrencyMax: 1}})
	for n := 1; n <= 3; n++ {
		require.Contains(t, plugin(t, m, "vowels", `{"text":"aeiou"}`), fmt.Sprintf(`\"total\":%d`, 5*n))
	}
	require.Contains(t, plugin(t, loadFile(t, extismV1Path, Policy{}), "", `{"text":""}`), `\"total\":0`)
}

func TestExtismV2(t *testing.T) {
	m := loadFile(t, extismV2Path, Policy{})
	require.Equal(t, "extism/2", m.Info().ABI)
	var names []string
	for _, d := range m.Tools() {
		names = append(names, d.Name)
		require.Empty(t, d.OutputSchema)
	}
	require.Equal(t, []string{"echo", "host", "fetch", "shape", "trouble"}, names)
	for _, text := range []string{"", "a", "1234567", "12345678", "123456789", "é\n\"\\\u0001", string(bytes.Repeat([]byte("long "), 20_000))} {
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		require.JSONEq(t, fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, quoted), plugin(t, m, "echo", fmt.Sprintf(`{"text":%s}`, quoted)))
	}
}

// Every function of the host, by a guest that uses it as Extism documents it.
func TestExtismHostFunctions(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m := loadLogged(t, extismV2Path, Policy{Config: map[string]string{"k": "v\""}, Isolation: IsolationShared, Limits: Limits{ConcurrencyMax: 1}}, logger)
	var told []string
	ask := func(args string) string {
		out, err := m.Call(context.Background(), CallRequest{Tool: "host", Arguments: []byte(args), Progress: func(progress, total float64, message string) {
			told = append(told, fmt.Sprint(progress, total, message))
		}})
		require.NoError(t, err)
		var answer struct{ StructuredContent json.RawMessage }
		require.NoError(t, json.Unmarshal(out.MCP, &answer))
		return string(answer.StructuredContent)
	}
	require.JSONEq(t, `{"level":1,"config":"v\"","input":1,"length":33,"freed":0,"var":0}`, ask(`{"key":"k"}`))
	require.JSONEq(t, `{"level":1,"config":null,"input":1,"length":33,"freed":0,"var":1}`, ask(`{"key":"other","forget":true}`))
	require.JSONEq(t, `{"level":1,"config":null,"input":1,"length":33,"freed":0,"var":0}`, ask(`{"key":"x"}`))
	require.Equal(t, []string{"1 2half", "1 2half", "1 2half"}, told)
	for _, line := range []string{`DEBUG msg="at trace"`, `DEBUG msg="at debug"`, `INFO msg="at info"`, `WARN msg="at warn"`, `ERROR msg="at error"`, `WARN msg=notified`} {
		require.Contains(t, log.String(), line)
	}
	quiet := loadLogged(t, extismV2Path, Policy{}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError + 1})))
	require.Contains(t, plugin(t, quiet, "host", `{"key":"k"}`), `"level":2147483647`)
}

func TestExtismTrouble(t *testing.T) {
	m := loadFile(t, extismV2Path, Policy{Limits: Limits{MemoryBytesMax: 8 << 20, LogLinesMax: 1, FuelMax: 10_000_000, TimeMax: time.Minute}})
	for mode, want := range map[string]struct {
		kind error
		says string
	}{
		"silent":  {ErrABI, "call_tool returned -1 without an error message"},
		"nothing": {ErrABI, "returned 0 bytes that are no JSON"},
		"outside": {ErrABI, "output_set was given offset 8 and length 1099511627776"},
		"handle":  {ErrABI, "config_get was given offset 12345 for its key"},
		"bomb":    {ErrMemory, "its limit is 8388608"},
		"blocks":  {ErrMemory, "65536 blocks"},
		"vars":    {ErrMemory, "at most 1048576 are possible"},
		"spin":    {ErrFuel, "units of fuel"}, // and calls of the host, which use nothing up
	} {
		_, err := m.Call(context.Background(), CallRequest{Tool: "trouble", Arguments: fmt.Appendf(nil, `{"mode":%q}`, mode)})
		require.ErrorIs(t, err, want.kind, mode)
		require.ErrorContains(t, err, want.says, mode)
		require.Contains(t, plugin(t, m, "echo", `{"text":"alive"}`), "alive", "after %s", mode)
	}
}

// Results are passed on only in the shape that clients rely on.
func TestExtismResultShapes(t *testing.T) {
	m := loadFile(t, extismV2Path, Policy{})
	call := func(raw string) (Result, error) {
		args, err := json.Marshal(map[string]string{"raw": raw})
		require.NoError(t, err)
		return m.Call(context.Background(), CallRequest{Tool: "shape", Arguments: args})
	}
	for _, raw := range []string{
		`{"content":[]}`,
		`{"content":[{"type":"text","text":"x","annotations":null}],"isError":true,"_meta":{"a":1}}`,
		`{"content":[{"type":"image","data":"","mimeType":"a/b"},{"type":"audio","data":"","mimeType":"a/b"}],"structuredContent":{"a":1},"isError":null}`,
		`{"content":[{"type":"resource","resource":{"uri":"a:b","text":"x"}},{"type":"resource","resource":{"uri":"a:b","blob":"x"}},{"type":"resource_link","uri":"a:b","name":"n"}]}`,
	} {
		out, err := call(raw)
		require.NoError(t, err)
		require.Equal(t, raw, string(out.MCP), "passed on as it is")
	}
	for raw, says := range map[string]string{
		`{}`:                                                       "it has no .content",
		`{"content":{}}`:                                           "it.content must be an array",
		`{"content":["x"]}`:                                        "it.content[0] must be an object",
		`{"content":[{"type":"text"}]}`:                            "it.content[0] has no .text",
		`{"content":[{"type":"text","text":7}]}`:                   "it.content[0].text must be a string",
		`{"content":[{"type":"video"}]}`:                           `it.content[0].type is "video"`,
		`{"content":[{"type":"image","data":"x"}]}`:                "it.content[0] has no .mimeType",
		`{"content":[{"type":"resource"}]}`:                        "it.content[0] has no .resource",
		`{"content":[{"type":"resource","resource":{}}]}`:          "it.content[0].resource has no .uri",
		`{"content":[{"type":"resource","resource":{"uri":"a"}}]}`: "neither a text nor a blob",
		`{"content":[],"isError":"yes"}`:                           "it.isError must be a boolean",
		`{"content":[],"structuredContent":[]}`:                    "it.structuredContent must be an object",
		`[]`:                                                       "are not a JSON object",
		`{"content":[]} {}`:                                        "more than one JSON value",
	} {
		_, err := call(raw)
		require.ErrorIs(t, err, ErrABI, raw)
		require.ErrorContains(t, err, says, raw)
	}
	_, err := loadFile(t, extismV2Path, Policy{Limits: Limits{OutputBytesMax: 20}}).
		Call(context.Background(), CallRequest{Tool: "echo", Arguments: []byte(`{"text":"much"}`)})
	require.ErrorIs(t, err, ErrOutput)
}

func TestExtismMethods(t *testing.T) {
	m := loadFile(t, extismV2Path, Policy{})
	require.Equal(t, []string{"resources/list", "resources/read", "prompts/list", "prompts/get", "completion/complete"}, m.Methods())
	for _, c := range []struct{ method, params, want string }{
		{"resources/list", ``, `{"resources":[{"uri":"test://one","name":"one"}]}`},
		{"resources/read", `{"uri":"test://one"}`, `{"contents":[{"uri":"test://one","text":"the first"}]}`},
		{"prompts/list", `{}`, `{"prompts":[{"name":"greet","arguments":[{"name":"who","required":true}]}]}`},
		{"prompts/get", `{"name":"greet","arguments":{"who":"Ada"}}`, `{"messages":[{"role":"user","content":{"type":"text","text":"Ada"}}]}`},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"who","value":"A"}}`, `{"completion":{"values":["Ada"],"hasMore":false}}`},
	} {
		var params []byte
		if c.params != "" {
			params = []byte(c.params)
		}
		out, err := m.Ask(context.Background(), AskRequest{Method: c.method, Params: params})
		require.NoError(t, err, c.method)
		require.JSONEq(t, c.want, string(out))
	}
	_, err := m.Ask(context.Background(), AskRequest{Method: "resources/read", Params: []byte(`{"uri":"test://two"}`)})
	var g *GuestError
	require.ErrorAs(t, err, &g)
	_, err = m.Ask(context.Background(), AskRequest{Method: "completion/complete", Params: []byte(`{"ref":{"type":"ref/resource"}}`)})
	require.ErrorContains(t, err, "it.completion.values[1] must be a string")
	require.Equal(t, uint64(7), m.Stats().Calls)
	require.Equal(t, uint64(1), m.Stats().Errors[classGuest])
	_, err = m.Ask(context.Background(), AskRequest{Method: "resources/templates/list"})
	require.ErrorIs(t, err, ErrInput)
	_, err = loadFile(t, extismV1Path, Policy{}).Ask(context.Background(), AskRequest{Method: "resources/list"})
	require.ErrorIs(t, err, ErrInput)
}

// What looks like Extism and is no tool is refused, with the reason.
func TestExtismRefusals(t *testing.T) {
	none := []api.ValueType{}
	for name, c := range map[string]struct {
		module func(*builder)
		says   string
	}{
		"no tool": {func(b *builder) {
			b.importFunction(moduleExtism, "input_length", none, []api.ValueType{i64})
		}, "neither list_tools and call_tool nor describe and call"},
		"a question to the client": {func(b *builder) {
			b.importFunction(moduleExtismUser, "create_message", []api.ValueType{i64}, []api.ValueType{i64})
		}, "extism:host/user.create_message, which the host does not offer"},
		"an unknown function": {func(b *builder) {
			b.importFunction(moduleExtism, "input_lenght", none, []api.ValueType{i64})
		}, "extism:host/env.input_lenght, which the host does not offer"},
		"another type": {func(b *builder) {
			b.importFunction(moduleExtism, "alloc", []api.ValueType{i32}, []api.ValueType{i32})
		}, "extism:host/env.alloc with another signature: the host's is alloc(i64) i64"},
		"an export of another type": {func(b *builder) {
			b.importFunction(moduleExtism, "input_length", none, []api.ValueType{i64})
			b.function("describe", none, []api.ValueType{i64}, i64Const(0)...)
			b.function("call", none, []api.ValueType{i32}, i32Const(0)...)
		}, "its export describe has another signature"},
		"a call of the host at the start": {func(b *builder) {
			f := b.importFunction(moduleExtism, "input_length", none, []api.ValueType{i64})
			b.function("describe", none, []api.ValueType{i32}, i32Const(0)...)
			b.function("call", none, []api.ValueType{i32}, i32Const(0)...)
			start := b.function("", none, none, append(appendU32([]byte{opCall}, f), opDrop)...)
			b.start = &start
		}, "describe returned 0 bytes that are no JSON"}, // the start is let pass
	} {
		b := &builder{}
		c.module(b)
		host := New(Options{})
		_, err := host.Load(context.Background(), "guest.wasm", b.bytes(), Policy{})
		require.ErrorIs(t, err, ErrABI, name)
		require.ErrorContains(t, err, c.says, name)
		require.NoError(t, host.Close(context.Background()))
	}
}

// loadLogged is loadFile with a logger.
func loadLogged(t *testing.T, path string, p Policy, logger *slog.Logger) *Module {
	t.Helper()
	module, err := os.ReadFile(path)
	require.NoError(t, err)
	return load(t, module, p, logger)
}

func TestExtismHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Said"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	granted := Policy{HTTP: []HTTPGrant{{Host: u.Host, Methods: []string{"GET", "POST"}, Private: true, Headers: []string{"X-Said"}}}}
	fetch := func(m *Module, args string) (Result, error) {
		return m.Call(context.Background(), CallRequest{Tool: "fetch", Arguments: []byte(args)})
	}

	m := loadFile(t, extismV2Path, granted)
	out, err := fetch(m, fmt.Sprintf(`{"request":{"url":"%s/a","method":"POST","headers":{"X-Said":"hi"},"other":1},"body":"12345678 and more"}`, server.URL))
	require.NoError(t, err)
	var got struct {
		Content           []struct{ Text string }
		StructuredContent struct {
			Status  int
			Headers map[string]string
		}
	}
	require.NoError(t, json.Unmarshal(out.MCP, &got))
	require.Equal(t, "POST /a 12345678 and more", got.Content[0].Text)
	require.Equal(t, http.StatusTeapot, got.StructuredContent.Status)
	require.Equal(t, "hi", got.StructuredContent.Headers["x-seen"])
	out, err = fetch(m, fmt.Sprintf(`{"request":{"url":%q}}`, server.URL))
	require.NoError(t, err)
	require.Contains(t, string(out.MCP), `"text":"GET / "`)

	for args, says := range map[string]string{
		fmt.Sprintf(`{"request":{"url":%q,"method":"DELETE"}}`, server.URL): "grant capabilities.http",
		`{"request":{"url":"http://192.0.2.1/"}}`:                           "grant capabilities.http",
	} {
		_, err = fetch(m, args)
		require.ErrorIs(t, err, ErrRefused, args)
		require.ErrorContains(t, err, says)
	}
	require.Equal(t, uint64(2), m.Stats().Refusals["http"])
	_, err = fetch(m, `{"request":[]}`)
	require.ErrorIs(t, err, ErrABI)
	_, err = fetch(loadFile(t, extismV2Path, Policy{}), fmt.Sprintf(`{"request":{"url":%q}}`, server.URL))
	require.ErrorIs(t, err, ErrRefused)
}

// A plug-in in AssemblyScript.
func TestExtismAssemblyScript(t *testing.T) {
	m := loadFile(t, "testdata/extism/plugin.wasm", Policy{})
	require.JSONEq(t, `{"content":[{"type":"text","text":"emit"}]}`, plugin(t, m, "reverse", `{"word":"time"}`))
	_, err := m.Call(context.Background(), CallRequest{Arguments: []byte(`{}`)})
	var g *GuestError
	require.ErrorAs(t, err, &g)
	require.Equal(t, "word is missing", g.Message)
}

// BenchmarkExtism is a warm call of an echo in C with 1 KB.
func BenchmarkExtism(b *testing.B) {
	m := loadFile(b, extismV2Path, Policy{})
	args := []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Call(context.Background(), CallRequest{Tool: "echo", Arguments: args}); err != nil {
			b.Fatal(err)
		}
	}
}
