package streamable

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wire"
)

// get opens a session's stream for what comes unasked, or resumes one.
func (h *Handler) get(w http.ResponseWriter, r *http.Request, s *session) {
	if _, events := wire.Accepts(r); !events {
		wire.Refuse(w, http.StatusNotAcceptable, mcp.CodeInvalidRequest, "the Accept header must list text/event-stream")
		return
	}
	if version := r.Header.Get(headerVersion); version != "" && !mcp.IsLegacyVersion(version) {
		wire.Refuse(w, http.StatusBadRequest, mcp.CodeUnsupportedVersion, "the protocol version "+cut(version)+" has no streams to GET")
		return
	}
	if !h.openStream(w) {
		return
	}
	defer h.streams.Add(-1)
	st, after, ok := s.find(r.Header.Get(headerLastEvent))
	if !ok {
		wire.Refuse(w, http.StatusBadRequest, mcp.CodeInvalidRequest, "the stream of this "+headerLastEvent+" cannot be resumed: it is not known, or no longer held")
		return
	}
	if st == nil {
		var status int
		if st, status = s.open(); status != 0 {
			wire.Refuse(w, status, mcp.CodeInvalidRequest, "the session has ended, or the server is stopping")
			return
		}
	}
	ctx, stop := httpguard.UntilExpiry(r.Context())
	defer stop()
	out := h.newAttachment(w, r.WithContext(ctx))
	defer out.end()
	if !st.attach(out, after) {
		wire.Refuse(w, http.StatusBadRequest, mcp.CodeInvalidRequest, "the stream cannot be resumed after this "+headerLastEvent+": what followed it is no longer held")
		return
	}
	defer st.detach(out)
	if st.request {
		<-out.ctx.Done()
		return
	}
	if err := s.core.Attach(out.ctx, st); err != nil && !errors.Is(err, context.Canceled) {
		h.options.Logger.Debug("a session's stream ended", slog.Any("reason", err))
	}
}

// find returns the stream that an event belongs to, and the event's number;
// no stream for no event. It reports false when it is not held.
func (s *session) find(id string) (st *stream, after int64, ok bool) {
	if id == "" {
		return nil, 0, true
	}
	number, after, ok := parseID(id)
	if !ok {
		return nil, 0, false
	}
	s.handler.mu.Lock()
	defer s.handler.mu.Unlock()
	st = s.streams[number]
	return st, after, st != nil
}

// open makes the session's stream for what comes unasked, in place of the one
// there was. A status other than 0 is that of a refusal.
func (s *session) open() (*stream, int) {
	st := &stream{session: s}
	if !s.register(st) {
		return nil, http.StatusNotFound
	}
	if s.core.Version() >= mcp.VersionLegacy {
		st.last++
		st.hold(event{number: st.last}) // for its id: the client may come back before anything is sent
	}
	h := s.handler
	h.mu.Lock()
	old := s.general
	s.general = st
	draining := h.draining
	if old != nil {
		delete(s.streams, old.number)
	}
	h.mu.Unlock()
	if old != nil {
		old.forget()
	}
	if draining {
		return nil, http.StatusServiceUnavailable
	}
	return st, 0
}
