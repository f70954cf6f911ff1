package mcp

import (
	"context"
	"sync"
	"time"
)

// ConnOptions says what a transport knows of a connection's client.
type ConnOptions struct {
	// Principal is who the client is, as the transport authenticated it; see
	// [SessionOptions].
	Principal string
}

// Conn is a connection that carries messages both ways, such as a pair of
// pipes or a WebSocket. Its transport gives it what the client sends
// ([Conn.Receive]) and a [Stream] for what the client is to get.
type Conn struct {
	server  *Server
	ctx     context.Context
	stop    context.CancelCauseFunc
	session *Session
	out     *frameWriter
	calls   *callPool

	receiving sync.Mutex // held during a whole Receive

	reading sync.Mutex   // held while a message is handled, but not while that waits
	in      *reader      // guarded by reading, as is what follows
	current request      // the one that is handled
	call    CallRequest  // of the inline tool that runs
	frames  []byte       // answers of the reading goroutine, not yet written
	held    []heldAnswer // those of them that wait for a guard; in order

	listens map[string]*listener // by idKey

	timed int // inline calls that are still to be timed
}

// Connect begins a connection whose client listens to out. Its transport must
// close it. When ctx ends, so does the connection.
func (s *Server) Connect(ctx context.Context, out Stream, o ConnOptions) *Conn {
	c := newConn(ctx, s, nil, o)
	c.out.out = streamLines(c.ctx, out)
	return c
}

func newConn(ctx context.Context, s *Server, write func([]byte) error, o ConnOptions) *Conn {
	c := &Conn{server: s}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	c.session = newSession(c.ctx, s, o.Principal)
	c.out = newFrameWriter(write, func(err error) { c.stop(wrap("writing answers: ", err)) })
	c.session.out = c.out
	if s.guard != nil {
		c.out.commit = s.guard.commit
	}
	c.in = newReader(&link{server: s, session: c.session, out: c.out, principal: o.Principal})
	c.calls = newCallPool(c.ctx, s, c.out)
	return c
}

// Receive serves one message of the client. Answers go to the stream, now or
// later. It waits while too many calls run or wait, and runs inline tools: a
// transport must not read on before it returns. It keeps nothing of frame. It
// may be called from any goroutine; messages are served one after the other.
func (c *Conn) Receive(frame []byte) {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	c.reading.Lock()
	if c.ctx.Err() == nil {
		begun := time.Now()
		c.handle(frame)
		c.lookInto(begun)
	}
	c.reading.Unlock()
	c.flush()
}

// RefuseTooLong answers a message that the transport did not take since it is
// longer than MaxMessageBytes.
func (c *Conn) RefuseTooLong() {
	c.out.write(append(appendError(nil, nil, tooLongError(c.server.options.MaxMessageBytes)), '\n'))
}

// Done returns a channel that is closed when the connection is over: its
// context has ended, its stream has failed, or it was closed.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns nil until Done, then why: the context's error, the stream's, or
// [ErrClosed].
func (c *Conn) Err() error { return context.Cause(c.ctx) }

// Drain waits for the calls in flight and for their answers to be sent. It is
// for the end of the client's messages, and cut short when Done. Questions that
// wait for the client fail with [ErrClosed].
func (c *Conn) Drain() {
	c.session.hangUp()
	done := make(chan struct{})
	go func() { // ends when the last call does, as Close makes sure
		c.calls.wait()
		close(done)
	}()
	select {
	case <-done:
	case <-c.ctx.Done():
	}
	c.reading.Lock()
	listens := c.listens
	c.listens = nil
	c.reading.Unlock()
	for _, l := range listens {
		c.server.end(l)
		select {
		case <-l.done:
		case <-c.ctx.Done():
		}
	}
	c.out.flushed(c.ctx)
}

// listen serves a subscriptions/listen.
func (c *Conn) listen(r *request) *wireError {
	key := c.in.scanner.idKey(r.id)
	switch {
	case c.listens[key] != nil || c.calls.has(key):
		return errIDInFlight()
	case len(c.listens) >= listensMax:
		return refuse(CodeInvalidRequest, "too many subscriptions are open on this connection; end one by notifications/cancelled")
	}
	l, bad := c.server.newListener(c.ctx, r)
	if bad != nil {
		return bad
	}
	l.atEnd = func() error { return c.out.send(c.ctx, l.farewell()) }
	if c.listens == nil {
		c.listens = make(map[string]*listener)
	}
	c.listens[key] = l
	c.frames = append(append(c.frames, l.acknowledgment()...), '\n')
	c.flushEarly() // nothing may come before it
	c.server.begin(l, c.out)
	return nil
}

// cancel ends the call, or the subscription, whose request has key.
func (c *Conn) cancel(key string, reason []byte) {
	if l := c.listens[key]; l != nil {
		c.server.unwatch(l)
		delete(c.listens, key)
		return
	}
	c.calls.cancel(key, reason)
}

// Close cancels what runs and waits for handlers; not for a Send that is
// stuck, which its transport has to end. Nothing is sent that has not begun to
// be sent.
func (c *Conn) Close() {
	c.stop(ErrClosed)
	c.out.close()
	c.session.Close()
	c.calls.close()
	c.reading.Lock() // an inline tool may be running
	defer c.reading.Unlock()
	for _, l := range c.listens {
		c.server.unwatch(l)
	}
	c.listens = nil
}

// flush hands the reading goroutine's answers to the writer.
func (c *Conn) flush() {
	if c.ctx.Err() == nil && len(c.frames) > 0 {
		c.out.write(c.frames, c.held...)
	}
	c.held = c.held[:0]
	if c.frames = c.frames[:0]; cap(c.frames) > bufferKeptMax {
		c.frames = nil
	}
}

// flushEarly is flush while lines are being handled.
func (c *Conn) flushEarly() {
	c.reading.Unlock() // a write may block for as long as the client likes
	c.flush()
	c.reading.Lock()
}

// submit hands r to a worker. Where that takes waiting, the answers that are
// ready do not wait too.
func (c *Conn) submit(r *request, key string) *wireError {
	if !c.calls.hasRoom(r.size()) {
		c.flushEarly()
		c.calls.waitRoom(r.size())
	}
	return c.calls.submit(r, key)
}

// handle serves one line. Answers that are ready at once go to c.frames.
func (c *Conn) handle(line []byte) {
	m, bad := c.in.scanner.parse(line)
	if bad == nil {
		switch m.kind {
		case kindRequest:
			bad = c.request(&m)
		case kindNotification:
			c.notification(&m)
		case kindResponse:
			c.session.deliver(&m)
		case kindBatch:
			bad = c.batch(line)
		}
	}
	if bad != nil {
		c.refuse(&m, bad)
	}
}

// request runs a request here or has a worker run it.
func (c *Conn) request(m *message) *wireError {
	r := &c.current
	if bad := c.in.accept(m, r); bad != nil {
		return bad
	}
	if r.act == actListen {
		return c.listen(r)
	}
	if r.waits() {
		return c.submit(r, c.in.scanner.idKey(r.id))
	}
	r.inline, r.mayHold = true, true
	if c.timed > 0 && r.act == actToolsCall && r.tool != nil {
		c.timed--
		defer r.tool.clock(c.server, time.Now())
	}
	from := len(c.frames)
	c.frames = append(c.server.respond(c.ctx, r, &c.call, c.frames), '\n')
	if r.holds {
		c.held = append(c.held, heldAnswer{from, len(c.frames), len(r.id)})
	}
	return nil
}

// batch handles the notifications of a batch and has a worker answer its
// requests. Those cannot be cancelled one by one.
func (c *Conn) batch(frame []byte) *wireError {
	if bad := c.in.scanner.checkBatch(frame, c.session.Version()); bad != nil {
		return bad
	}
	for element := range elementsOf(frame) {
		if m, bad := c.in.scanner.parse(element); bad == nil && m.kind == kindNotification {
			c.notification(&m)
		}
	}
	return c.submit(&request{act: actBatch, client: c.session.client.Load(), link: c.in.link, arguments: frame}, "")
}

// refuse answers a message that cannot be served, unless it is a well-formed
// notification: those are never answered.
func (c *Conn) refuse(m *message, bad *wireError) {
	if m.kind == kindNotification {
		c.server.options.Logger.WarnContext(c.ctx, "ignored a bad notification", "method", shown(m.method), "error", bad)
		return
	}
	c.frames = append(appendError(c.frames, m.id, bad), '\n')
}

// notification handles what needs no answer. A request's method without an id
// is such a notification by JSON-RPC 2.0 section 4.1: it is logged, not run,
// since nobody could learn its outcome.
func (c *Conn) notification(m *message) {
	switch string(m.method) {
	case methodCancelled:
		if id := m.param("requestId"); id != nil && validID(id) {
			c.cancel(c.in.scanner.idKey(id), m.param("reason"))
			return
		}
		c.server.options.Logger.WarnContext(c.ctx, "ignored notifications/cancelled without a valid requestId")
	case methodInitialized:
		c.session.hear()
	case "notifications/roots/list_changed", "notifications/progress":
		// Roots are asked for anew each time, and nobody waits for progress.
	default:
		c.server.options.Logger.WarnContext(c.ctx, "ignored a notification; a request needs an id", "method", shown(m.method))
	}
}
