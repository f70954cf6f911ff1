package streamable

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wire"
)

// unusedMax bounds the time a session is kept whose client never came back
// after initialize. SDKs come back at once, to say that they are initialized.
const unusedMax = time.Minute

// finishedMax bounds the ended streams of a session that are held for clients
// which did not get to read the end.
const finishedMax = 8

// session is what a legacy client has from initialize to DELETE.
type session struct {
	handler *Handler
	core    *mcp.Session
	id      string
	owner   string // the principal that it belongs to

	// What follows is guarded by handler.mu.
	lastUsed time.Time
	used     bool // there was a request after initialize
	uses     int  // requests and streams that go on
	calls    int  // of them, those that count for MaxPerSession
	timer    *time.Timer
	gone     bool

	streams    map[int64]*stream // that can be resumed
	finished   []*stream         // of them, those that have ended, oldest first
	general    *stream           // what GET opened
	streamLast int64
}

// initialize begins a session with the answer to body, an initialize request.
func (h *Handler) initialize(w http.ResponseWriter, r *http.Request, body []byte) {
	principal := httpguard.Principal(r.Context())
	core := h.server.NewSession(mcp.SessionOptions{Principal: principal, Values: r.Context()})
	e := core.NewExchange(body)
	legacy := h.agree(e, r.Header)
	early := e.Code() != 0
	buffer := wire.GetBuffer()
	defer wire.PutBuffer(buffer)
	*buffer = e.Answer(r.Context(), legacy, *buffer)
	if core.Version() == "" || r.Context().Err() != nil {
		core.Close()
		wire.Write(w, status(e, early, len(*buffer) == 0), *buffer, h.options.WriteTimeout)
		return
	}
	s := &session{handler: h, core: core, id: rand.Text(), owner: principal}
	if problem := h.keep(s); problem != "" {
		core.Close()
		w.Header().Set("Retry-After", "60")
		wire.Refuse(w, http.StatusServiceUnavailable, mcp.CodeInvalidRequest, problem)
		return
	}
	w.Header().Set(headerSession, s.id)
	wire.Write(w, http.StatusOK, *buffer, h.options.WriteTimeout)
}

// keep registers s, or says why that cannot be; drop is its partner.
func (h *Handler) keep(s *session) (problem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.draining:
		return "the server is stopping"
	case len(h.sessions) >= h.options.MaxSessions:
		return "too many sessions are open; end yours with DELETE when you are done, and come back later"
	}
	h.sessions[s.id] = s
	s.lastUsed = time.Now()
	s.timer = time.AfterFunc(s.idleMax(), s.expire)
	return ""
}

// idleMax is how long s may be idle. handler.mu is held, as by all who call it
// and by expire, or s is not registered yet.
func (s *session) idleMax() time.Duration {
	if !s.used {
		return min(unusedMax, s.handler.options.SessionIdle)
	}
	return s.handler.options.SessionIdle
}

// expire ends s if it has been idle for long enough, and else comes back when
// it may have been.
func (s *session) expire() {
	h := s.handler
	h.mu.Lock()
	if s.gone {
		h.mu.Unlock()
		return
	}
	rest := s.idleMax()
	if s.uses == 0 {
		rest -= time.Since(s.lastUsed)
	}
	if rest > 0 {
		s.timer.Reset(rest)
		h.mu.Unlock()
		return
	}
	h.dropLocked(s)
	h.mu.Unlock()
	h.options.Logger.Debug("ended an idle session")
}

// dropLocked forgets s and has it closed by a goroutine: that waits for
// handlers. h.mu is held.
func (h *Handler) dropLocked(s *session) {
	s.gone = true
	s.timer.Stop()
	delete(h.sessions, s.id)
	streams := s.streams
	s.streams, s.finished, s.general = nil, nil, nil
	h.running++
	go func() { // ends when the session's last handler returns; Close waits for it
		defer h.done()
		s.core.Close()
		for _, st := range streams {
			st.forget()
		}
	}()
}

// done is called by each goroutine that h.running counts.
func (h *Handler) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if h.running == 0 && h.idle != nil {
		close(h.idle)
		h.idle = nil
	}
}

// withSession serves a request of the session with this id. To whom it does not
// belong, it does not exist.
func (h *Handler) withSession(w http.ResponseWriter, r *http.Request, id string, serve func(http.ResponseWriter, *http.Request, *session)) {
	h.mu.Lock()
	s := h.sessions[id]
	if s == nil || s.owner != httpguard.Principal(r.Context()) {
		h.mu.Unlock()
		wire.Refuse(w, http.StatusNotFound, mcp.CodeInvalidRequest, "there is no such session; it may have ended: begin a new one with initialize")
		return
	}
	s.used = true
	s.uses++
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		s.uses--
		s.lastUsed = time.Now()
	}()
	serve(w, r, s)
}

// delete ends a session at its client's wish.
func (h *Handler) delete(w http.ResponseWriter, _ *http.Request, s *session) {
	h.mu.Lock()
	if !s.gone {
		h.dropLocked(s)
	}
	h.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// postInSession serves a message of a session's client. A request runs on a
// goroutine of its own since it may outlive the connection.
func (h *Handler) postInSession(w http.ResponseWriter, r *http.Request, s *session) {
	buffer := wire.GetBuffer()
	events, ok := h.readPost(w, r, buffer)
	if !ok {
		wire.PutBuffer(buffer)
		return
	}
	e := s.core.NewExchange(*buffer)
	legacy := h.agree(e, r.Header)
	if e.NoAnswer || e.Code() != 0 {
		h.answer(w, r, e, legacy, false)
		wire.PutBuffer(buffer)
		return
	}
	c := &call{session: s, exchange: e, legacy: legacy, body: buffer, done: make(chan struct{})}
	if status, problem := h.begin(r.Context(), s); status != 0 {
		wire.PutBuffer(buffer)
		wire.Refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	out := h.newAttachment(w, r)
	defer out.end()
	if events {
		c.stream = &stream{session: s, out: out, request: true}
		e.Stream = c.stream
	}
	go c.run(context.WithoutCancel(r.Context())) // ends with the call
	select {
	case <-c.done:
	case <-out.ctx.Done(): // the answer may have come with the end of the stream
	}
	c.leave(w, r, out)
}

// begin takes a slot for a request of s, which call.run gives back.
func (h *Handler) begin(ctx context.Context, s *session) (status int, problem string) {
	h.mu.Lock()
	if s.gone {
		h.mu.Unlock()
		return http.StatusNotFound, "the session has ended"
	}
	if s.calls >= h.options.MaxPerSession {
		h.mu.Unlock()
		return http.StatusTooManyRequests, "too many requests of this session are worked on"
	}
	s.calls++
	s.uses++
	h.running++
	h.mu.Unlock()
	select {
	case h.slots <- struct{}{}:
		return 0, ""
	case <-ctx.Done():
		h.end(s)
		return http.StatusServiceUnavailable, "the client left"
	}
}

// end is begin's partner, but for the slot.
func (h *Handler) end(s *session) {
	h.mu.Lock()
	s.calls--
	s.uses--
	s.lastUsed = time.Now()
	h.mu.Unlock()
	h.done()
}

// call is a request of a session's client.
type call struct {
	session  *session
	exchange *mcp.Exchange
	legacy   string
	stream   *stream // nil when the client takes none
	body     *[]byte
	answer   *[]byte
	done     chan struct{} // closed when answer is there
}

// run answers the call, whether or not its client is still connected.
func (c *call) run(ctx context.Context) {
	h := c.session.handler
	defer h.end(c.session)
	defer func() { <-h.slots }()
	c.answer = wire.GetBuffer()
	*c.answer = c.exchange.Answer(ctx, c.legacy, *c.answer)
	if c.stream != nil {
		c.stream.finish(*c.answer)
	}
	close(c.done)
}

// leave ends the call's first connection: with the answer, if it is there and
// was not sent as an event.
func (c *call) leave(w http.ResponseWriter, r *http.Request, out *attachment) {
	began := c.stream != nil && c.stream.detach(out)
	select {
	case <-c.done:
	default:
		return // the goroutine goes on with the buffers
	}
	if !began && r.Context().Err() == nil {
		wire.Write(w, status(c.exchange, false, len(*c.answer) == 0), *c.answer, c.session.handler.options.WriteTimeout)
	}
	wire.PutBuffer(c.answer)
	wire.PutBuffer(c.body)
}

// Drain has streams that wait for what comes unasked end, and refuses new
// sessions; calls go on. It is for http.Server.RegisterOnShutdown, together
// with mcp.Server.Shutdown, which ends the streams of modern clients.
func (h *Handler) Drain() {
	h.mu.Lock()
	h.draining = true
	var open []*stream
	for _, s := range h.sessions {
		if s.general != nil {
			open = append(open, s.general)
		}
	}
	h.mu.Unlock()
	for _, st := range open {
		st.release()
	}
}

// Close ends all sessions and waits until the last handler of a call has
// returned, or ctx has ended, whose error it then returns.
func (h *Handler) Close(ctx context.Context) error {
	h.Drain()
	h.mu.Lock()
	for _, s := range h.sessions {
		h.dropLocked(s)
	}
	idle := make(chan struct{})
	if h.running > 0 {
		h.idle = idle
	} else {
		close(idle)
	}
	h.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		h.options.Logger.Warn("handlers of calls still run after the end", slog.Any("error", ctx.Err()))
		return ctx.Err()
	}
}
