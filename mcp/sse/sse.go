// Package sse serves an [mcp.Server] over HTTP+SSE, the transport of MCP
// 2024-11-05, for clients that know no other. New clients use package streamable.
//
// [NewHandler] makes the handler; mount it at one path, such as /sse. GET opens
// the client's stream, whose first event (endpoint) names where the client POSTs
// its messages: the same path, with an unguessable id as its query. A message is
// answered with 202, and by an event of the stream. Both eras are served.
//
// # Caveats
//
//   - A stream cannot be resumed: a client that loses it has lost its session,
//     and its calls are cancelled.
//   - There is no authentication here: wrap the handler, for instance by package
//     httpguard, whose Principal each stream is bound to.
package sse

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wire"
)

// Options configures a handler. The zero value serves loopback names only.
type Options struct {
	// AllowedHosts and AllowedOrigins are as in package streamable.
	AllowedHosts, AllowedOrigins []string
	// MaxStreams bounds the clients at once; others are refused with 503.
	// Default 1,000.
	MaxStreams int
	// KeepAlive is the time between the comments that keep a quiet stream's
	// connection open. Default 15 seconds.
	KeepAlive time.Duration
	// ReadTimeout is how long a client may take to send a message, and
	// WriteTimeout to read an event. Default 30 seconds each.
	ReadTimeout, WriteTimeout time.Duration

	Logger *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	if o.MaxStreams <= 0 {
		o.MaxStreams = 1000
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 30 * time.Second
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Handler is the endpoint of one server. It is safe for concurrent use.
type Handler struct {
	server  *mcp.Server
	options Options
	gate    httpguard.Gate
	body    wire.Body

	mu       sync.Mutex
	streams  map[string]*stream
	draining bool
}

// stream is one client.
type stream struct {
	conn  *mcp.Conn
	owner string // the principal that it belongs to
	drain chan struct{}
}

// queryID is the query parameter that names a stream.
const queryID = "session"

// NewHandler returns the handler of s's endpoint.
func NewHandler(s *mcp.Server, o Options) *Handler {
	o = o.withDefaults()
	return &Handler{
		server: s, options: o,
		gate:    httpguard.NewGate(o.AllowedHosts, o.AllowedOrigins),
		body:    wire.Body{BytesMax: int64(s.MaxMessageBytes()), Timeout: o.ReadTimeout},
		streams: make(map[string]*stream),
	}
}

// ServeHTTP serves one client's stream, or takes one message.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, problem := h.gate.Check(r); status != 0 {
		wire.Refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	if h.gate.Share(w, r) {
		return
	}
	switch r.Method {
	case http.MethodGet:
		h.serve(w, r)
	case http.MethodPost:
		h.take(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		wire.Refuse(w, http.StatusMethodNotAllowed, mcp.CodeInvalidRequest, "this endpoint takes GET, and POST to where its stream says")
	}
}

// serve keeps a client's stream open until the client leaves or Drain ends it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	if _, events := wire.Accepts(r); !events {
		wire.Refuse(w, http.StatusNotAcceptable, mcp.CodeInvalidRequest, "the Accept header must list text/event-stream")
		return
	}
	at, err := url.ParseRequestURI(r.RequestURI) // not r.URL, which handlers before this one may have cut
	if err != nil {
		wire.Refuse(w, http.StatusBadRequest, mcp.CodeInvalidRequest, "the request's path cannot be read")
		return
	}
	ctx, stop := httpguard.UntilExpiry(r.Context())
	defer stop()
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	out := wire.NewLive(w, h.options.WriteTimeout, h.options.KeepAlive, func(err error) { leave(err) })
	defer out.End(nil)
	s := &stream{owner: httpguard.Principal(r.Context()), drain: make(chan struct{})}
	s.conn = h.server.Connect(ctx, out, mcp.ConnOptions{Principal: s.owner})
	defer s.conn.Close()
	id := rand.Text()
	if !h.keep(id, s) {
		w.Header().Set("Retry-After", "60")
		wire.Refuse(w, http.StatusServiceUnavailable, mcp.CodeInvalidRequest, "too many streams are open, or the server is stopping; come back later")
		return
	}
	defer h.drop(id)
	if out.Named("endpoint", at.EscapedPath()+"?"+queryID+"="+id) != nil {
		return
	}
	select {
	case <-s.drain:
		s.conn.Drain()
	case <-s.conn.Done():
		h.options.Logger.Debug("a stream ended", slog.Any("reason", s.conn.Err()), slog.Any("cause", context.Cause(ctx)))
	}
}

// keep registers s, if there is room; drop is its partner.
func (h *Handler) keep(id string, s *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining || len(h.streams) >= h.options.MaxStreams {
		return false
	}
	h.streams[id] = s
	return true
}

func (h *Handler) drop(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, id)
}

// take hands a message to its stream's connection. While too many calls wait
// there, it waits, and so does the client.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	s := h.streams[r.URL.Query().Get(queryID)]
	h.mu.Unlock()
	if s == nil || s.owner != httpguard.Principal(r.Context()) {
		wire.Refuse(w, http.StatusNotFound, mcp.CodeInvalidRequest, "there is no such stream; open one with GET")
		return
	}
	if !wire.JSONBody(r) {
		wire.Refuse(w, http.StatusUnsupportedMediaType, mcp.CodeInvalidRequest, "the Content-Type must be application/json")
		return
	}
	buffer := wire.GetBuffer()
	defer wire.PutBuffer(buffer)
	body, err := wire.ReadBody(w, r, h.body, *buffer)
	*buffer = body
	if err != nil {
		status, problem := h.body.Problem(err)
		wire.Refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	s.conn.Receive(body)
	w.WriteHeader(http.StatusAccepted)
}

// Drain has each client's calls answered and its stream ended, and refuses new
// clients. It is for http.Server.RegisterOnShutdown; Shutdown then waits for the
// streams' ends.
func (h *Handler) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return
	}
	h.draining = true
	for _, s := range h.streams {
		close(s.drain)
	}
}
