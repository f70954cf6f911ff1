// Package streamable serves an [mcp.Server] over MCP's streamable HTTP
// transport. It stands apart from package mcp so that a program that speaks
// over stdio, or runs as wasm, does not carry net/http: that costs 3 MB and
// doubles the start-up time.
//
// [NewHTTPHandler] makes the handler; mount it at one path, such as /mcp. Both
// eras are served there at once:
//
//   - A modern message (2026-07-28) must agree with its headers. It is answered
//     with one JSON object, or with a stream of events when something is sent
//     before the answer. A client that closes the connection cancels the call.
//   - A legacy client gets a session with the answer to initialize, its
//     Mcp-Session-Id. GET opens the session's stream, DELETE ends it. Streams
//     have event ids and can be resumed with Last-Event-ID; a call outlives its
//     connection. A legacy request without a session id is served without one.
//
// [Handler.Drain] and [Handler.Close] end it; see there for how they go with
// http.Server.Shutdown.
//
// # Caveats
//
//   - There is no authentication here: wrap the handler, for instance by package
//     httpguard, whose Principal each session and call is bound to.
//   - Events can be replayed as far as they are held: HTTPOptions.ReplayBytes a
//     stream, and the last 8 streams of a session.
//   - Sessions live in memory and end with the process.
package streamable

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wire"
)

// HTTPOptions configures a handler. The zero value serves loopback names only.
type HTTPOptions struct {
	// AllowedHosts are further Host names, without port, under which the
	// server may be addressed; "*" allows all. Loopback names always are.
	AllowedHosts []string
	// AllowedOrigins are further Origin values (https://example.com) of pages
	// that may call the server; "*" allows all. Loopback origins always may,
	// and so may requests without an Origin, which come from no page.
	AllowedOrigins []string

	// MaxConcurrent bounds the requests that are worked on at once, and
	// MaxPerSession those of one session; others wait their turn, and are
	// refused with 429 beyond the second. Defaults 256 and 64.
	MaxConcurrent, MaxPerSession int
	// MaxStreams bounds the streams that are open for what comes unasked (GET,
	// and subscriptions/listen). Default 20,000.
	MaxStreams int
	// MaxSessions bounds the legacy sessions; initialize is refused with 503
	// beyond it. Default 20,000.
	MaxSessions int
	// SessionsDisabled serves legacy clients without sessions: nothing can be
	// asked of them, nothing resumed, and GET and DELETE are answered with 405.
	SessionsDisabled bool
	// SessionIdle is how long a session is kept without a request and without an
	// open stream; one whose client never came back after initialize, a minute
	// at most. Default 30 minutes.
	SessionIdle time.Duration

	// ReplayBytes is what one legacy stream holds of its events, for a client
	// that resumes it, and ReplayBytesTotal what all streams do. A stream whose
	// client is gone and that cannot hold more is given up. Defaults 256 KiB and
	// 64 MiB.
	ReplayBytes, ReplayBytesTotal int
	// Retry is how long a client is asked to wait before it resumes a stream.
	// Default one second.
	Retry time.Duration

	// KeepAlive is the time between the comments that keep a quiet stream's
	// connection open. Default 15 seconds.
	KeepAlive time.Duration
	// ReadTimeout is how long a client may take to send a body, and WriteTimeout
	// to read an event or an answer. Default 30 seconds each.
	ReadTimeout, WriteTimeout time.Duration

	Logger *slog.Logger // nil discards
}

func (o HTTPOptions) withDefaults() HTTPOptions {
	for _, each := range [...]struct {
		value    *int
		standard int
	}{
		{&o.MaxConcurrent, 256}, {&o.MaxPerSession, 64}, {&o.MaxStreams, 20_000}, {&o.MaxSessions, 20_000},
		{&o.ReplayBytes, 256 << 10}, {&o.ReplayBytesTotal, 64 << 20},
	} {
		if *each.value <= 0 {
			*each.value = each.standard
		}
	}
	for _, each := range [...]struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&o.SessionIdle, 30 * time.Minute}, {&o.Retry, time.Second}, {&o.KeepAlive, 15 * time.Second},
		{&o.ReadTimeout, 30 * time.Second}, {&o.WriteTimeout, 30 * time.Second},
	} {
		if *each.value <= 0 {
			*each.value = each.standard
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Handler is the MCP endpoint of one server. It is safe for concurrent use.
type Handler struct {
	server  *mcp.Server
	options HTTPOptions
	gate    httpguard.Gate
	body    wire.Body
	slots   chan struct{} // one is held while a request is worked on

	streams atomic.Int64 // open ones of those that MaxStreams bounds
	held    atomic.Int64 // bytes of events, for replay
	params  sync.Map     // tool name -> *toolParams

	mu       sync.Mutex
	sessions map[string]*session
	running  int           // goroutines that end with a session or a call
	idle     chan struct{} // closed when running becomes 0, by whom Close waits; nil: nobody waits
	draining bool
}

// NewHTTPHandler returns the handler of s's MCP endpoint.
func NewHTTPHandler(s *mcp.Server, o HTTPOptions) *Handler {
	o = o.withDefaults()
	return &Handler{
		server: s, options: o,
		gate:     httpguard.NewGate(o.AllowedHosts, o.AllowedOrigins),
		body:     wire.Body{BytesMax: int64(s.MaxMessageBytes()), Timeout: o.ReadTimeout},
		slots:    make(chan struct{}, o.MaxConcurrent),
		sessions: make(map[string]*session),
	}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, problem := h.gate.Check(r); status != 0 {
		wire.Refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	if h.gate.Share(w, r) {
		return
	}
	// Clients of the modern era have neither sessions nor streams of their own:
	// what they send of them is ignored, GET and DELETE are not theirs.
	legacy := !h.options.SessionsDisabled && r.Header.Get(headerVersion) != mcp.VersionModern
	id := r.Header.Get(headerSession)
	switch {
	case r.Method == http.MethodPost && legacy && id != "":
		h.withSession(w, r, id, h.postInSession)
	case r.Method == http.MethodPost:
		h.post(w, r)
	case r.Method == http.MethodGet && legacy && id != "":
		h.withSession(w, r, id, h.get)
	case r.Method == http.MethodDelete && legacy && id != "":
		h.withSession(w, r, id, h.delete)
	default:
		h.refuseMethod(w, r, legacy)
	}
}

func (h *Handler) refuseMethod(w http.ResponseWriter, r *http.Request, legacy bool) {
	allow, problem := "POST", "the MCP endpoint takes POST only"
	if legacy {
		allow = "POST, GET, DELETE"
		problem = "the MCP endpoint takes POST only, and GET and DELETE with the " + headerSession + " of a session of the legacy era"
	}
	w.Header().Set("Allow", allow)
	wire.Refuse(w, http.StatusMethodNotAllowed, mcp.CodeInvalidRequest, problem)
}
