package streamable_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// raw sends bytes over a connection of its own and returns what comes back
// until the server closes it or an answer has been read.
func (e *endpoint) raw(text string, end bool) (int, string) {
	e.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.http.URL, "http://"))
	require.NoError(e.t, err)
	defer c.Close()
	require.NoError(e.t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	require.NoError(e.t, err)
	if end {
		require.NoError(e.t, c.(*net.TCPConn).CloseWrite())
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	body, _ := io.ReadAll(response.Body) // cut off, as it may be
	return response.StatusCode, string(body)
}

const rawHead = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

func TestBodiesThatLie(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{ReadTimeout: 100 * time.Millisecond})
	for _, c := range []struct {
		name, text string
		end        bool
		status     int // 0: closed without an answer
	}{
		{"shorter than it says, then silence", rawHead + "Content-Length: 100\r\n\r\n{", false, 408},
		{"shorter than it says, then the end", rawHead + "Content-Length: 100\r\n\r\n{", true, 400},
		{"longer than it says", rawHead + "Content-Length: 2\r\n\r\n{}{}{}{}", false, 400},
		{"longer than allowed, and says so", rawHead + "Content-Length: 10001\r\n\r\n{", false, 413},
		{"longer than any, and says so", rawHead + "Content-Length: 9223372036854775807\r\n\r\n{", false, 413},
		{"no number", rawHead + "Content-Length: many\r\n\r\n{}", false, 400},
		{"negative", rawHead + "Content-Length: -1\r\n\r\n{}", false, 400},
		{"two lengths", rawHead + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", false, 400},
		{"chunks that never end", rawHead + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", false, 408},
		{"chunks longer than allowed", rawHead + "Transfer-Encoding: chunked\r\n\r\n2800\r\n" + strings.Repeat(" ", 0x2800), false, 413},
		{"a chunk of no length", rawHead + "Transfer-Encoding: chunked\r\n\r\nx\r\n{", false, 400},
		{"a length and chunks", rawHead + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 400},
		{"refused, and its body never comes", strings.Replace(rawHead, "json", "xml", 1) + "Content-Length: 100\r\n\r\n", false, 415},
		{"an unknown encoding", rawHead + "Transfer-Encoding: gzip\r\n\r\n{}", false, 501},
	} {
		status, body := e.raw(c.text, c.end)
		assert.Equal(t, c.status, status, "%s: %s", c.name, body)
	}
	status, body := e.post(legacyCall, nil)
	assert.Equal(t, 200, status, body)
}

// A thousand connections that send half a request are closed, and keep nobody
// out meanwhile.
func TestHalfOpenConnections(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	server := httpguard.NewServer(e.handler, slog.New(slog.DiscardHandler))
	server.ReadHeaderTimeout = 500 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(httpguard.Limit(l, httpguard.Connections{Max: 1100, MaxPerClient: 1})) }()
	var half []net.Conn
	for i := range 1000 {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		half = append(half, c)
		if i%2 == 0 {
			fmt.Fprint(c, "POST /mcp HT")
		}
	}
	response, err := e.client.Post("http://"+l.Addr().String()+"/mcp", "application/json", strings.NewReader(legacyCall))
	require.NoError(t, err)
	assert.Equal(t, 200, response.StatusCode)
	response.Body.Close()
	for _, c := range half {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		_, err := io.Copy(io.Discard, c) // a 408, perhaps, and the end
		if err != nil {
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server still waits for it")
		}
		c.Close()
	}
	e.client.CloseIdleConnections()
	require.NoError(t, server.Close())
	<-served
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
	receive(t, started)
	leave()
	receive(t, gone)
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
	ended := make(chan error, 2)
	e.tool("flood", func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
		for i := 0; ; i++ {
			if err := c.Progress(ctx, &mcp.Progress{Progress: float64(i), Message: strings.Repeat("x", 100_000)}); err != nil {
				ended <- err
				return nil, err
			}
		}
	})
	for _, session := range []bool{false, true} {
		if session {
			e.initialize("2025-11-25")
		}
		response := e.send(t.Context(), http.MethodPost, call("flood"), nil)
		assert.Equal(t, 200, response.StatusCode)
		assert.Error(t, receive(t, ended), "session: %v", session)
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
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // pools are emptied by the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
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
	held := int64(heap()) - int64(before)
	t.Logf("%d sessions hold %d bytes each, %.1f MB in all", sessions, held/sessions, float64(held)/1e6)
	assert.Less(t, held, int64(100e6))
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "an idle session has no goroutine")

	each(func(i int) { send(http.MethodDelete, ids[i], "") })
	ids = nil
	require.NoError(t, e.handler.Close(t.Context()))
	left := int64(heap()) - int64(before)
	t.Logf("%.1f MB are left", float64(left)/1e6)
	assert.Less(t, left, held/4)
}
