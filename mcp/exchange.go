package mcp

import (
	"context"
)

// Exchange is one frame that stands on its own, such as the body of an HTTP
// request, and the answer to it. It is for transports whose peers share no
// connection; between NewExchange and Answer they compare what the frame says
// with what came beside it, and may refuse it.
//
// An Exchange is used by one goroutine, answered once, and good only as long as
// its frame's bytes do not change.
type Exchange struct {
	// Method is what the frame asks for; "" when it could not be read.
	Method string
	// Name is params.name, params.uri or params.taskId; "" when there is none.
	Name string
	// Modern says that the frame carries per-request protocol fields, and
	// Version is the protocol version among them ("" when missing).
	Modern  bool
	Version string
	// NoAnswer says that the frame is a notification, or a response.
	NoAnswer bool
	// Initialize says that the frame asks to begin a legacy session.
	Initialize bool

	// Stream takes what belongs to the frame but is not its answer: progress,
	// log messages, requests to a legacy client, all that a modern client
	// listens to. nil drops messages; a handler that must ask gets
	// [ErrNoStream]. Set it before Answer, which uses it until it returns.
	Stream Stream
	// Principal is who the client is, where there is no session to say so; see
	// [SessionOptions]. Set it before Answer.
	Principal string

	server  *Server
	session *Session // nil: none
	in      *reader  // nil after Answer
	link    link
	request request
	call    CallRequest
	frame   []byte
	message message
	refusal *wireError
	badMeta *wireError
}

// NewExchange reads frame: one JSON-RPC message, or a batch, of a client that
// has no session.
func (s *Server) NewExchange(frame []byte) *Exchange { return newExchange(s, nil, frame) }

// NewExchange reads a frame of the session's client.
func (c *Session) NewExchange(frame []byte) *Exchange {
	e := newExchange(c.server, c, frame)
	e.Principal = c.principal
	return e
}

func newExchange(s *Server, session *Session, frame []byte) *Exchange {
	e := &Exchange{server: s, session: session, frame: frame}
	e.link = link{server: s, session: session}
	e.in = borrowReader(&e.link)
	e.message, e.refusal = e.in.scanner.parse(frame)
	m := &e.message
	e.NoAnswer = m.kind == kindNotification || m.kind == kindResponse
	e.Method = string(m.method)
	if e.refusal != nil || m.kind == kindBatch {
		return e
	}
	e.Initialize = m.kind == kindRequest && e.Method == methodInitialize
	for _, name := range [...]string{"name", "uri", "taskId"} {
		if value := m.param(name); value != nil && value[0] == '"' {
			e.Name = string(e.in.scanner.unquote(value))
			break
		}
	}
	meta := e.in.readMeta(m.param("_meta"))
	e.Modern, e.Version, e.badMeta = meta.modern, meta.version, meta.problem
	return e
}

// Code returns the JSON-RPC error code with which the frame is refused, so
// far; 0 when it is not.
func (e *Exchange) Code() int {
	if e.refusal == nil {
		return 0
	}
	return e.refusal.code
}

// Refuse has the frame answered with an error, unless it is refused already.
func (e *Exchange) Refuse(code int, message string) {
	if e.refusal == nil {
		e.refusal = refuse(code, message)
	}
}

// RefuseBadMeta refuses the frame when its per-request protocol fields are
// incomplete or name a version that is not served. Answer does so too; calling
// this first tells that refusal from those that come after it.
func (e *Exchange) RefuseBadMeta() {
	if e.refusal == nil {
		e.refusal = e.badMeta
	}
}

// RefuseVersion refuses the frame as of a protocol version that is not served.
func (e *Exchange) RefuseVersion(requested string) {
	if e.refusal == nil {
		e.refusal = unsupportedVersion(shown([]byte(requested)))
	}
}

// Answer runs what the frame asks for and appends the answer to dst; nothing
// for a notification, except that a refused one is answered too, without an
// id, and nothing when ctx ended a request before its answer. legacy is the
// version by which a frame that is not modern is served while no session says
// so: "" refuses such frames, other than initialize and ping. Code tells
// afterwards whether the answer is a refusal; a failure inside the tool is none,
// unless the tool needs what a modern client cannot do.
func (e *Exchange) Answer(ctx context.Context, legacy string, dst []byte) []byte {
	defer func() {
		e.in.giveBack()
		e.in = nil
	}()
	m, r := &e.message, &e.request
	*r = request{act: actBatch, arguments: e.frame, link: &e.link, client: unknownClient}
	e.link.principal = e.Principal
	if e.refusal == nil {
		e.in.version = legacy
		switch m.kind {
		case kindRequest:
			e.refusal = e.in.accept(m, r)
		case kindBatch:
			e.refusal = e.in.scanner.checkBatch(e.frame, e.in.client().version)
		default:
			e.take()
			return dst
		}
	}
	if e.refusal != nil {
		return appendError(dst, m.id, e.refusal)
	}
	return e.run(ctx, r, dst)
}

// run answers an accepted request.
func (e *Exchange) run(ctx context.Context, r *request, dst []byte) []byte {
	if e.Stream != nil {
		out := newStreamSender(e.Stream)
		defer out.close()
		e.link.out = out
	}
	if e.session != nil && r.id != nil {
		bounded, end, bad := e.session.begin(ctx, e.in.scanner.idKey(r.id))
		if bad != nil {
			e.refusal = bad
			return appendError(dst, r.id, bad)
		}
		defer end()
		ctx = bounded
	}
	if r.act == actListen && e.Stream != nil {
		return e.listen(ctx, r, dst)
	}
	before := len(dst)
	dst = e.server.respond(ctx, r, &e.call, dst)
	if r.after != nil {
		r.after()
	}
	if ctx.Err() != nil || e.session != nil && e.session.ctx.Err() != nil {
		return dst[:before]
	}
	if r.modern && r.failed != nil && r.failed.code == CodeMissingCapability {
		e.refusal = r.failed // whoever found it out
	}
	return dst
}

// listen serves a subscriptions/listen until ctx ends, the stream fails, or the
// server shuts down, which is what the answer says.
func (e *Exchange) listen(ctx context.Context, r *request, dst []byte) []byte {
	out := e.link.out.(*streamSender) // run made it
	l, bad := e.server.newListener(ctx, r)
	if bad != nil {
		e.refusal = bad
		return appendError(dst, r.id, bad)
	}
	defer e.server.unwatch(l)
	if out.send(ctx, l.acknowledgment()) != nil {
		return dst // the client has left
	}
	e.server.begin(l, out)
	select {
	case <-l.done:
		return append(dst, l.farewell()...)
	case <-out.broken:
	case <-ctx.Done():
	}
	return dst
}

// take serves a notification or a response.
func (e *Exchange) take() {
	m := &e.message
	switch {
	case e.session != nil && m.kind == kindResponse:
		e.session.deliver(m)
	case e.session != nil && e.Method == methodInitialized:
		e.session.hear()
	case e.session != nil && e.Method == methodCancelled:
		if id := m.param("requestId"); id != nil && validID(id) {
			e.session.cancel(e.in.scanner.idKey(id))
		}
	default:
		e.server.options.Logger.DebugContext(context.Background(), "took a message that needs no answer", "method", shown(m.method))
	}
}
