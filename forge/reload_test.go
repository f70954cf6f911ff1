package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/mcp"
)

// sha256Module is a small module with one tool, sha256.
const sha256Module = "../guest/examples/c-sha256/sha256.wasm"

// waiting has the functions test::wait that run say so, and end when they are let.
var waiting = struct{ began, end chan struct{} }{make(chan struct{}), make(chan struct{})}

func init() {
	Handle("test::wait", func(ctx context.Context, _ struct{}) (string, error) {
		waiting.began <- struct{}{}
		<-waiting.end
		return "waited", nil
	})
	Handle("test::fail", func(context.Context, struct{}) (string, error) { return "", fmt.Errorf("it fails") })
}

// write puts a file into place as an editor does.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+"~", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+"~", path))
}

// opened is a project of a file in a folder of its own.
type opened struct {
	*Project
	t    *testing.T
	path string
}

func openText(t *testing.T, text string, o Options) *opened {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forge.yaml")
	write(t, path, text)
	o.CacheDir = filepath.Join(t.TempDir(), "cache")
	p, err := Open(t.Context(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.Close())
		require.Zero(t, p.draining.Load())
	})
	return &opened{p, t, path}
}

// ask sends one request and returns the answer.
func (p *opened) ask(method, params string) string {
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	return string(p.Server().NewExchange([]byte(frame)).Answer(context.Background(), mcp.VersionLegacy, nil))
}

func (p *opened) call(tool, args string) string {
	return p.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, args))
}

// become writes the file and reloads it.
func (p *opened) becomes(text string) *Diff {
	p.t.Helper()
	write(p.t, p.path, text)
	d, err := p.Reload(p.t.Context())
	require.NoError(p.t, err)
	return d
}

const head = "forge: {name: test}\n"

func TestReloadServesWhatTheFileSays(t *testing.T) {
	p := openText(t, head+"tools:\n- {type: native, name: sum, handler: {inline: a + b}, params: {a: integer, b: integer}}\n", Options{})
	require.Contains(t, p.call("sum", `{"a":1,"b":2}`), `"text":"3"`)
	d := p.becomes(head + "tools:\n- {type: native, name: sum, handler: {inline: a * b}, params: {a: integer, b: integer}}\n- {type: native, name: other, handler: 'ingot::echo'}\nprompts:\n- {name: greet, template: hi}\n")
	require.Equal(t, "~ tool sum: handler.inline changed\n+ tool other\n+ prompt greet", d.String())
	require.Contains(t, p.call("sum", `{"a":3,"b":2}`), `"text":"6"`)
	require.Contains(t, p.ask("prompts/get", `{"name":"greet"}`), `"text":"hi"`)
	require.Contains(t, p.ask("tools/list", `{}`), `"other"`)

	write(t, p.path, head+"tools:\n- {type: native, name: sum, handlr: x}\n")
	_, err := p.Reload(t.Context())
	require.ErrorContains(t, err, p.path+":3:29: ")
	require.ErrorContains(t, err, `did you mean "handler"?`)
	require.Contains(t, p.call("sum", `{"a":3,"b":2}`), `"text":"6"`, "what served before goes on")

	module, err := filepath.Abs(sha256Module)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"tools: [{type: cli, name: a, command: no-such-program-here}]":                               "is not there",
		"tools: [{type: native, name: a, handler: 'no::where'}]":                                     "no::where",
		"tools: [{type: wasm, module: none.wasm}]":                                                   "none.wasm",
		"tools: [{type: wasm, module: '" + module + "', sha256: '" + strings.Repeat("0", 64) + "'}]": "pin violated",
	} {
		write(t, p.path, head+text)
		_, err := p.Reload(t.Context())
		require.ErrorContains(t, err, want)
	}
	require.Contains(t, p.call("sum", `{"a":3,"b":2}`), `"text":"6"`)
	require.NoError(t, os.Remove(p.path))
	_, err = p.Reload(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)

	d = p.becomes(head + "tools:\n- {type: native, name: other, handler: 'ingot::echo'}\n")
	require.Equal(t, "- tool sum\n- prompt greet", d.String())
	require.Contains(t, p.call("sum", `{"a":3,"b":2}`), "Unknown tool: sum")
	require.NotContains(t, p.ask("tools/list", `{}`), `"sum"`)
	require.Contains(t, p.ask("prompts/get", `{"name":"greet"}`), "error")
}

// A call that was read before its tool was taken away, and begins after it, is answered.
func TestCallOfAToolThatIsGone(t *testing.T) {
	p := openText(t, head+"tools:\n- {type: native, name: a, handler: 'ingot::echo'}\n", Options{})
	_, err := p.callTool(t.Context(), &mcp.CallRequest{Name: "b"})
	require.ErrorContains(t, err, "Unknown tool: b")
	_, err = p.getPrompt(t.Context(), &mcp.PromptRequest{Name: "b"})
	require.ErrorContains(t, err, "Unknown prompt: b")
	_, err = p.readResource(t.Context(), &mcp.ReadRequest{URI: "x:b"})
	require.ErrorContains(t, err, "Unknown resource: x:b")
}

func TestCallsEndOnTheGenerationThatTheyBeganOn(t *testing.T) {
	p := openText(t, head+"tools:\n- {type: native, name: wait, handler: 'test::wait'}\n", Options{})
	ended := 0
	first := p.now.Load()
	first.closers = append(first.closers, func() { ended++ })
	answers := make(chan string)
	go func() { answers <- p.call("wait", "{}") }()
	<-waiting.began
	for i := range 5 {
		p.becomes(head + fmt.Sprintf("tools:\n- {type: native, name: v%d, handler: 'ingot::echo'}\n", i))
	}
	require.Eventually(t, func() bool { return p.draining.Load() == 1 }, time.Minute, time.Millisecond, "only what a call holds stays")
	require.Positive(t, first.holds.Load())
	waiting.end <- struct{}{}
	require.Contains(t, <-answers, `"text":"waited"`)
	require.Eventually(t, func() bool { return p.draining.Load() == 0 }, time.Minute, time.Millisecond)
	require.Equal(t, 1, ended)
}

// The memory of versions that calls hold on to is bounded.
func TestVersionsThatCallsHoldAreBounded(t *testing.T) {
	const text = head + "tools:\n- {type: native, name: wait, handler: 'test::wait', description: '%d'}\n"
	p := openText(t, fmt.Sprintf(text, 0), Options{})
	var calls sync.WaitGroup
	for i := range drainingMax {
		calls.Go(func() { p.call("wait", "{}") })
		<-waiting.began
		p.becomes(fmt.Sprintf(text, i+1))
	}
	_, err := p.Reload(t.Context())
	require.ErrorIs(t, err, errDraining)
	for range drainingMax {
		waiting.end <- struct{}{}
	}
	calls.Wait()
	require.Eventually(t, func() bool { return p.draining.Load() == 0 }, time.Minute, time.Millisecond)
	_, err = p.Reload(t.Context())
	require.NoError(t, err)
}

// Clients are told of a list when it reads otherwise, and only then, and once.
func TestClientsAreToldOfListsThatChanged(t *testing.T) {
	const first = head + "tools:\n- {type: native, name: a, handler: 'ingot::echo', timeout: 1s}\n- {type: native, name: b, handler: 'ingot::echo'}\nprompts:\n- {name: p, template: hi}\n"
	p := openText(t, first, Options{})
	in, send := io.Pipe()
	var out lockedBuffer
	done := make(chan error, 1)
	go func() { done <- p.Server().ServeStdio(t.Context(), in, &out) }()
	say := func(line string) { fmt.Fprintln(send, line) }
	say(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	id := 0
	told := func() string { // what came since the last time, an answer excepted
		id++
		mark := fmt.Sprintf(`"id":%d,`, id)
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, id))
		for !strings.Contains(out.String(), mark) {
			time.Sleep(time.Millisecond)
		}
		var methods []string
		for line := range strings.Lines(out.take()) {
			var message struct{ Method string }
			require.NoError(t, json.Unmarshal([]byte(line), &message))
			if message.Method != "" {
				methods = append(methods, message.Method)
			}
		}
		return strings.Join(methods, " ")
	}
	require.Empty(t, told())
	p.becomes(strings.Replace(first, "1s", "2s", 1))
	p.becomes(strings.Replace(first, "- {name: p, template: hi}", "- {name: p, template: ho}", 1))
	require.Empty(t, told())
	p.becomes(strings.NewReplacer("name: a,", "name: c,", "'ingot::echo'}", "'ingot::echo', description: new}").Replace(first))
	waitFor(t, func() bool { return strings.Contains(out.String(), "tools/list_changed") })
	require.Equal(t, "notifications/tools/list_changed", told())
	p.becomes(first + "- {name: q, template: hi}\n")
	waitFor(t, func() bool {
		return strings.Contains(out.String(), "prompts/list_changed") && strings.Contains(out.String(), "tools/list_changed")
	})
	require.Len(t, strings.Fields(told()), 2)
	send.Close()
	require.NoError(t, <-done)
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	require.Eventually(t, done, time.Minute, time.Millisecond)
}

// What middleware knows of a tool outlives a change of something else, and ends with a
// change of the tool, or of what it is made of.
func TestMiddlewareOverReloads(t *testing.T) {
	const text = head + `tools:
- {type: native, name: fails, handler: 'test::fail', middleware: [{type: circuit_breaker, failure_threshold: 1, timeout: 1h}]}
- {type: native, name: add, handler: {inline: n + 1}, params: {n: integer}}
- {type: pipeline, name: flow, params: {n: integer}, steps: [{tool: add, input: {n: "{{n}}"}}], middleware: [{type: cache, ttl: 1h}]}
`
	p := openText(t, text, Options{})
	require.Contains(t, p.call("fails", "{}"), "it fails")
	require.Contains(t, p.call("fails", "{}"), "left alone")
	require.Contains(t, p.call("flow", `{"n":1}`), `"text":"2"`)
	cached := p.now.Load().shared
	p.becomes(text + "- {type: native, name: other, handler: 'ingot::echo'}\n")
	require.Contains(t, p.call("fails", "{}"), "left alone", "the breaker is still open")
	require.Equal(t, cached.State(), p.State(), "and the cache is as full")
	p.becomes(strings.Replace(text, "n + 1", "n + 2", 1))
	require.Contains(t, p.call("flow", `{"n":1}`), `"text":"3"`, "what a step answers now")
	require.Contains(t, p.call("fails", "{}"), "left alone")
	p.becomes(strings.Replace(text, "failure_threshold: 1", "failure_threshold: 2", 1))
	require.Contains(t, p.call("fails", "{}"), "it fails")
}

// relabelled is the module with another name of its algorithm, of the same length.
func relabelled(t *testing.T, label string) string {
	t.Helper()
	module, err := os.ReadFile(sha256Module)
	require.NoError(t, err)
	require.Contains(t, string(module), `"sha-256"`)
	return strings.ReplaceAll(string(module), `"sha-256"`, `"`+label+`"`)
}

func TestModulesOverReloads(t *testing.T) {
	const text = head + `tools:
- {type: wasm, module: tool.wasm, middleware: [{type: cache, ttl: 1h}]%s}
- {type: native, name: a, handler: 'ingot::%s'}
`
	path := filepath.Join(t.TempDir(), "forge.yaml")
	module := filepath.Join(filepath.Dir(path), "tool.wasm")
	write(t, module, relabelled(t, "sha-256"))
	write(t, path, fmt.Sprintf(text, "", "echo"))
	var mu sync.Mutex
	var heard []string
	opening, err := Open(t.Context(), path, Options{CacheDir: t.TempDir(), WatchInterval: 2 * time.Millisecond, Reloaded: func(d *Diff, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			heard = append(heard, err.Error())
		case d.Any():
			heard = append(heard, d.String())
		}
	}})
	require.NoError(t, err)
	p := &opened{opening, t, path}
	defer func() { require.NoError(t, p.Close()) }()
	now := func() any { return p.now.Load().modules.Module(module) }
	first := now()
	require.NotNil(t, first)
	require.Contains(t, p.call("sha256", `{"text":"abc"}`), `"sha-256"`)
	p.becomes(fmt.Sprintf(text, "", "time"))
	require.Same(t, first, now(), "an unchanged module stays loaded")
	p.becomes(fmt.Sprintf(text, ", timeout: 7s", "time"))
	require.NotSame(t, first, now(), "with other grants it is another one")
	waitFor(t, func() bool { return p.draining.Load() == 0 })
	require.Len(t, p.host.Stats(), 1)

	write(t, path, fmt.Sprintf(text, ", timeout: 9s", "time")) // which nobody asked to read
	write(t, module, relabelled(t, "sha-999"))
	waitFor(t, func() bool { return strings.Contains(p.call("sha256", `{"text":"abc"}`), `"sha-999"`) })
	write(t, module, "no module")
	waitFor(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) > 1 })
	require.Contains(t, p.call("sha256", `{"text":"abc"}`), `"sha-999"`)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, "~ tool sha256: the module's file changed", heard[0])
	require.Contains(t, heard[1], "tool.wasm")
}

func TestTwoToolsOfOneName(t *testing.T) {
	p := openText(t, head+"tools:\n- {type: native, name: sha256, handler: 'ingot::echo'}\n", Options{})
	module, err := filepath.Abs(sha256Module)
	require.NoError(t, err)
	write(t, p.path, head+"tools:\n- {type: native, name: sha256, handler: 'ingot::echo'}\n- {type: wasm, module: '"+module+"'}\n")
	_, err = p.Reload(t.Context())
	require.ErrorContains(t, err, `two tools named "sha256"`)
	require.Contains(t, p.call("sha256", `{}`), `"text":"{}"`)
}

// Rules that name tools may refuse a reload as they may a start.
func TestCheckToolsMayRefuse(t *testing.T) {
	needsA := func(names []string) error {
		if names[0] != "a" {
			return fmt.Errorf("there is a rule for the tool a, and no such tool")
		}
		return nil
	}
	p := openText(t, head+"tools:\n- {type: native, name: a, handler: 'ingot::echo'}\n", Options{CheckTools: needsA})
	write(t, p.path, head+"tools:\n- {type: native, name: b, handler: 'ingot::echo'}\n")
	_, err := p.Reload(t.Context())
	require.ErrorContains(t, err, "there is a rule for the tool a")
	require.Contains(t, p.call("a", `{}`), `"text":"{}"`)
}

// What was opened once stays, and the diff says so until it is as it was.
func TestWhatTakesARestart(t *testing.T) {
	const tools = "tools:\n- {type: native, name: set, handler: 'state::set', params: {key: string, value: string}}\n- {type: native, name: get, handler: 'state::get', params: {key: string}}\n"
	p := openText(t, head+tools, Options{})
	p.call("set", `{"key":"a","value":"kept"}`)
	d := p.becomes("forge: {name: other, version: 2.0.0, description: d, transport: http, host: 127.0.0.2, port: 1}\nstate: {backend: file, path: ./data, ttl: 5s, max_size: 1MiB, options: {max_value: 1KiB}}\n" + tools)
	want := []string{"forge.name", "forge.version", "forge.description", "forge.transport", "forge.host", "forge.port", "state.backend", "state.path", "state.ttl", "state.max_size", "state.options"}
	for i, r := range d.Restart {
		require.Equal(t, want[i]+" takes effect at the next start", r)
	}
	require.Len(t, d.Restart, len(want))
	require.Contains(t, p.call("get", `{"key":"a"}`), "kept")
	_, err := os.Stat(filepath.Join(filepath.Dir(p.path), "data"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Empty(t, p.becomes(head+tools).Restart)
}

// No error of a reload shows a value of a variable.
func TestReloadShowsNoSecret(t *testing.T) {
	t.Setenv("INGOT_TEST_TOKEN", "s3cret-token")
	p := openText(t, head+"tools:\n- {type: cli, name: a, command: echo, args: [\"${INGOT_TEST_TOKEN}\"]}\n", Options{})
	d := p.becomes(head + "tools:\n- {type: cli, name: a, command: echo, args: [\"-x\", \"${INGOT_TEST_TOKEN}\"], env: {A: \"${INGOT_TEST_TOKEN}\"}}\n")
	require.Equal(t, "~ tool a: args changed, env added", d.String())
	write(t, p.path, head+"tools:\n- {type: cli, name: a, command: \"${INGOT_TEST_TOKEN}\"}\n")
	_, err := p.Reload(t.Context())
	require.ErrorContains(t, err, "is not there")
	require.NotContains(t, err.Error(), "s3cret")
}

func TestClosedProjects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "forge.yaml")
	write(t, path, head+"tools:\n- {type: native, name: a, handler: 'ingot::echo'}\n")
	p, err := Open(t.Context(), path, Options{})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	_, err = p.Reload(t.Context())
	require.ErrorContains(t, err, "closed")
	_, err = p.callTool(t.Context(), &mcp.CallRequest{Name: "a"})
	require.Error(t, err)
	require.Empty(t, p.ToolNames())
	require.Empty(t, p.State())
	require.Equal(t, &config.Config{}, p.Config())
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

// take empties it.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}
