package sse_test

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
	"github.com/ingot-run/ingot/mcp/sse"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type endpoint struct {
	t       *testing.T
	server  *mcp.Server
	handler *sse.Handler
	http    *httptest.Server
	client  *http.Client
}

func serve(t *testing.T, o sse.Options) *endpoint {
	t.Helper()
	e := &endpoint{t: t, server: mcp.NewServer(mcp.Options{MaxMessageBytes: 10_000}), client: &http.Client{Transport: &http.Transport{}}}
	e.server.AddTool(mcp.Tool{Name: "echo"}, func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult(string(r.Arguments)), nil
	})
	e.handler = sse.NewHandler(e.server, o)
	e.http = httptest.NewServer(http.StripPrefix("/base", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.handler.ServeHTTP(w, r.WithContext(httpguard.WithPrincipal(r.Context(), r.Header.Get("X-User"))))
	})))
	t.Cleanup(func() {
		e.handler.Drain()
		e.client.CloseIdleConnections()
		e.http.Close()
	})
	return e
}

func (e *endpoint) send(method, url, body string, h http.Header) *http.Response {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, url, strings.NewReader(body))
	require.NoError(e.t, err)
	for name, values := range h {
		r.Header[name] = values
	}
	if method == http.MethodPost && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := e.client.Do(r)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { response.Body.Close() })
	return response
}

// stream is a client's.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	at    string // where messages are POSTed
	close func() error
}

func (e *endpoint) open(h http.Header) *stream {
	e.t.Helper()
	response := e.send(http.MethodGet, e.http.URL+"/base/sse", "", h)
	require.Equal(e.t, 200, response.StatusCode)
	require.Equal(e.t, "text/event-stream", response.Header.Get("Content-Type"))
	s := &stream{t: e.t, lines: bufio.NewScanner(response.Body), close: response.Body.Close}
	name, data := s.next()
	require.Equal(e.t, "endpoint", name)
	require.Regexp(e.t, `^/base/sse\?session=[A-Z2-7]{26,}$`, data)
	s.at = e.http.URL + data
	return s
}

// next returns the next event that is no comment; no name at the end.
func (s *stream) next() (name, data string) {
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			data = value
		case "":
			if name != "" {
				return name, data
			}
		}
	}
	return name, data
}

func (e *endpoint) ask(s *stream, message string) string {
	e.t.Helper()
	response := e.send(http.MethodPost, s.at, message, nil)
	require.Equal(e.t, 202, response.StatusCode)
	name, data := s.next()
	require.Equal(e.t, "message", name)
	return data
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}`

func TestDialogue(t *testing.T) {
	e := serve(t, sse.Options{KeepAlive: time.Millisecond})
	s := e.open(nil)
	assert.Contains(t, e.ask(s, initialize), `"protocolVersion":"2024-11-05"`)
	assert.Contains(t, e.ask(s, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}}`), `{\"a\":1}`)
	assert.Contains(t, e.ask(s, `{`), `-32700`)
	e.handler.Drain()
	name, _ := s.next()
	assert.Empty(t, name, "Drain ends the stream")
	assert.Equal(t, 503, e.send(http.MethodGet, e.http.URL+"/base/sse", "", nil).StatusCode)
}

func TestRefused(t *testing.T) {
	e := serve(t, sse.Options{MaxStreams: 1})
	s := e.open(http.Header{"X-User": {"alice"}})
	alice := http.Header{"X-User": {"alice"}}
	for name, c := range map[string]struct {
		method, url, body string
		headers           http.Header
		status            int
	}{
		"foreign origin":      {"GET", e.http.URL + "/base/sse", "", http.Header{"Origin": {"https://evil.example"}}, 403},
		"no events":           {"GET", e.http.URL + "/base/sse", "", http.Header{"Accept": {"application/json"}}, 406},
		"one too many":        {"GET", e.http.URL + "/base/sse", "", nil, 503},
		"other method":        {"PUT", s.at, "", alice, 405},
		"no such stream":      {"POST", e.http.URL + "/base/sse?session=x", initialize, alice, 404},
		"another's stream":    {"POST", s.at, initialize, http.Header{"X-User": {"mallory"}}, 404},
		"nobody's":            {"POST", s.at, initialize, nil, 404},
		"not JSON":            {"POST", s.at, initialize, http.Header{"X-User": {"alice"}, "Content-Type": {"text/plain"}}, 415},
		"too long":            {"POST", s.at, strings.Repeat(" ", 10_001), alice, 413},
		"after all, its own":  {"POST", s.at, initialize, alice, 202},
		"a notification, too": {"POST", s.at, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, alice, 202},
	} {
		response := e.send(c.method, c.url, c.body, c.headers)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, c.status, response.StatusCode, "%s: %s", name, body)
	}
}

// The client that leaves has its calls cancelled.
func TestDisconnectCancels(t *testing.T) {
	e := serve(t, sse.Options{})
	started, ended := make(chan struct{}), make(chan struct{})
	e.server.AddTool(mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	s := e.open(nil)
	e.ask(s, initialize)
	e.send(http.MethodPost, s.at, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}`, nil)
	<-started
	require.NoError(t, s.close())
	<-ended
}
