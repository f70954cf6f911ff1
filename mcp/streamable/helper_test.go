package streamable_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is a handler behind a real socket.
type endpoint struct {
	t       *testing.T
	server  *mcp.Server
	handler *streamable.Handler
	http    *httptest.Server
	client  *http.Client
	headers map[string]string // of each request; "" is none
}

// serve starts an endpoint, whose user is the X-User header of each request.
func serve(t *testing.T, o streamable.HTTPOptions) *endpoint {
	t.Helper()
	e := &endpoint{t: t, server: newServer(), client: &http.Client{Transport: &http.Transport{}}, headers: map[string]string{}}
	e.handler = streamable.NewHTTPHandler(e.server, o)
	e.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.handler.ServeHTTP(w, r.WithContext(httpguard.WithPrincipal(r.Context(), r.Header.Get("X-User"))))
	}))
	t.Cleanup(func() {
		e.server.Shutdown()
		e.handler.Drain()
		e.client.CloseIdleConnections()
		e.http.Close()
		ctx, stop := context.WithTimeout(context.Background(), wiretest.Patience)
		defer stop()
		assert.NoError(t, e.handler.Close(ctx))
	})
	return e
}

// tool adds one.
func (e *endpoint) tool(name string, h func(ctx context.Context, call *mcp.Call) (*mcp.CallResult, error)) {
	e.server.AddTool(mcp.Tool{Name: name}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return h(ctx, r.Call())
	})
}

// send sends a request and returns the response with its body still to be read.
func (e *endpoint) send(ctx context.Context, method, body string, h headers) *http.Response {
	e.t.Helper()
	response, err := e.trySend(ctx, method, body, h)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { response.Body.Close() })
	return response
}

func (e *endpoint) trySend(ctx context.Context, method, body string, h headers) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, e.http.URL+"/mcp", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for _, set := range []map[string]string{e.headers, h} {
		for name, value := range set {
			r.Header.Set(name, value)
		}
	}
	return e.client.Do(r)
}

// post sends a message and returns the status and the whole body.
func (e *endpoint) post(body string, h headers) (int, string) {
	e.t.Helper()
	response := e.send(e.t.Context(), http.MethodPost, body, h)
	return response.StatusCode, e.rest(response)
}

func (e *endpoint) rest(response *http.Response) string {
	e.t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(e.t, err)
	return string(body)
}

// initialize begins a session, whose id is sent with each request from now on.
func (e *endpoint) initialize(version string) {
	e.t.Helper()
	response := e.send(e.t.Context(), http.MethodPost, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"`+version+
		`","capabilities":{"elicitation":{}},"clientInfo":{"name":"test","version":"1"}}}`, nil)
	body := e.rest(response)
	require.Equal(e.t, 200, response.StatusCode, body)
	require.Contains(e.t, body, `"protocolVersion":"`+version+`"`)
	e.headers["Mcp-Session-Id"] = response.Header.Get("Mcp-Session-Id")
	require.Regexp(e.t, `^[A-Z2-7]{26,}$`, e.headers["Mcp-Session-Id"])
	status, body := e.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil)
	require.Equal(e.t, 202, status, body)
}

// call is a legacy tools/call with a progress token.
func call(tool string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{},"_meta":{"progressToken":"p"}}}`
}

// event is what a client sees of one.
type event struct{ id, name, data, retry, comment string }

// events reads a response as a stream of events.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (e *endpoint) events(response *http.Response) *events {
	e.t.Helper()
	require.Equal(e.t, 200, response.StatusCode)
	require.Equal(e.t, "text/event-stream", response.Header.Get("Content-Type"))
	require.Equal(e.t, "no", response.Header.Get("X-Accel-Buffering"))
	return &events{e.t, bufio.NewScanner(response.Body)}
}

// next returns the next event; ok is false at the end of the stream.
func (s *events) next() (ev event, ok bool) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		if line == "" {
			return ev, true
		}
		ok = true
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			ev.id = value
		case "event":
			ev.name = value
		case "data":
			ev.data = value
		case "retry":
			ev.retry = value
		case "":
			ev.comment = line
		default:
			s.t.Errorf("a line of no known field: %q", line)
		}
	}
	return ev, ok
}

// message is next without comments.
func (s *events) message() event {
	s.t.Helper()
	for {
		ev, ok := s.next()
		require.True(s.t, ok, "the stream ended: %v", s.lines.Err())
		if ev.comment == "" {
			return ev
		}
	}
}

// end makes sure that the stream has ended.
func (s *events) end() {
	s.t.Helper()
	ev, ok := s.next()
	require.False(s.t, ok, "an event behind the end: %+v", ev)
	require.NoError(s.t, s.lines.Err())
}

// eventually waits until condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, wiretest.Patience, time.Millisecond)
}
