package streamable

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wire"
)

// readPost reads a message. It has answered where it reports false.
func (h *Handler) readPost(w http.ResponseWriter, r *http.Request, buffer *[]byte) (events, ok bool) {
	if !wire.JSONBody(r) {
		wire.Refuse(w, http.StatusUnsupportedMediaType, mcp.CodeInvalidRequest, "the Content-Type must be application/json")
		return false, false
	}
	json, events := wire.Accepts(r)
	if !json {
		wire.Refuse(w, http.StatusNotAcceptable, mcp.CodeInvalidRequest, "the Accept header must list application/json and text/event-stream")
		return false, false
	}
	body, err := wire.ReadBody(w, r, h.body, *buffer)
	*buffer = body
	if err != nil {
		status, problem := h.body.Problem(err)
		wire.Refuse(w, status, mcp.CodeInvalidRequest, problem)
		return false, false
	}
	return events, true
}

// post serves a message without a session: one of the modern era, an
// initialize, or one of a legacy client that keeps no session.
func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	buffer := wire.GetBuffer()
	defer wire.PutBuffer(buffer)
	events, ok := h.readPost(w, r, buffer)
	if !ok {
		return
	}
	e := h.server.NewExchange(*buffer)
	if e.Initialize && !e.Modern && !h.options.SessionsDisabled {
		h.initialize(w, r, *buffer)
		return
	}
	legacy := h.agree(e, r.Header)
	switch {
	case e.NoAnswer || e.Code() != 0:
	case e.Modern && e.Method == methodListen:
		if !events {
			wire.Refuse(w, http.StatusNotAcceptable, mcp.CodeInvalidRequest, "the Accept header must list text/event-stream: "+methodListen+" is answered with a stream")
			return
		}
		if !h.openStream(w) {
			return
		}
		defer h.streams.Add(-1)
		ctx, stop := httpguard.UntilExpiry(r.Context())
		defer stop()
		r = r.WithContext(ctx)
	default:
		select {
		case h.slots <- struct{}{}:
			defer func() { <-h.slots }()
		case <-r.Context().Done():
			return
		}
	}
	e.Principal = httpguard.Principal(r.Context())
	h.answer(w, r, e, legacy, events)
}

// answer has e answered on this goroutine, while the client stays.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, e *mcp.Exchange, legacy string, events bool) {
	early := e.Code() != 0
	ctx, leave := context.WithCancel(r.Context())
	defer leave()
	var out *wire.Live
	if events && !e.NoAnswer {
		out = wire.NewLive(w, h.options.WriteTimeout, h.options.KeepAlive, func(err error) {
			h.options.Logger.Debug("a stream ended", slog.Any("reason", err))
			leave() // who reads no more has cancelled
		})
		e.Stream = out
	}
	buffer := wire.GetBuffer()
	defer wire.PutBuffer(buffer)
	*buffer = e.Answer(ctx, legacy, *buffer)
	if ctx.Err() != nil {
		*buffer = (*buffer)[:0] // nobody reads it
	}
	if out != nil && out.End(*buffer) || ctx.Err() != nil {
		return
	}
	wire.Write(w, status(e, early, len(*buffer) == 0), *buffer, h.options.WriteTimeout)
}

// status is that of an answer; early says that the message was refused before
// it was served.
func status(e *mcp.Exchange, early, empty bool) int {
	switch {
	case early || e.Code() == mcp.CodeInvalidRequest || e.Modern && e.Code() == mcp.CodeMissingCapability:
		return http.StatusBadRequest
	case empty:
		return http.StatusAccepted
	case e.Modern && e.Code() == mcp.CodeMethodNotFound:
		return http.StatusNotFound
	}
	return http.StatusOK
}

// openStream counts a stream that is open for what comes unasked; the caller
// takes it off again. It has answered where it reports false.
func (h *Handler) openStream(w http.ResponseWriter) bool {
	if h.streams.Add(1) <= int64(h.options.MaxStreams) {
		return true
	}
	h.streams.Add(-1)
	w.Header().Set("Retry-After", "60")
	wire.Refuse(w, http.StatusServiceUnavailable, mcp.CodeInvalidRequest, "too many streams are open; come back later")
	return false
}
