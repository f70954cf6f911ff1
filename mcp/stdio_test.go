package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testClient is the client's end of a connection to a server under test. It is used
// inside a synctest bubble: synctest.Wait returns when the server has done all
// it can, and the bubble fails when a goroutine of the server outlives it.
type testClient struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *gatedWriter
	done chan error
	stop context.CancelFunc
}

func connect(t *testing.T, s *Server) *testClient {
	ctx, stop := context.WithCancel(t.Context())
	in, client := io.Pipe()
	p := &testClient{t: t, in: client, out: &gatedWriter{}, done: make(chan error, 1), stop: stop}
	go func() { p.done <- s.ServeStdio(ctx, in, p.out) }()
	t.Cleanup(stop)
	p.send(legacyInitialize)
	p.settle()
	p.out.take()
	return p
}

func (p *testClient) send(frames ...string) {
	_, err := io.WriteString(p.in, lines(frames...))
	require.NoError(p.t, err)
}

// settle waits until the server can do no more.
func (p *testClient) settle() { synctest.Wait() }

// answers settles and returns the frames that came since the last call.
func (p *testClient) answers() []string {
	p.settle()
	return p.out.take()
}

// end closes the server's input and returns ServeStdio's error.
func (p *testClient) end() error {
	p.in.Close()
	return <-p.done
}

// gatedWriter collects frames; while shut, writes block.
type gatedWriter struct {
	mu   sync.Mutex
	shut chan struct{} // nil when open
	data bytes.Buffer
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	shut := w.shut
	w.mu.Unlock()
	if shut != nil {
		<-shut
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.data.Write(p)
}

func (w *gatedWriter) close() { w.mu.Lock(); w.shut = make(chan struct{}); w.mu.Unlock() }
func (w *gatedWriter) open()  { w.mu.Lock(); close(w.shut); w.shut = nil; w.mu.Unlock() }

func (w *gatedWriter) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.TrimSuffix(w.data.String(), "\n")
	w.data.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func pong(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"result":{}}` }
func said(id, text string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"type":"text","text":"` + text + `"}]}}`
}

const ping = `{"jsonrpc":"2.0","id":"ping","method":"ping"}`

// waiter is a server with a tool "wait", which announces each call and then
// waits for its context or for release.
type waiter struct {
	*Server
	started chan string // the calls' arguments
	release chan struct{}
	ended   chan error // what the context said when a call ended
}

func newWaiter(o Options, t Tool) *waiter {
	w := &waiter{Server: NewServer(o), started: make(chan string, 1000), release: make(chan struct{}), ended: make(chan error, 1000)}
	t.Name = "wait"
	w.AddTool(t, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		w.started <- string(req.Arguments)
		select {
		case <-ctx.Done():
		case <-w.release:
		}
		w.ended <- ctx.Err()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return TextResult("released"), nil
	})
	return w
}

func TestEndOfInputDrainsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{MaxInFlight: 2}, Tool{})
		p := connect(t, w.Server)
		for i := range 5 { // two run, three wait
			p.send(call(i, "wait", "{}", false))
		}
		p.in.Close()
		p.settle()
		assert.Empty(t, p.done, "the server must wait for its calls")
		assert.Len(t, w.started, 2)
		close(w.release)
		require.NoError(t, <-p.done)
		assert.ElementsMatch(t, []string{said("0", "released"), said("1", "released"), said("2", "released"), said("3", "released"), said("4", "released")}, p.out.take())
	})
}

func TestSlowToolHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{}, Tool{})
		w.AddTool(Tool{Name: "echo"}, echo)
		p := connect(t, w.Server)
		p.send(call(1, "wait", "{}", false), ping, echoCall(2, "hi", false))
		assert.ElementsMatch(t, []string{pong(`"ping"`), said("2", "hi")}, p.answers())
		close(w.release)
		assert.Equal(t, []string{said("1", "released")}, p.answers())
		require.NoError(t, p.end())
	})
}

func TestCancel(t *testing.T) {
	for _, modern := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWaiter(Options{}, Tool{})
			p := connect(t, w.Server)
			p.send(call("a/b", "wait", "{}", modern), call(7, "wait", "{}", modern))
			p.settle()
			assert.Len(t, w.started, 2)
			// The same id, written another way.
			p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0061\/b"}}`)
			assert.Empty(t, p.answers(), "a cancelled call is not answered")
			assert.ErrorIs(t, <-w.ended, context.Canceled)
			p.send(cancelOf("7"), cancelOf(8)) // neither is the id 7
			p.settle()
			assert.Empty(t, w.ended)
			p.send(cancelOf(7))
			assert.Empty(t, p.answers())
			assert.ErrorIs(t, <-w.ended, context.Canceled)
			require.NoError(t, p.end())
			assert.Empty(t, p.out.take())
		})
	}
}

func TestCancelWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{MaxInFlight: 1}, Tool{})
		p := connect(t, w.Server)
		p.send(call(1, "wait", `{"n":1}`, false), call(2, "wait", `{"n":2}`, false), call(3, "wait", `{"n":3}`, false))
		p.send(cancelOf(2))
		p.settle()
		close(w.release)
		assert.Equal(t, []string{said("1", "released"), said("3", "released")}, p.answers())
		require.NoError(t, p.end())
		close(w.started)
		var ran []string
		for arguments := range w.started {
			ran = append(ran, arguments)
		}
		assert.Equal(t, []string{`{"n":1}`, `{"n":3}`}, ran, "a call cancelled in the queue never starts")
	})
}

func TestCancelAfterTheAnswerIsNoMistake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newFixture(false))
		p.send(echoCall(1, "x", false))
		assert.Equal(t, []string{said("1", "x")}, p.answers())
		p.send(cancelOf(1), echoCall(1, "y", false))
		assert.Equal(t, []string{said("1", "y")}, p.answers())
		require.NoError(t, p.end())
	})
}

func TestRepeatedIDInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{}, Tool{})
		p := connect(t, w.Server)
		p.send(call(1, "wait", "{}", false), call("1", "wait", "{}", false), call(1, "wait", "{}", false))
		assert.Equal(t, []string{`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"the id is that of a request still in flight"}}`}, p.answers())
		assert.Len(t, w.started, 2, `1 and "1" are two ids`)
		close(w.release)
		require.NoError(t, p.end())
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{MaxInFlight: 1}, Tool{})
		p := connect(t, w.Server)
		const total = 3 * queuedPerWorker
		sent := make(chan int, total)
		go func() {
			for i := range total {
				p.send(call(i, "wait", "{}", false))
				sent <- i
			}
		}()
		p.settle()
		assert.Less(t, len(sent), total, "a client that is too fast must be made to wait")
		close(w.release)
		p.settle()
		assert.Len(t, sent, total)
		assert.Len(t, p.answers(), total)
		require.NoError(t, p.end())
	})
}

func TestContextEndCancelsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{MaxInFlight: 1}, Tool{})
		p := connect(t, w.Server)
		p.send(call(1, "wait", "{}", false), call(2, "wait", "{}", false))
		p.settle()
		p.stop()
		assert.ErrorIs(t, <-p.done, context.Canceled)
		assert.ErrorIs(t, <-w.ended, context.Canceled, "the server returns after its handlers")
		assert.Len(t, w.started, 1)
		// The goroutine that was stuck in Read finds out, and handles nothing.
		p.send(ping)
		assert.Empty(t, p.answers())
	})
}

func TestContextEndFreesAReaderThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{MaxInFlight: 1}, Tool{})
		p := connect(t, w.Server)
		all := []string{ping}
		for i := range 2 * queuedPerWorker {
			all = append(all, call(i, "wait", "{}", false))
		}
		p.send(all...) // one write: the reader takes it all, then waits for room
		assert.Equal(t, []string{pong(`"ping"`)}, p.answers(), "what is ready does not wait too")
		p.stop()
		assert.ErrorIs(t, <-p.done, context.Canceled)
		p.in.Close()
	})
}

func TestClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{}, Tool{})
		p := connect(t, w.Server)
		p.out.close()
		p.send(call(1, "wait", "{}", false), ping, ping)
		close(w.release)
		p.settle()
		p.stop()
		assert.ErrorIs(t, <-p.done, context.Canceled, "a stuck write must not keep the server")
		p.out.open()
		p.in.Close()
	})
}

// Answers that wait for a slow client are bounded, in number of bytes.
func TestSlowClientIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{MaxInFlight: 4})
		big := strings.Repeat("x", pendingBytesMax/2)
		var made sync.WaitGroup
		s.AddTool(Tool{Name: "big"}, func(context.Context, *CallRequest) (*CallResult, error) {
			made.Done()
			return TextResult(big), nil
		})
		const total = 40
		made.Add(total)
		p := connect(t, s)
		p.out.close()
		for i := range total {
			p.send(call(i, "big", "{}", false))
		}
		p.settle()
		p.out.open()
		made.Wait()
		assert.Len(t, p.answers(), total)
		require.NoError(t, p.end())
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFailureOfOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken pipe")
		in, client := io.Pipe()
		done := make(chan error)
		go func() { done <- NewServer(Options{}).ServeStdio(t.Context(), in, failingWriter{broken}) }()
		_, err := io.WriteString(client, lines(ping))
		require.NoError(t, err)
		assert.ErrorIs(t, <-done, broken)
		client.Close()
	})
}

func TestFailureOfIn(t *testing.T) {
	broken := errors.New("lost")
	var out bytes.Buffer
	in := io.MultiReader(strings.NewReader(lines(ping)), iotest.ErrReader(broken))
	assert.ErrorIs(t, NewServer(Options{}).ServeStdio(t.Context(), in, &out), broken)
	assert.Equal(t, lines(pong(`"ping"`)), out.String())
}

func TestTimeout(t *testing.T) {
	for _, inline := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWaiter(Options{}, Tool{Timeout: 3 * time.Second, Inline: inline})
			p := connect(t, w.Server)
			before := time.Now()
			p.send(call(1, "wait", "{}", false))
			require.ErrorIs(t, <-w.ended, context.DeadlineExceeded)
			assert.Equal(t, 3*time.Second, time.Since(before), "by the bubble's clock")
			assert.Equal(t, []string{`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"tool wait ran longer than its 3s: context deadline exceeded"}],"isError":true}}`}, p.answers())
			require.NoError(t, p.end())
		})
	}
}

func TestPanicLeavesTheServerAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newFixture(false))
		p.send(call(1, "panic", "{}", false))
		assert.Equal(t, []string{`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"tool panic failed unexpectedly; the server's log has the details"}}`}, p.answers())
		p.send(echoCall(2, "x", false))
		assert.Equal(t, []string{said("2", "x")}, p.answers())
		require.NoError(t, p.end())
	})
}

// The arguments of a call on a worker are a copy: the reader may go on.
func TestWorkersKeepTheirArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{}, Tool{})
		p := connect(t, w.Server)
		p.send(call(1, "wait", `{"text":"first"}`, true))
		p.settle()
		p.send(strings.Repeat(" ", 200) + ping)
		p.settle()
		assert.Equal(t, `{"text":"first"}`, <-w.started)
		close(w.release)
		require.NoError(t, p.end())
	})
}

// Whatever the pieces in which input arrives, the answers are the same.
func TestPiecesOfInput(t *testing.T) {
	input := lines(legacyInitialize, "", echoCall(1, strings.Repeat("é", 500), false), "broken\r", ping+"\r") + ping
	var want string
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole":     func(r io.Reader) io.Reader { return r },
		"one byte":  iotest.OneByteReader,
		"half":      iotest.HalfReader,
		"data+EOF":  iotest.DataErrReader,
		"one+error": func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
	} {
		var out bytes.Buffer
		require.NoError(t, newFixture(true).ServeStdio(t.Context(), wrap(strings.NewReader(input)), &out), name)
		if want == "" {
			want = out.String()
			require.Equal(t, 5, strings.Count(want, "\n"), "%s", want)
		}
		assert.Equal(t, want, out.String(), name)
	}
}

func TestBatches(t *testing.T) {
	initialize := strings.Replace(legacyInitialize, VersionLegacy, batchVersion, 1)
	invalid := `{"jsonrpc":"2.0","error":{"code":-32600,"message":`
	for _, c := range []struct{ frame, want string }{
		{`[` + ping + `,{"jsonrpc":"2.0","method":"notifications/initialized"},` + echoCall("x", "hi", false) + `]`, `[` + pong(`"ping"`) + `,` + said(`"x"`, "hi") + `]`},
		{`[{"jsonrpc":"2.0","method":"notifications/initialized"} ]`, ``},
		{`[ ]`, invalid + `"a batch has at least one message"}}`},
		{`[7,[]]`, `[` + invalid + `"a JSON-RPC message is an object, not a number"}},` + invalid + `"a batch inside a batch is no message"}}]`},
		{`[` + legacyInitialize + `]`, `[{"jsonrpc":"2.0","id":0,"error":{"code":-32600,"message":"initialize and requests of 2026-07-28 do not come in a batch"}}]`},
		{`[` + echoCall(1, "x", true) + `]`, `[{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"initialize and requests of 2026-07-28 do not come in a batch"}}]`},
		{`[{"jsonrpc":"2.0","id":1,"result":{}}]`, ``},
		{`[` + ping, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"parse error at byte 46: the text ends inside an array"}}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, newFixture(false))
			p.send(initialize)
			p.answers()
			p.send(c.frame)
			got := strings.Join(p.answers(), "\n")
			assert.Equal(t, c.want, got, c.frame)
			if strings.HasPrefix(got, "[") {
				validateAnswer(t, c.frame, got)
			}
			require.NoError(t, p.end())
		})
	}
}

func TestCancelInsideABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter(Options{}, Tool{})
		p := connect(t, w.Server)
		p.send(strings.Replace(legacyInitialize, VersionLegacy, batchVersion, 1), call(1, "wait", "{}", false))
		p.settle()
		p.out.take()
		p.send(`[` + cancelOf(1) + `]`)
		assert.Empty(t, p.answers())
		assert.ErrorIs(t, <-w.ended, context.Canceled)
		require.NoError(t, p.end())
	})
}
