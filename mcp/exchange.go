package mcp

import (
	"context"
	"log/slog"
)

// Exchange is one frame that stands on its own, such as the body of an HTTP
// request, and the answer to it. It is for transports whose peers share no
// connection; between NewExchange and Answer they compare what the frame says
// with what came beside it, and may refuse it.
//
// An Exchange is used by one goroutine and only as long as its frame's bytes
// do not change.
type Exchange struct {
	// Method is what the frame asks for; "" when it could not be read.
	Method string
	// Name is params.name, or else params.uri; "" when there is none.
	Name string
	// Modern says that the frame carries per-request protocol fields, and
	// Version is the protocol version among them ("" when missing).
	Modern  bool
	Version string
	// NoAnswer says that the frame is a notification, or a response to a
	// request that was never sent.
	NoAnswer bool

	server  *Server
	session *session
	frame   []byte
	message message
	refusal *wireError
	badMeta *wireError
}

// NewExchange reads frame: one JSON-RPC message, or a batch.
func (s *Server) NewExchange(frame []byte) *Exchange {
	e := &Exchange{server: s, session: newSession(s), frame: frame}
	e.message, e.refusal = e.session.scanner.parse(frame)
	m := &e.message
	e.NoAnswer = m.kind == kindNotification || m.kind == kindResponse
	e.Method = string(m.method)
	if e.refusal != nil || m.kind == kindBatch {
		return e
	}
	for _, name := range [...]string{"name", "uri"} {
		if value := m.param(name); value != nil && value[0] == '"' {
			e.Name = string(e.session.scanner.unquote(value))
			break
		}
	}
	meta := e.session.readMeta(m.param("_meta"))
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
		e.refusal = &wireError{code: code, message: message}
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
// id. legacy is the version by which a frame that is not modern is served: ""
// refuses such frames, other than initialize and ping. Code tells afterwards
// whether the answer is a refusal; a failure inside the tool is none.
func (e *Exchange) Answer(ctx context.Context, legacy string, dst []byte) []byte {
	m := &e.message
	r := request{act: actBatch, arguments: e.frame}
	if e.refusal == nil {
		e.session.version = legacy
		switch m.kind {
		case kindRequest:
			r, e.refusal = e.session.accept(m)
		case kindBatch:
			e.refusal = e.session.scanner.checkBatch(e.frame, legacy)
		default:
			e.server.options.Logger.Debug("took a message that needs no answer", slog.String("method", shown(m.method)))
			return dst
		}
	}
	if e.refusal != nil {
		return appendError(dst, m.id, e.refusal)
	}
	var call CallRequest
	return e.server.respond(ctx, &r, &call, dst)
}
