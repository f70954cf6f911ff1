package streamable_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// rawHead is that of a good request, but for its length and the empty line.
const rawHead = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

func TestBodiesThatLie(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{ReadTimeout: 100 * time.Millisecond})
	wiretest.LyingBodies(t, e.http.Listener.Addr().String(), rawHead, 400)
	status, body := e.post(legacyCall, nil)
	assert.Equal(t, 200, status, body)
}

func TestHalfOpenConnections(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	half := func(i int) string { return []string{"", "POST /mcp HT"}[i%2] }
	wiretest.HalfOpen(t, e.handler, half, func(address string) {
		response, err := e.client.Post("http://"+address+"/mcp", "application/json", strings.NewReader(legacyCall))
		require.NoError(t, err)
		assert.Equal(t, 200, response.StatusCode)
		response.Body.Close()
		e.client.CloseIdleConnections()
	})
}

// A handler that panics or ignores its context harms its own call only.
func TestBadHandlers(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	release := make(chan struct{})
	started := make(chan struct{}, 1)
	e.tool("panic", func(context.Context, *mcp.Call) (*mcp.CallResult, error) { panic("oh no") })
	e.tool("deaf", func(context.Context, *mcp.Call) (*mcp.CallResult, error) {
		started <- struct{}{}
		<-release
		return mcp.TextResult("late"), nil
	})
	for _, session := range []bool{false, true} {
		if session {
			e.initialize("2025-11-25")
		}
		status, body := e.post(call("panic"), nil)
		assert.Equal(t, 200, status)
		assert.Contains(t, body, "-32603")
		assert.NotContains(t, body, "oh no")
	}
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, err := e.trySend(ctx, http.MethodPost, call("deaf"), nil)
		assert.Error(t, err)
	}()
	wiretest.Receive(t, started)
	leave()
	wiretest.Receive(t, gone)
	status, _ := e.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, nil)
	assert.Equal(t, 202, status)
	assert.Equal(t, 204, e.send(t.Context(), http.MethodDelete, "", nil).StatusCode, "the session ends without it")
	delete(e.headers, "Mcp-Session-Id")
	status, _ = e.post(legacyCall, nil)
	assert.Equal(t, 200, status)
	closed, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	assert.ErrorIs(t, e.handler.Close(closed), context.DeadlineExceeded, "Close says that it still runs")
	close(release)
}

// A client that opens a stream and never reads it is cut off.
func TestClientThatNeverReads(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{WriteTimeout: 50 * time.Millisecond, ReplayBytes: 1 << 20})
	ended := wiretest.Flood(e.server)
	for _, session := range []bool{false, true} {
		if session {
			e.initialize("2025-11-25")
		}
		response := e.send(t.Context(), http.MethodPost, call("flood"), nil)
		assert.Equal(t, 200, response.StatusCode)
		assert.Error(t, wiretest.Receive(t, ended), "session: %v", session)
		response.Body.Close()
	}
}

// Ten thousand sessions whose clients do nothing cost little, and leave nothing.
func TestIdleSessionsAreCheap(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector multiplies the memory that is measured")
	}
	const sessions = 10_000
	e := serve(t, streamable.HTTPOptions{})
	before, goroutines := heap(), runtime.NumGoroutine()
	var mu sync.Mutex
	ids := make([]string, 0, sessions)
	send := func(method, id, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, request(t.Context(), method, body, headers{"Mcp-Session-Id": id}))
		return w
	}
	each := func(act func(i int)) {
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := worker; i < sessions; i += 4 {
					act(i)
				}
			})
		}
		all.Wait()
	}
	each(func(int) {
		w := send(http.MethodPost, "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
		id := w.Header().Get("Mcp-Session-Id")
		if send(http.MethodPost, id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`).Code != 202 || send(http.MethodPost, id, legacyCall).Code != 200 {
			t.Error("a session does not work")
		}
		mu.Lock()
		ids = append(ids, id)
		mu.Unlock()
	})
	held := heap() - before
	t.Logf("%d sessions hold %d bytes each, %.1f MB in all", sessions, held/sessions, float64(held)/1e6)
	assert.Less(t, held, int64(100e6))
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "an idle session has no goroutine")

	each(func(i int) { send(http.MethodDelete, ids[i], "") })
	ids = nil
	require.NoError(t, e.handler.Close(t.Context()))
	left := heap() - before
	t.Logf("%.1f MB are left", float64(left)/1e6)
	assert.Less(t, left, held/4)
}
