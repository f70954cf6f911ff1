package sse_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/sse"
)

func TestBodiesThatLie(t *testing.T) {
	e := serve(t, sse.Options{ReadTimeout: 100 * time.Millisecond})
	s := e.open(nil)
	head := "POST " + strings.TrimPrefix(s.at, e.http.URL) + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	wiretest.LyingBodies(t, e.http.Listener.Addr().String(), head, 202)
	for _, code := range []string{"-32600", "-32700"} { // {} and nothing, which are no messages, were taken
		name, data := s.next()
		assert.Equal(t, "message", name)
		assert.Contains(t, data, code)
	}
	assert.Contains(t, e.ask(s, initialize), "2024-11-05", "the stream lives")
}

func TestHalfOpenConnections(t *testing.T) {
	e := serve(t, sse.Options{})
	half := func(i int) string { return []string{"", "GET /sse HT"}[i%2] }
	wiretest.HalfOpen(t, e.handler, half, func(address string) {
		response := e.send(http.MethodGet, "http://"+address+"/sse", "", nil)
		assert.Equal(t, 200, response.StatusCode)
		response.Body.Close()
	})
}

// A client that opens a stream and never reads it loses it, and its calls end.
func TestClientThatNeverReads(t *testing.T) {
	e := serve(t, sse.Options{WriteTimeout: 50 * time.Millisecond})
	ended := wiretest.Flood(e.server)
	s := e.open(nil)
	e.ask(s, strings.Replace(initialize, "2024-11-05", "2025-03-26", 1)) // before, progress had no message
	e.send(http.MethodPost, s.at, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"flood","_meta":{"progressToken":1}}}`, nil)
	assert.Error(t, wiretest.Receive(t, ended))
	require.Eventually(t, func() bool {
		return e.send(http.MethodPost, s.at, initialize, nil).StatusCode == 404
	}, wiretest.Patience, time.Millisecond, "the stream is gone")
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
