package mcp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp/seal"
)

// recorder is a Stream that keeps what it is sent. It fails the test when two
// goroutines send at once.
type recorder struct {
	mu     sync.Mutex
	frames []string
	fail   error
	busy   bool
	stuck  bool // Send waits for its context
	broken int  // times that it was interrupted
}

func (r *recorder) Send(ctx context.Context, frame []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		panic("two goroutines send at once")
	}
	if r.stuck {
		r.busy = true
		r.mu.Unlock()
		<-ctx.Done()
		r.mu.Lock()
		r.busy = false
		return ctx.Err()
	}
	r.frames = append(r.frames, string(frame))
	return r.fail
}

func (r *recorder) Interrupt(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken++
	return nil
}

func (r *recorder) take() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	frames := r.frames
	r.frames = nil
	return frames
}

func legacySession(t *testing.T, s *Server) *Session {
	session := s.NewSession(SessionOptions{Principal: "ada"})
	initialize := session.NewExchange([]byte(strings.Replace(legacyInitialize, `"capabilities":{}`, `"capabilities":{"elicitation":{},"roots":{}}`, 1)))
	require.True(t, initialize.Initialize)
	initialize.Answer(t.Context(), "", nil)
	require.Equal(t, VersionLegacy, session.Version())
	session.NewExchange([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)).Answer(t.Context(), "", nil)
	return session
}

// Over a session, a call's messages go to its own stream, the client's answer
// comes as another exchange, and so does a cancellation.
func TestSessionOfExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		session := legacySession(t, s.Server)
		defer session.Close()
		ask := session.NewExchange([]byte(call(1, "ask_name", "{}", false)))
		out := &recorder{}
		ask.Stream = out
		answered := make(chan string)
		go func() { answered <- string(ask.Answer(t.Context(), "", nil)) }()
		assert.Equal(t, []string{`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"requestedSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]},"message":"Who are you?"}}`}, out.take())
		twin := session.NewExchange([]byte(call(1, "echo", "{}", false)))
		assert.Contains(t, string(twin.Answer(t.Context(), "", nil)), "still in flight")
		reply := session.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}`))
		require.True(t, reply.NoAnswer)
		assert.Empty(t, reply.Answer(t.Context(), "", nil))
		assert.Equal(t, said("1", "decline "), <-answered)

		wait := session.NewExchange([]byte(call(2, "wait", "{}", false)))
		go func() { answered <- string(wait.Answer(t.Context(), "", nil)) }()
		synctest.Wait()
		session.NewExchange([]byte(cancelOf(2))).Answer(t.Context(), "", nil)
		assert.Empty(t, <-answered)
	})
}

func TestCloseOfASessionEndsItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		session := legacySession(t, s.Server)
		ended := make(chan string)
		for id, tool := range []string{"wait", "ask_name"} {
			e := session.NewExchange([]byte(call(id, tool, "{}", false)))
			e.Stream = &recorder{}
			go func() { ended <- string(e.Answer(t.Context(), "", nil)) }()
		}
		attached := make(chan error)
		go func() { attached <- session.Attach(t.Context(), &recorder{}) }()
		synctest.Wait()
		go session.Close()
		assert.Empty(t, <-ended)
		assert.Empty(t, <-ended)
		assert.ErrorIs(t, <-attached, ErrClosed)
		late := session.NewExchange([]byte(call(9, "echo", "{}", false)))
		assert.Contains(t, string(late.Answer(t.Context(), "", nil)), "the session is closed")
	})
}

// What changes while a session's client has no stream open is told when it
// opens one; a second stream takes over from the first.
func TestAttach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		session := legacySession(t, s.Server)
		defer session.Close()
		session.NewExchange([]byte(`{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"test://text"}}`)).Answer(t.Context(), "", nil)
		s.ResourceUpdated("test://text")
		s.AddTool(Tool{Name: "late"}, echo)
		first, second := &recorder{}, &recorder{}
		ended := make(chan error)
		go func() { ended <- session.Attach(t.Context(), first) }()
		assert.Equal(t, []string{`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://text"}}`}, first.take())
		ctx, leave := context.WithCancel(t.Context())
		go func() { ended <- session.Attach(ctx, second) }()
		assert.ErrorIs(t, <-ended, errReplaced)
		s.RemoveTool("late")
		assert.Empty(t, first.take())
		assert.Len(t, second.take(), 1)
		leave()
		assert.ErrorIs(t, <-ended, context.Canceled)

		broken := &recorder{fail: errors.New("reset by peer")}
		go func() { ended <- session.Attach(t.Context(), broken) }()
		s.ResourceUpdated("test://text")
		assert.ErrorContains(t, <-ended, "reset by peer")
	})
}

func TestListenOverAnExchange(t *testing.T) {
	const frame = `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + modernMeta + `}}`
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		listen := func(ctx context.Context, out Stream) chan string {
			e := s.NewExchange([]byte(frame))
			e.Stream = out
			answered := make(chan string, 1)
			go func() { answered <- string(e.Answer(ctx, "", nil)) }()
			return answered
		}
		leaver, stayer := &recorder{}, &recorder{}
		ctx, leave := context.WithCancel(t.Context())
		left, stayed := listen(ctx, leaver), listen(t.Context(), stayer)
		assert.Len(t, leaver.take(), 1, "the acknowledgment")
		assert.Len(t, stayer.take(), 1)
		s.AddTool(Tool{Name: "new"}, echo)
		assert.Len(t, leaver.take(), 1)
		assert.Len(t, stayer.take(), 1)
		leave()
		assert.Empty(t, <-left)
		s.RemoveTool("new")
		assert.Empty(t, leaver.take())
		assert.Equal(t, []string{`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7}}}`}, stayer.take())
		s.Shutdown()
		assert.Equal(t, `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":7}}}`, <-stayed)

		assert.Empty(t, <-listen(t.Context(), &recorder{fail: errors.New("gone")}))
		none := s.NewExchange([]byte(frame))
		assert.Contains(t, string(none.Answer(t.Context(), "", nil)), "needs a transport with a stream")
	})
}

// Without a stream, what belongs to a call is dropped, and a legacy client
// cannot be asked.
func TestExchangeWithoutAStream(t *testing.T) {
	s := newStage()
	session := legacySession(t, s.Server)
	defer session.Close()
	answer := func(frame string) string {
		return string(session.NewExchange([]byte(frame)).Answer(t.Context(), "", nil))
	}
	assert.Equal(t, said("1", "done"), answer(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"steps","_meta":{"progressToken":1}}}`))
	assert.Equal(t, said("2", "said"), answer(call(2, "talk", "{}", false)))
	assert.Contains(t, answer(call(3, "ask_name", "{}", false)), ErrNoStream.Error())
}

func TestInterrupt(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "pause"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		return nil, req.Call().Interrupt(ctx)
	})
	out := &recorder{}
	e := s.NewExchange([]byte(call(1, "pause", "{}", true)))
	e.Stream = out
	e.Answer(t.Context(), "", nil)
	assert.Equal(t, 1, out.broken)
}

// A request state is good for the principal it was made for.
func TestRequestStateBelongsToItsPrincipal(t *testing.T) {
	s := newStage()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`
	ask := func(principal, more string) string {
		e := s.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask_name",` + more + meta + `}}`))
		e.Principal = principal
		return string(e.Answer(t.Context(), "", nil))
	}
	state := statePattern.FindStringSubmatch(ask("ada", ""))
	require.NotNil(t, state)
	retry := `"inputResponses":{"question-1":{"action":"cancel"}},"requestState":"` + state[1] + `",`
	assert.Contains(t, ask("ada", retry), `"text":"cancel "`)
	assert.Contains(t, ask("eve", retry), "not made by this server for this client")
	other := newStage()
	s = other
	assert.Contains(t, ask("ada", retry), "not made by this server for this client", "another server's key")
}

func TestServersWithOneStateKeyStandInForEachOther(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	assert.Panics(t, func() { NewServer(Options{StateKey: key[1:]}) })
	assert.Panics(t, func() { NewServer(Options{StateKey: key, Sealer: seal.New(nil)}) }, "which of the two?")
	ask := func(more string) string {
		s := NewServer(sealed(Options{StateKey: key}))
		s.AddTool(Tool{Name: "ask"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			r, err := req.Call().Elicit(ctx, &ElicitParams{Message: "Sure?"})
			if err != nil {
				return nil, err
			}
			return TextResult(string(r.Action)), nil
		})
		return string(s.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask",`+more+
			`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`)).Answer(t.Context(), "", nil))
	}
	state := statePattern.FindStringSubmatch(ask(""))
	require.NotNil(t, state)
	assert.Contains(t, ask(`"inputResponses":{"question-1":{"action":"accept"}},"requestState":"`+state[1]+`",`), `"text":"accept"`)
}

// A Conn over a Stream answers, and ends when the stream fails.
func TestConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		out := &recorder{}
		c := s.Connect(t.Context(), out, ConnOptions{})
		c.Receive([]byte(strings.ReplaceAll(legacyInitialize, ",", ",\n")))
		c.Receive([]byte(call(1, "echo", `{"message":"x"}`, false)))
		c.Receive([]byte("{"))
		c.RefuseTooLong()
		frames := out.take()
		require.Len(t, frames, 4)
		assert.Contains(t, strings.Join(frames, "\n"), said("1", "x"))
		assert.Contains(t, strings.Join(frames, "\n"), "longer than the limit")
		c.Receive([]byte(call(2, "wait", "{}", false)))
		drained := make(chan struct{})
		go func() { c.Drain(); close(drained) }()
		synctest.Wait()
		require.NoError(t, c.Err())
		out.mu.Lock()
		out.fail = errors.New("reset by peer")
		out.mu.Unlock()
		c.Receive([]byte(ping))
		<-c.Done()
		assert.ErrorContains(t, c.Err(), "reset by peer")
		<-drained
		c.Close()
		c.Receive([]byte(ping))
		out.take()
	})
}

// A client that never reads holds nobody up when its connection is closed.
func TestCloseWithAStreamThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{})
		s.AddTool(Tool{Name: "flood"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			call := req.Call()
			for {
				if err := call.Log(ctx, &LogMessage{Level: LogError, Data: strings.Repeat("x", 10_000)}); err != nil {
					return nil, err
				}
			}
		})
		out := &recorder{}
		c := s.Connect(t.Context(), out, ConnOptions{})
		c.Receive([]byte(legacyInitialize))
		out.mu.Lock()
		out.stuck = true
		out.mu.Unlock()
		c.Receive([]byte(call(1, "flood", "{}", false)))
		synctest.Wait()
		c.out.mu.Lock()
		assert.LessOrEqual(t, len(c.out.pending), pendingBytesMax+20_000)
		c.out.mu.Unlock()
		c.Close()
	})
}

// A question that waits when the client's input ends fails: nobody can answer.
func TestEndOfInputEndsQuestions(t *testing.T) {
	var out bytes.Buffer
	initialize := strings.Replace(legacyInitialize, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1)
	require.NoError(t, newStage().ServeStdio(t.Context(), strings.NewReader(lines(initialize, call(1, "ask_name", "{}", false))), &out))
	assert.Contains(t, out.String(), `"id":1,"result":{"content":[{"type":"text","text":"asking elicitation/create: mcp: the call is over"}],"isError":true}`)
}

// A tool that is slow, though it is said to be inline, holds up others a few
// times and then no more; one that is slow now and then stays inline.
func TestSlowInlineToolIsTakenOffTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{})
		s.AddTool(Tool{Name: "echo", Inline: true}, echo)
		s.AddTool(Tool{Name: "nap", Inline: true}, func(context.Context, *CallRequest) (*CallResult, error) {
			time.Sleep(2 * inlineSlow)
			return nil, nil
		})
		calls := 0
		s.AddTool(Tool{Name: "hiccup", Inline: true}, func(context.Context, *CallRequest) (*CallResult, error) {
			if calls++; calls%10 == 0 {
				time.Sleep(2 * inlineSlow)
			}
			return nil, nil
		})
		out := &recorder{}
		c := s.Connect(t.Context(), out, ConnOptions{})
		defer c.Close()
		c.Receive([]byte(legacyInitialize))
		for id := range 200 {
			c.Receive([]byte(call(id, "hiccup", "{}", false)))
		}
		assert.False(t, s.offers().tools.byKey["hiccup"].demoted.Load())
		for id := range 4 { // the first is not timed itself
			c.Receive([]byte(call(id, "nap", "{}", false)))
		}
		out.take()
		begun := time.Now()
		c.Receive([]byte(call(5, "nap", "{}", false)))
		c.Receive([]byte(ping))
		assert.Zero(t, time.Since(begun), "nothing waits for the slow tool")
		assert.Equal(t, []string{pong(`"ping"`)}, out.take())
		c.Drain()
	})
}
