package streamable_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/streamable"
)

func TestSessionFromInitializeToDelete(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.initialize("2025-11-25")
	status, body := e.post(legacyCall, headers{"Mcp-Protocol-Version": "2025-11-25"})
	assert.Equal(t, 200, status)
	assert.Contains(t, body, said)
	status, _ = e.post(legacyCall, headers{"Mcp-Protocol-Version": "1999-01-01"})
	assert.Equal(t, 400, status)

	response := e.send(t.Context(), http.MethodDelete, "", nil)
	assert.Equal(t, 204, response.StatusCode)
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		response := e.send(t.Context(), method, legacyCall, nil)
		assert.Equal(t, 404, response.StatusCode, method)
	}
}

// A session is its owner's: with another principal it does not exist.
func TestSessionBelongsToItsPrincipal(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.headers["X-User"] = "alice"
	e.initialize("2025-06-18")
	for _, user := range []string{"mallory", ""} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			response := e.send(t.Context(), method, legacyCall, headers{"X-User": user})
			assert.Equal(t, 404, response.StatusCode, "%s as %q", method, user)
		}
	}
	status, _ := e.post(legacyCall, nil)
	assert.Equal(t, 200, status)
}

func TestSessionsAreBounded(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{MaxSessions: 1})
	e.initialize("2025-11-25")
	response := e.send(t.Context(), http.MethodPost, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`, nil)
	assert.Equal(t, 200, response.StatusCode, "an initialize in the session is the session's")
	delete(e.headers, "Mcp-Session-Id")
	response = e.send(t.Context(), http.MethodPost, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`, nil)
	assert.Equal(t, 503, response.StatusCode)
	assert.NotEmpty(t, response.Header.Get("Retry-After"))
	assert.Empty(t, response.Header.Get("Mcp-Session-Id"))
}

func TestIdleSessionEnds(t *testing.T) {
	const idle = 300 * time.Millisecond
	e := serve(t, streamable.HTTPOptions{SessionIdle: idle})
	e.initialize("2025-11-25")
	require.Eventually(t, func() bool {
		status, _ := e.post(legacyCall, nil)
		return status == 404
	}, wiretest.Patience, 2*idle, "asking keeps it alive, so it is asked more seldom")
}

func TestSessionWithAnOpenStreamIsNotIdle(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{SessionIdle: 300 * time.Millisecond, KeepAlive: 100 * time.Millisecond})
	e.initialize("2025-11-25")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	stream := e.events(e.send(ctx, http.MethodGet, "", nil))
	for comments := 0; comments < 10; { // four times as long as it may be idle
		ev, ok := stream.next()
		require.True(t, ok)
		if ev.comment != "" {
			comments++
		}
	}
	status, _ := e.post(legacyCall, nil)
	assert.Equal(t, 200, status)
}

// What belongs to no request comes through GET; a second one takes over.
func TestGetStream(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.initialize("2025-11-25")
	first := e.events(e.send(t.Context(), http.MethodGet, "", nil))
	prime := first.message()
	assert.Equal(t, event{id: "1-1", retry: "1000"}, prime)
	e.tool("late", nil)
	changed := first.message()
	assert.Equal(t, event{id: "1-2", name: "message", data: `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`}, changed)

	second := e.events(e.send(t.Context(), http.MethodGet, "", nil))
	second.message()
	first.end()
	e.tool("later", nil)
	assert.Contains(t, second.message().data, "list_changed")
}

func TestGetStreamIsResumed(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.initialize("2025-11-25")
	ctx, leave := context.WithCancel(t.Context())
	stream := e.events(e.send(ctx, http.MethodGet, "", nil))
	stream.message()
	e.tool("first", nil)
	seen := stream.message()
	e.tool("second", nil)
	lost := stream.message() // as if it had not arrived
	leave()

	resumed := e.events(e.send(t.Context(), http.MethodGet, "", headers{"Last-Event-ID": seen.id}))
	assert.Equal(t, lost, resumed.message(), "it is sent again")
	e.tool("third", nil)
	assert.Contains(t, resumed.message().data, "tools/list_changed", "and the stream goes on")
}

func TestBadLastEventID(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.initialize("2025-11-25")
	for _, id := range []string{"x", "1", "1-1", "-", "1-", "-1-1", "1--1", "99999999999999999999-1"} {
		response := e.send(t.Context(), http.MethodGet, "", headers{"Last-Event-ID": id})
		assert.Equal(t, 400, response.StatusCode, id)
	}
}

// What is sent before the answer makes the answer a stream, in both eras.
func TestPostIsAnsweredWithAStream(t *testing.T) {
	progress := func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
		return mcp.TextResult("done"), c.Progress(ctx, &mcp.Progress{Progress: 1})
	}
	for _, c := range []struct {
		name, version string
		ids           []string
	}{
		{"without a session", "", []string{"", ""}},
		{"2025-06-18, which has no empty events", "2025-06-18", []string{"1-1", "1-2"}},
		{"2025-11-25", "2025-11-25", []string{"1-1", "1-2", "1-3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := serve(t, streamable.HTTPOptions{})
			e.tool("progress", progress)
			if c.version != "" {
				e.initialize(c.version)
			}
			stream := e.events(e.send(t.Context(), http.MethodPost, call("progress"), nil))
			var got []event
			for range c.ids {
				got = append(got, stream.message())
			}
			stream.end()
			for i, id := range c.ids {
				assert.Equal(t, id, got[i].id)
			}
			assert.Contains(t, got[len(got)-2].data, `"progress":1`)
			assert.Contains(t, got[len(got)-1].data, `"id":1,"result"`)
		})
	}
	e := serve(t, streamable.HTTPOptions{})
	e.tool("progress", progress)
	status, body := e.post(call("progress"), headers{"Accept": "application/json"})
	assert.Equal(t, 200, status)
	assert.True(t, strings.HasPrefix(body, `{"jsonrpc":"2.0","id":1,"result"`), "a client that takes no stream gets the answer: %s", body)
}

// A legacy client is asked on the stream of its call and answers by a POST.
func TestQuestionToALegacyClient(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{MaxConcurrent: 1})
	e.tool("ask", func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
		answer, err := c.Elicit(ctx, &mcp.ElicitParams{Message: "sure?"})
		if err != nil {
			return nil, err
		}
		return mcp.TextResult(fmt.Sprint(answer.Action)), nil
	})
	e.initialize("2025-11-25")
	stream := e.events(e.send(t.Context(), http.MethodPost, call("ask"), nil))
	stream.message()
	question := stream.message()
	require.Contains(t, question.data, `"method":"elicitation/create"`)
	status, body := e.post(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{}}}`, nil)
	assert.Equal(t, 202, status, body)
	assert.Contains(t, stream.message().data, `"text":"accept"`)
	stream.end()
}

// A call outlives its connection: the client comes back for what it missed.
func TestCallIsResumed(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	left, go_on := make(chan struct{}), make(chan struct{})
	e.tool("long", func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
		for i := range 3 {
			if i == 1 {
				<-left
			}
			if err := c.Progress(ctx, &mcp.Progress{Progress: float64(i)}); err != nil {
				return nil, err
			}
		}
		<-go_on
		return mcp.TextResult("here"), nil
	})
	e.initialize("2025-11-25")
	ctx, leave := context.WithCancel(t.Context())
	stream := e.events(e.send(ctx, http.MethodPost, call("long"), nil))
	stream.message()
	seen := stream.message()
	leave()
	close(left)
	resumed := e.events(e.send(t.Context(), http.MethodGet, "", headers{"Last-Event-ID": seen.id}))
	assert.Contains(t, resumed.message().data, `"progress":1`)
	last := resumed.message()
	assert.Contains(t, last.data, `"progress":2`)
	close(go_on)
	answer := resumed.message()
	assert.Contains(t, answer.data, `"text":"here"`)
	resumed.end()

	again := e.events(e.send(t.Context(), http.MethodGet, "", headers{"Last-Event-ID": last.id}))
	assert.Equal(t, answer, again.message(), "the answer is held for a while")
	again.end()
	status, body := e.post(call("echo"), nil)
	assert.Equal(t, 200, status, body)
}

// A handler may have the connection closed; the client polls (SEP-1699).
func TestInterruptedCallIsPolled(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{Retry: 10 * time.Millisecond})
	go_on := make(chan struct{})
	e.tool("poll", func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
		err := c.Interrupt(ctx)
		<-go_on
		return mcp.TextResult("polled"), err
	})
	e.initialize("2025-11-25")
	stream := e.events(e.send(t.Context(), http.MethodPost, call("poll"), nil))
	prime := stream.message()
	assert.Equal(t, event{id: "1-1", retry: "10"}, prime)
	assert.Equal(t, "10", stream.message().retry)
	stream.end()
	close(go_on)
	resumed := e.events(e.send(t.Context(), http.MethodGet, "", headers{"Last-Event-ID": prime.id}))
	assert.Contains(t, resumed.message().data, `"text":"polled"`)
	resumed.end()
}

// Disconnecting cancels no legacy call that has a session; the client says so.
func TestLegacyCallIsCancelledByNotification(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	ended := make(chan error, 1)
	started := make(chan struct{})
	e.tool("wait", func(ctx context.Context, _ *mcp.Call) (*mcp.CallResult, error) {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	e.initialize("2025-11-25")
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := e.trySend(ctx, http.MethodPost, call("wait"), nil)
		gone <- err
	}()
	wiretest.Receive(t, started)
	leave()
	require.Error(t, wiretest.Receive(t, gone))
	select {
	case <-ended:
		t.Error("the disconnect cancelled it")
	default:
	}
	status, _ := e.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, nil)
	assert.Equal(t, 202, status)
	assert.ErrorIs(t, wiretest.Receive(t, ended), context.Canceled)
}

func TestDeleteCancelsCalls(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	started, ended := make(chan struct{}), make(chan struct{})
	e.tool("wait", func(ctx context.Context, _ *mcp.Call) (*mcp.CallResult, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	e.initialize("2025-11-25")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if response, err := e.trySend(t.Context(), http.MethodPost, call("wait"), nil); assert.NoError(t, err) {
			response.Body.Close()
		}
	}()
	wiretest.Receive(t, started)
	response := e.send(t.Context(), http.MethodDelete, "", nil)
	assert.Equal(t, 204, response.StatusCode)
	wiretest.Receive(t, ended)
	wiretest.Receive(t, answered)
}

func TestCallsOfASessionAreBounded(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{MaxPerSession: 1})
	started, go_on := make(chan struct{}), make(chan struct{})
	e.tool("wait", func(context.Context, *mcp.Call) (*mcp.CallResult, error) {
		close(started)
		<-go_on
		return mcp.TextResult(""), nil
	})
	e.initialize("2025-11-25")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if response, err := e.trySend(t.Context(), http.MethodPost, call("wait"), nil); assert.NoError(t, err) {
			response.Body.Close()
		}
	}()
	wiretest.Receive(t, started)
	status, body := e.post(strings.Replace(legacyCall, `"id":1`, `"id":2`, 1), nil)
	assert.Equal(t, 429, status, body)
	close(go_on)
	wiretest.Receive(t, answered)
}

// A client that went away for good is given up when its events are too many.
func TestReplayIsBounded(t *testing.T) {
	for name, o := range map[string]streamable.HTTPOptions{
		"of a stream": {ReplayBytes: 10_000},
		"in all":      {ReplayBytesTotal: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, o)
			left, failed := make(chan struct{}), make(chan error, 1)
			e.tool("flood", func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
				for i := 0; ; i++ {
					if err := c.Progress(ctx, &mcp.Progress{Progress: float64(i), Message: strings.Repeat("x", 100)}); err != nil {
						failed <- err
						return nil, err
					}
					if i == 0 {
						<-left
					}
				}
			})
			e.initialize("2025-11-25")
			ctx, leave := context.WithCancel(t.Context())
			stream := e.events(e.send(ctx, http.MethodPost, call("flood"), nil))
			stream.message()
			seen := stream.message()
			leave()
			close(left)
			assert.ErrorContains(t, wiretest.Receive(t, failed), "no more events are held")
			response := e.send(t.Context(), http.MethodGet, "", headers{"Last-Event-ID": seen.id})
			assert.Equal(t, 400, response.StatusCode)
		})
	}
}

func TestStreamsAreBounded(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{MaxStreams: 1})
	e.initialize("2025-11-25")
	stream := e.events(e.send(t.Context(), http.MethodGet, "", nil))
	stream.message()
	response := e.send(t.Context(), http.MethodGet, "", nil)
	assert.Equal(t, 503, response.StatusCode)
}

func TestDrainEndsStreams(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.initialize("2025-11-25")
	stream := e.events(e.send(t.Context(), http.MethodGet, "", nil))
	stream.message()
	e.handler.Drain()
	stream.end()
	response := e.send(t.Context(), http.MethodGet, "", nil)
	assert.Equal(t, 503, response.StatusCode)
	status, _ := e.post(legacyCall, nil)
	assert.Equal(t, 200, status, "calls go on")
}
