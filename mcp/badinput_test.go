package mcp

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Each test runs in a bubble, which ends only when all of its goroutines have, or
// looks for those that are left.

// A handler that ignores its context keeps its worker, and nothing else: the answer is
// dropped, the id may be used again, other calls go on, and the end waits for it.
func TestCancelledCallThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := NewServer(Options{MaxInFlight: 2})
		s.AddTool(Tool{Name: "deaf"}, func(context.Context, *CallRequest) (*CallResult, error) {
			<-release
			return TextResult("too late"), nil
		})
		s.AddTool(Tool{Name: "echo"}, echo)
		p := connect(t, s)
		p.send(call(1, "deaf", "{}", false))
		p.settle()
		p.send(cancelOf(1))
		p.settle()
		p.send(echoCall(1, "the id again", false), echoCall(2, "another", false))
		assert.Equal(t, []string{said("1", "the id again"), said("2", "another")}, p.answers())
		p.in.Close()
		p.settle()
		assert.Empty(t, p.done, "the server must wait for its handler")
		close(release)
		require.NoError(t, <-p.done)
		assert.Empty(t, p.out.take())
	})
}

// unending yields a byte over and over, then what comes after; it notes how much it
// was asked for at once.
type unending struct {
	left  int
	after io.Reader
	most  int
}

func (r *unending) Read(p []byte) (int, error) {
	r.most = max(r.most, len(p))
	if r.left == 0 {
		return r.after.Read(p)
	}
	n := min(len(p), r.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	r.left -= n
	return n, nil
}

// A line that does not end is not held: it is answered once, as soon as it is too
// long, and the server goes on with the next line, if there is one.
func TestLineThatNeverEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const limit = 1 << 20
	for _, after := range []string{"", "\n" + ping + "\n"} {
		in := &unending{left: 256 << 20, after: strings.NewReader(after)}
		var out strings.Builder
		require.NoError(t, NewServer(Options{MaxMessageBytes: limit}).ServeStdio(t.Context(), in, &out))
		want := `{"jsonrpc":"2.0","error":{"code":-32600,"message":"the message is longer than the limit of 1048576 bytes"}}` + "\n"
		if after != "" {
			want += pong(`"ping"`) + "\n"
		}
		assert.Equal(t, want, out.String())
		assert.LessOrEqual(t, in.most, limit+2, "the buffer")
	}
}

// A handler that panics, inline or on a worker, as a task or behind a resource: the
// request gets -32603, and the server lives.
func TestPanicsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(sealed(Options{}))
		crash := func(context.Context, *CallRequest) (*CallResult, error) { panic("a bug") }
		s.AddTool(Tool{Name: "inline", Inline: true}, crash)
		s.AddTool(Tool{Name: "pooled"}, crash)
		s.AddTool(Tool{Name: "task", Task: TaskOptional}, crash)
		s.AddTool(Tool{Name: "validated", Validate: func([]byte) error { panic("a bug") }}, echo)
		s.AddResource(Resource{URI: "a:b", Name: "a"}, func(context.Context, *ReadRequest) (*ReadResult, error) { panic("a bug") })
		s.AddPrompt(Prompt{Name: "p"}, func(context.Context, *PromptRequest) (*PromptResult, error) { panic("a bug") })
		p := connect(t, s)
		for _, frame := range []string{
			call(1, "inline", "{}", true), call(1, "pooled", "{}", true), call(1, "validated", "{}", false),
			call(1, "task", "{}", false), string(withTasks("tools/call", `"name":"task"`)),
			`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b"}}`,
			`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p"}}`,
		} {
			p.send(frame)
			answers := p.answers()
			require.Len(t, answers, 1, frame)
			assert.Contains(t, answers[0], `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"`, frame)
			assert.NotContains(t, answers[0], "a bug", "what went wrong is for the log")
		}
		p.send(ping)
		assert.Equal(t, []string{pong(`"ping"`)}, p.answers())
		require.NoError(t, p.end())
	})
}
