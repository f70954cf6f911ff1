package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/websocket"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type endpoint struct {
	t       *testing.T
	server  *mcp.Server
	handler *websocket.Handler
	http    *httptest.Server
}

func serve(t *testing.T, o websocket.Options) *endpoint {
	t.Helper()
	e := &endpoint{t: t, server: mcp.NewServer(mcp.Options{MaxMessageBytes: 10_000})}
	e.server.AddTool(mcp.Tool{Name: "echo"}, func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult(string(r.Arguments)), nil
	})
	e.handler = websocket.NewHandler(e.server, o)
	e.http = httptest.NewServer(e.handler)
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), wiretest.Patience)
		defer stop()
		assert.NoError(t, e.handler.Close(ctx))
		e.http.Close()
	})
	return e
}

func (e *endpoint) dial(h http.Header) *client.Conn { return e.dialAt(e.http.URL, h) }

func (e *endpoint) dialAt(url string, h http.Header) *client.Conn {
	e.t.Helper()
	c, _, err := client.Dial(e.t.Context(), url, &client.DialOptions{Subprotocols: []string{"mcp"}, HTTPHeader: h})
	require.NoError(e.t, err)
	require.Equal(e.t, "mcp", c.Subprotocol())
	e.t.Cleanup(func() { c.CloseNow() })
	return c
}

func (e *endpoint) ask(c *client.Conn, message string) string {
	e.t.Helper()
	require.NoError(e.t, c.Write(e.t.Context(), client.MessageText, []byte(message)))
	return e.next(c)
}

func (e *endpoint) next(c *client.Conn) string {
	e.t.Helper()
	ctx, stop := context.WithTimeout(e.t.Context(), wiretest.Patience)
	defer stop()
	kind, answer, err := c.Read(ctx)
	require.NoError(e.t, err)
	require.Equal(e.t, client.MessageText, kind)
	return string(answer)
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`

func TestBothEras(t *testing.T) {
	e := serve(t, websocket.Options{})
	c := e.dial(nil)
	assert.Contains(t, e.ask(c, initialize), `"protocolVersion":"2025-11-25"`)
	assert.Contains(t, e.ask(c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}}`), `{\"a\":1}`)
	assert.Contains(t, e.ask(c, `{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`), `"resultType":"complete"`)
	assert.Contains(t, e.ask(c, `{`), `-32700`)
	require.NoError(t, c.Close(client.StatusNormalClosure, ""))
}

func TestManyCallsAtOnce(t *testing.T) {
	e := serve(t, websocket.Options{})
	c := e.dial(nil)
	e.ask(c, initialize)
	const calls = 2000
	go func() {
		for i := range calls {
			if c.Write(t.Context(), client.MessageText, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"n":%d}}}`, i, i)) != nil {
				return
			}
		}
	}()
	seen := map[string]bool{}
	for range calls {
		seen[e.next(c)] = true
	}
	assert.Len(t, seen, calls)
}

func TestWhoMayComeIn(t *testing.T) {
	e := serve(t, websocket.Options{MaxConnections: 1})
	for name, c := range map[string]struct {
		status    int
		protocols []string
		headers   http.Header
	}{
		"foreign origin": {403, []string{"mcp"}, http.Header{"Origin": {"https://evil.example"}}},
		"no subprotocol": {400, nil, nil},
		"another one":    {400, []string{"chat"}, nil},
	} {
		_, response, err := client.Dial(t.Context(), e.http.URL, &client.DialOptions{Subprotocols: c.protocols, HTTPHeader: c.headers})
		require.Error(t, err, name)
		assert.Equal(t, c.status, response.StatusCode, name)
	}
	e.dial(http.Header{"Origin": {"http://localhost:5173"}})
	_, response, err := client.Dial(t.Context(), e.http.URL, &client.DialOptions{Subprotocols: []string{"mcp"}})
	require.Error(t, err)
	assert.Equal(t, 503, response.StatusCode)
}

// closed is what the client is told at the end of its connection.
func (e *endpoint) closed(c *client.Conn) error {
	ctx, stop := context.WithTimeout(e.t.Context(), wiretest.Patience)
	defer stop()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return err
		}
	}
}

func TestBadMessagesEndTheConnection(t *testing.T) {
	e := serve(t, websocket.Options{})
	c := e.dial(nil)
	assert.Contains(t, e.ask(c, strings.Repeat(" ", 10_001)), "the limit of 10000 bytes")
	assert.Equal(t, client.StatusMessageTooBig, client.CloseStatus(e.closed(c)))

	c = e.dial(nil)
	require.NoError(t, c.Write(t.Context(), client.MessageBinary, []byte(initialize)))
	assert.Equal(t, client.StatusUnsupportedData, client.CloseStatus(e.closed(c)))
}

// A message that never ends is not waited for.
func TestMessageThatDoesNotEnd(t *testing.T) {
	e := serve(t, websocket.Options{ReadTimeout: 20 * time.Millisecond})
	c := e.dial(nil)
	w, err := c.Writer(t.Context(), client.MessageText)
	require.NoError(t, err)
	_, err = w.Write([]byte(strings.Repeat(" ", 8000))) // more than the client's buffer: it is sent
	require.NoError(t, err)
	assert.Error(t, e.closed(c))
}

func TestClientThatAnswersNoPing(t *testing.T) {
	e := serve(t, websocket.Options{PingEvery: 20 * time.Millisecond})
	e.dial(nil) // whose pongs are sent while it reads, which it does not
	require.Eventually(t, func() bool {
		ctx, stop := context.WithTimeout(t.Context(), wiretest.Patience)
		defer stop()
		c, _, err := client.Dial(ctx, e.http.URL, &client.DialOptions{Subprotocols: []string{"mcp"}})
		if err != nil {
			return false
		}
		defer c.CloseNow()
		return true
	}, wiretest.Patience, time.Millisecond)
}

// A client that never reads is cut off, and its calls with it.
func TestClientThatNeverReads(t *testing.T) {
	e := serve(t, websocket.Options{WriteTimeout: 50 * time.Millisecond})
	ended := wiretest.Flood(e.server)
	c := e.dial(nil)
	e.ask(c, initialize)
	require.NoError(t, c.Write(t.Context(), client.MessageText, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"flood","_meta":{"progressToken":1}}}`)))
	assert.Error(t, wiretest.Receive(t, ended))
}

func TestDrainAnswersAndSaysGoodbye(t *testing.T) {
	e := serve(t, websocket.Options{})
	started, go_on := make(chan struct{}), make(chan struct{})
	e.server.AddTool(mcp.Tool{Name: "wait"}, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		close(started)
		<-go_on
		return mcp.TextResult("in time"), nil
	})
	c := e.dial(nil)
	e.ask(c, initialize)
	require.NoError(t, c.Write(t.Context(), client.MessageText, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}`)))
	<-started
	e.handler.Drain()
	close(go_on)
	assert.Contains(t, e.next(c), "in time")
	assert.Equal(t, client.StatusGoingAway, client.CloseStatus(e.closed(c)))
}
