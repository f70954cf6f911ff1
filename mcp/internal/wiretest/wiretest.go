// Package wiretest does to a server, below HTTP and MCP, what a broken or hostile
// client does: it is what the tests of the transports have in common.
//
// [Ask] sends bytes as they are, [LyingBodies] requests whose bodies are not what
// their heads say, [HalfOpen] a thousand connections that stop in the middle, and
// [Flood] adds a tool whose call ends only when its client is cut off.
//
//	wiretest.HalfOpen(t, handler, func(int) string { return "GET /sse HT" }, func(address string) {
//		// a good client calls the server at address
//	})
//
// # Caveats
//
// It fails the test that calls it; nothing of it is for use outside of tests.
package wiretest

import (
	"bufio"
	"context"
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
)

// Patience bounds each wait; only a hang meets it.
const Patience = 20 * time.Second

// Dial opens a connection to address (host:port) and sends text. It is closed
// with the test, and its reads and writes fail after [Patience].
func Dial(t testing.TB, address, text string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(Patience)))
	_, err = io.WriteString(c, text)
	require.NoError(t, err)
	return c.(*net.TCPConn)
}

// Ask sends text over a connection of its own, and the end of what the client
// has to say if end is set. It returns the first answer, as much as comes; the
// status is 0 when there is none.
func Ask(t testing.TB, address, text string, end bool) (status int, body string) {
	t.Helper()
	c := Dial(t, address, text)
	defer c.Close()
	if end {
		require.NoError(t, c.CloseWrite())
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	read, _ := io.ReadAll(response.Body) // cut off, as it may be
	return response.StatusCode, string(read)
}

// LyingBodies posts bodies that are not what their heads say to a server whose
// ReadTimeout is short and whose messages have 10,000 bytes at most. head is that
// of a good request with Content-Type: application/json, without a length and the
// empty line. notMessage is the status of a body that is read, but is no message:
// two of the bodies are taken so, {} and the empty one.
func LyingBodies(t *testing.T, address, head string, notMessage int) {
	t.Helper()
	for _, c := range []struct {
		name, text string
		end        bool
		status     int
	}{
		{"shorter than it says, then silence", head + "Content-Length: 100\r\n\r\n{", false, 408},
		{"shorter than it says, then the end", head + "Content-Length: 100\r\n\r\n{", true, 400},
		{"longer than it says", head + "Content-Length: 2\r\n\r\n{}{}{}{}", false, notMessage},
		{"longer than allowed, and says so", head + "Content-Length: 10001\r\n\r\n{", false, 413},
		{"longer than any, and says so", head + "Content-Length: 9223372036854775807\r\n\r\n{", false, 413},
		{"no number", head + "Content-Length: many\r\n\r\n{}", false, 400},
		{"negative", head + "Content-Length: -1\r\n\r\n{}", false, 400},
		{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", false, 400},
		{"chunks that never end", head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", false, 408},
		{"chunks longer than allowed", head + "Transfer-Encoding: chunked\r\n\r\n2800\r\n" + strings.Repeat(" ", 0x2800), false, 413},
		{"a chunk of no length", head + "Transfer-Encoding: chunked\r\n\r\nx\r\n{", false, 400},
		{"a length and chunks", head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, notMessage},
		{"refused, and its body never comes", strings.Replace(head, "json", "xml", 1) + "Content-Length: 100\r\n\r\n", false, 415},
		{"an unknown encoding", head + "Transfer-Encoding: gzip\r\n\r\n{}", false, 501},
	} {
		status, body := Ask(t, address, c.text, c.end)
		assert.Equal(t, c.status, status, "%s: %s", c.name, body)
	}
}

// HalfOpen serves h by the project's own server and opens a thousand connections,
// each of which sends half(i) and no more. It calls meanwhile with the address, to
// show that they keep nobody out, and fails t unless the server then closes all.
// meanwhile has to close the connections it makes.
func HalfOpen(t *testing.T, h http.Handler, half func(i int) string, meanwhile func(address string)) {
	t.Helper()
	server := httpguard.NewServer(h, slog.New(slog.DiscardHandler))
	server.ReadHeaderTimeout = 500 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(httpguard.Limit(l, httpguard.Connections{Max: 1100, MaxPerClient: 1})) }()
	defer func() {
		require.NoError(t, server.Close())
		<-served
	}()
	open := make([]*net.TCPConn, 1000)
	for i := range open {
		open[i] = Dial(t, l.Addr().String(), half(i))
	}
	meanwhile(l.Addr().String())
	for _, c := range open {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(Patience)))
		if _, err := io.Copy(io.Discard, c); err != nil { // a 408, perhaps, and the end
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server still waits for it")
		}
		c.Close()
	}
}

// Flood adds the tool flood to s. A call reports progress, in messages of 100 KB,
// until that fails; the error is received from the channel, which holds a few.
func Flood(s *mcp.Server) <-chan error {
	ended := make(chan error, 4)
	s.AddTool(mcp.Tool{Name: "flood"}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		for i := 0; ; i++ {
			if err := r.Call().Progress(ctx, &mcp.Progress{Progress: float64(i), Message: strings.Repeat("x", 100_000)}); err != nil {
				ended <- err
				return nil, err
			}
		}
	})
	return ended
}

// Receive returns the next of from, and fails t when none comes.
func Receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(Patience):
		t.Fatal("nothing comes")
		panic("unreachable")
	}
}
