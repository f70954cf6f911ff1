package sse_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/sse"
)

// patience bounds each wait; only a hang meets it.
const patience = 20 * time.Second

// dial opens a connection of its own.
func (e *endpoint) dial() *net.TCPConn {
	e.t.Helper()
	c, err := net.Dial("tcp", e.http.Listener.Addr().String())
	require.NoError(e.t, err)
	e.t.Cleanup(func() { c.Close() })
	require.NoError(e.t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

// raw sends bytes and returns the first answer; no status when there is none.
func (e *endpoint) raw(text string, end bool) (status int, body string) {
	e.t.Helper()
	c := e.dial()
	_, err := io.WriteString(c, text)
	require.NoError(e.t, err)
	if end {
		require.NoError(e.t, c.CloseWrite())
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	text2, _ := io.ReadAll(response.Body) // cut off, as it may be
	return response.StatusCode, string(text2)
}

func TestBodiesThatLie(t *testing.T) {
	e := serve(t, sse.Options{ReadTimeout: 100 * time.Millisecond})
	s := e.open(nil)
	head := "POST " + strings.TrimPrefix(s.at, e.http.URL) + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		name, text string
		end        bool
		status     int
	}{
		{"shorter than it says, then silence", head + "Content-Length: 100\r\n\r\n{", false, 408},
		{"shorter than it says, then the end", head + "Content-Length: 100\r\n\r\n{", true, 400},
		{"longer than it says", head + "Content-Length: 2\r\n\r\n{}{}{}{}", false, 202},
		{"longer than allowed, and says so", head + "Content-Length: 10001\r\n\r\n{", false, 413},
		{"longer than any, and says so", head + "Content-Length: 9223372036854775807\r\n\r\n{", false, 413},
		{"negative", head + "Content-Length: -1\r\n\r\n{}", false, 400},
		{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", false, 400},
		{"chunks that never end", head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", false, 408},
		{"chunks longer than allowed", head + "Transfer-Encoding: chunked\r\n\r\n2800\r\n" + strings.Repeat(" ", 0x2800), false, 413},
		{"a length and chunks", head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 202},
		{"refused, and its body never comes", strings.Replace(head, "json", "xml", 1) + "Content-Length: 100\r\n\r\n", false, 415},
	} {
		status, body := e.raw(c.text, c.end)
		assert.Equal(t, c.status, status, "%s: %s", c.name, body)
	}
	for _, code := range []string{"-32600", "-32700"} { // {} and nothing, which are no messages, were taken
		name, data := s.next()
		assert.Equal(t, "message", name)
		assert.Contains(t, data, code)
	}
	assert.Contains(t, e.ask(s, initialize), "2024-11-05", "the stream lives")
}

// A thousand connections that send half a request are closed, and keep nobody
// out meanwhile.
func TestHalfOpenConnections(t *testing.T) {
	e := serve(t, sse.Options{})
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
			fmt.Fprint(c, "GET /sse HT")
		}
	}
	response := e.send(http.MethodGet, "http://"+l.Addr().String()+"/sse", "", nil)
	assert.Equal(t, 200, response.StatusCode)
	response.Body.Close()
	for _, c := range half {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		if _, err := io.Copy(io.Discard, c); err != nil { // a 408, perhaps, and the end
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server still waits for it")
		}
		c.Close()
	}
	e.client.CloseIdleConnections()
	require.NoError(t, server.Close())
	<-served
}

// A client that opens a stream and never reads it loses it, and its calls end.
func TestClientThatNeverReads(t *testing.T) {
	e := serve(t, sse.Options{WriteTimeout: 50 * time.Millisecond})
	ended := make(chan error, 1)
	e.server.AddTool(mcp.Tool{Name: "flood"}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		for i := 0; ; i++ {
			if err := r.Call().Progress(ctx, &mcp.Progress{Progress: float64(i), Message: strings.Repeat("x", 100_000)}); err != nil {
				ended <- err
				return nil, err
			}
		}
	})
	s := e.open(nil)
	e.ask(s, initialize)
	e.send(http.MethodPost, s.at, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"flood","_meta":{"progressToken":1}}}`, nil)
	select {
	case err := <-ended:
		assert.Error(t, err)
	case <-time.After(patience):
		t.Fatal("the flood goes on")
	}
	require.Eventually(t, func() bool {
		return e.send(http.MethodPost, s.at, initialize, nil).StatusCode == 404
	}, patience, time.Millisecond, "the stream is gone")
}

// A stream whose client keeps it open ends with the client's credentials.
func TestStreamEndsWithItsCredentials(t *testing.T) {
	e := serve(t, sse.Options{})
	inner := e.http.Config.Handler
	e.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(httpguard.WithExpiry(r.Context(), time.Now().Add(50*time.Millisecond))))
	})
	s := e.open(nil)
	name, _ := s.next()
	assert.Empty(t, name)
	assert.NoError(t, s.lines.Err())
}
