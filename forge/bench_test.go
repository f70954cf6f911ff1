package forge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
)

// The benchmarks of this file are run by make bench-forge, which holds them to the
// targets: its program names them.

type greeting struct {
	Name  string `json:"name"`
	Times int    `json:"times"`
}

type greeted struct {
	Text string `json:"text"`
}

func greet(_ context.Context, in greeting) (greeted, error) {
	return greeted{"Hello " + in.Name}, nil
}

func init() { Handle("bench::greet", greet) }

const (
	greetTool      = `{type: native, name: greet, handler: "bench::greet", params: {name: {type: string, required: true, min_length: 1, max_length: 100}, times: {type: integer, minimum: 1, maximum: 9}}`
	greetArguments = `{"name":"a name of thirty-two characters","times":3}`
)

// openedBench opens a file with these tools.
func openedBench(b *testing.B, text string) *Project {
	b.Helper()
	file := filepath.Join(b.TempDir(), "forge.yaml")
	require.NoError(b, os.WriteFile(file, []byte("forge: {name: bench}\n"+text), 0o600))
	p, err := Open(b.Context(), file, Options{Logger: slog.New(slog.NewJSONHandler(nowhere{}, nil))})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, p.Close()) })
	return p
}

// nowhere is an io.Writer that slog does not know for io.Discard, which it writes
// nothing to.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// requests yields calls, each with an id of its own, and then the end.
type requests struct {
	left, id int
	rest     []byte
	buffer   []byte
}

const initializeFrame = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}` + "\n"

// Read gives up to 64 of them at a time.
func (r *requests) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.buffer = r.buffer[:0]
		for range min(64, r.left) {
			r.id++
			r.buffer = append(strconv.AppendInt(append(r.buffer, `{"jsonrpc":"2.0","id":`...), int64(r.id), 10), `,"method":"tools/call","params":{"name":"greet","arguments":`+greetArguments+"}}\n"...)
			r.left--
		}
		r.rest = r.buffer
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// answers counts lines, and those that are what a greeting is answered with.
type answers struct{ lines, good int }

func (a *answers) Write(p []byte) (int, error) {
	a.lines += bytes.Count(p, []byte("\n"))
	a.good += bytes.Count(p, []byte(`"structuredContent":{"text":"Hello a name of thirty-two characters"}`))
	return len(p), nil
}

// BenchmarkPipelined is the whole server with a typed Go function: added to the bare
// core, and named by a file.
func BenchmarkPipelined(b *testing.B) {
	bare := mcp.NewServer(mcp.Options{Name: "bench"})
	b.Cleanup(bare.Close)
	mcp.AddTool(bare, mcp.Tool{Name: "greet"}, func(ctx context.Context, _ *mcp.CallRequest, in *greeting) (*greeted, error) {
		out, err := greet(ctx, *in)
		return &out, err
	})
	for _, c := range []struct {
		name   string
		server *mcp.Server
	}{{"bare", bare}, {"yaml", openedBench(b, "tools: ["+greetTool+"}]").Server()}} {
		b.Run(c.name, func(b *testing.B) {
			out := &answers{}
			in := io.MultiReader(strings.NewReader(initializeFrame), &requests{left: b.N})
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, c.server.ServeStdio(b.Context(), in, out))
			b.StopTimer()
			require.Equal(b, answers{b.N + 1, b.N}, *out)
		})
	}
}

// chainKeys are all kinds of middleware that every call goes through to its end.
const chainKeys = `, middleware: [
  {type: metrics}, {type: logging}, {type: ratelimit, requests: 1000000000}, {type: validation, required_fields: [name]},
  {type: recovery, error_tracking: {}, circuit_breaker: {}, retry: {}}, {type: timeout, timeout: 1m}, {type: bulkhead, max_queue: 4},
  {type: fallback, fallback: {value: {}}}%s]`

// dispatch calls a tool of a project, or h, with arguments that are checked.
func dispatch(b *testing.B, h mcp.Handler) {
	b.Helper()
	ctx, r := b.Context(), &mcp.CallRequest{Name: "greet", Arguments: []byte(greetArguments)}
	b.ReportAllocs()
	for b.Loop() {
		if result, err := h(ctx, r); err != nil || result.IsError {
			b.Fatal(result, err)
		}
	}
}

// BenchmarkDispatch is a call inside of the process, from the tool's name on: its
// arguments are held to the tool's schema, and counted. handler is one that answers at
// once; function decodes them for a Go function, and encodes what that returns.
func BenchmarkDispatch(b *testing.B) {
	p := openedBench(b, "tools: ["+greetTool+"}]")
	b.Run("function", func(b *testing.B) { dispatch(b, p.callTool) })
	done, g := mcp.TextResult("done"), p.current()
	h, err := g.complete("greet", p.Config().Tool("greet"), func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return done, nil })
	require.NoError(b, err)
	g.AddTool(mcp.Tool{Name: "at once"}, h)
	b.Run("handler", func(b *testing.B) {
		dispatch(b, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			r.Name = "at once"
			return p.callTool(ctx, r)
		})
	})
}

// BenchmarkChain is the same call with all middleware around it; cached answers it out
// of a cache inside of all the others.
func BenchmarkChain(b *testing.B) {
	for _, c := range []struct{ name, keys string }{
		{"none", ""}, {"full", fmt.Sprintf(chainKeys, "")}, {"cached", fmt.Sprintf(chainKeys, ", {type: cache, ttl: 1h}")},
	} {
		p := openedBench(b, "tools: ["+greetTool+c.keys+"}]")
		b.Run(c.name, func(b *testing.B) { dispatch(b, p.callTool) })
	}
}

// manyTools is a file of n tools of three kinds.
func manyTools(n int) string {
	var text strings.Builder
	text.WriteString("tools:\n")
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&text, "  - {type: native, name: tool_%d, description: Number %d, handler: 'bench::greet', params: {name: {type: string, required: true, max_length: %d}, times: integer}}\n", i, i, i+1)
		case 1:
			fmt.Fprintf(&text, "  - {type: http, name: tool_%d, description: Number %d, endpoint: 'https://api.example.org/%d/{{id}}', query: {q: '{{q}}'}, params: {id: string, q: {type: string, default: x}}}\n", i, i, i)
		default:
			fmt.Fprintf(&text, "  - {type: pipeline, name: tool_%d, description: Number %d, params: {name: string}, steps: [{tool: tool_%d, input: {name: '{{name}}', times: 1}}]}\n", i, i, i-2)
		}
	}
	return text.String()
}

// BenchmarkOpen reads, checks and makes 1,000 tools, and closes them.
func BenchmarkOpen(b *testing.B) {
	file := filepath.Join(b.TempDir(), "forge.yaml")
	require.NoError(b, os.WriteFile(file, []byte("forge: {name: bench}\n"+manyTools(1000)), 0o600))
	b.ReportAllocs()
	for b.Loop() {
		p, err := Open(b.Context(), file, Options{})
		require.NoError(b, err)
		require.NoError(b, p.Close())
	}
}

// length counts the bytes of an answer.
type length int

func (l *length) Write(p []byte) (int, error) {
	*l += length(len(p))
	return len(p), nil
}

// BenchmarkPage asks for a page of 1,000 tools.
func BenchmarkPage(b *testing.B) {
	p := openedBench(b, manyTools(1000))
	frame := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n")
	for b.Loop() {
		var out length
		if err := p.Server().ServeStdio(b.Context(), bytes.NewReader(frame), &out); err != nil || out < 100_000 {
			b.Fatal(out, err)
		}
	}
}

// BenchmarkHTTP is 64 callers of a local server: a client of package http that reads
// the whole answer, and an http tool of a file.
func BenchmarkHTTP(b *testing.B) {
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"ok":true,"text":"hello"}`))
	}))
	b.Cleanup(peer.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	p := openedBench(b, "tools: [{type: http, name: fetch, private: true, endpoint: '"+peer.URL+"/users/{{id}}', params: {id: integer}}]")
	bare := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, peer.URL+"/users/7", nil)
		if err != nil {
			return err
		}
		w, err := client.Do(r)
		if err != nil {
			return err
		}
		defer w.Body.Close()
		_, err = io.ReadAll(w.Body)
		return err
	}
	tool := func(ctx context.Context) error {
		result, err := p.callTool(ctx, &mcp.CallRequest{Name: "fetch", Arguments: []byte(`{"id":7}`)})
		if err == nil && string(result.Structured) != `{"ok":true,"text":"hello"}` {
			err = fmt.Errorf("it answered %s", result.Structured)
		}
		return err
	}
	for _, c := range []struct {
		name string
		do   func(context.Context) error
	}{{"bare", bare}, {"tool", tool}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.do(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
