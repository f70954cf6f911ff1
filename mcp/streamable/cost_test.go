package streamable_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp/streamable"
)

// heap returns the bytes that are in use, stacks included.
func heap() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// What open streams cost beside their sessions: two thirds of it are net/http's,
// 10 KB of buffers and 10 KB for the stacks of its two goroutines.
func TestOpenStreamsCost(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector multiplies the memory that is measured")
	}
	const streams = 500
	e := serve(t, streamable.HTTPOptions{})
	ids := make([]string, streams)
	for i := range ids {
		w := e.send(t.Context(), http.MethodPost, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`, nil)
		e.rest(w)
		ids[i] = w.Header.Get("Mcp-Session-Id")
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	open := make([]net.Conn, streams)
	for i, id := range ids {
		c, err := net.Dial("tcp", strings.TrimPrefix(e.http.URL, "http://"))
		require.NoError(t, err)
		open[i] = c
		fmt.Fprintf(c, "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: %s\r\n\r\n", id)
		response, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
		require.NoError(t, err)
		require.Equal(t, 200, response.StatusCode)
	}
	each := (heap() - before) / streams
	t.Logf("an open stream holds %d bytes", each)
	assert.Less(t, each, int64(48<<10))
	for _, c := range open {
		c.Close()
	}
	eventually(t, func() bool { return runtime.NumGoroutine() < goroutines+streams/10 }) // who waits has some too
	left := (heap() - before) / streams
	t.Logf("%d bytes are left of each", left)
	assert.Less(t, left, each/4)
}
