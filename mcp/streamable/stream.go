package streamable

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/internal/wire"
)

// stream is a sequence of events for a session's client, which outlives its
// connections. The id of an event is the stream's number in its session, a
// dash, and the event's number in its stream: "3-17".
type stream struct {
	session *session
	request bool // it belongs to a POST, and ends with its answer

	mu       sync.Mutex
	number   int64
	out      *attachment // nil while the client is away
	began    bool        // the client has an id to come back with
	ended    bool        // the last event is there
	failure  error       // why nothing can be sent any more
	last     int64       // number of the newest event
	sent     int64       // of the newest that was written to a connection
	events   []event     // held for replay, ending with the newest
	bytes    int         // of them
	detached bool        // the session has forgotten the stream: nothing is held
}

// event is one of a stream's. The first may be empty: it is there for its id.
type event struct {
	number int64
	data   []byte
}

// eventOverhead is what an event costs beside its data.
const eventOverhead = 64

// attachment is a connection that a stream is written to.
type attachment struct {
	ctx    context.Context // ends with the connection, or when nothing is written to it any more
	end    context.CancelFunc
	events wire.Events // guarded by the stream's mu
	alive  *time.Timer // sends keep-alives; nil until the stream has begun on it
}

// newAttachment returns one for the response to r; its end must be called.
func (h *Handler) newAttachment(w http.ResponseWriter, r *http.Request) *attachment {
	a := &attachment{events: wire.NewEvents(w, h.options.WriteTimeout)}
	a.ctx, a.end = context.WithCancel(r.Context())
	return a
}

var (
	_ mcp.Stream      = (*stream)(nil)
	_ mcp.Interrupter = (*stream)(nil)
)

var (
	errAway = errors.New("streamable: the client has left, and cannot come back: nothing was sent yet")
	errFull = errors.New("streamable: the client has left, and no more events are held for it")
)

// Send is mcp.Stream's. While the client is away it holds the message for it.
func (st *stream) Send(_ context.Context, frame []byte) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.begin(); err != nil {
		return err
	}
	return st.add(frame, false)
}

// Interrupt is mcp.Interrupter's: the client is to come back.
func (st *stream) Interrupt(context.Context) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.begin(); err != nil || st.out == nil || st.last == 0 {
		return err // without an event's id it could not
	}
	if st.out.events.Retry(st.session.handler.options.Retry) == nil {
		st.releaseLocked()
	}
	return nil
}

// begin gives the client an id to come back with, where its version knows
// such an event (2025-11-25). st.mu is held.
func (st *stream) begin() error {
	if st.failure != nil || st.began {
		return st.failure
	}
	if st.out == nil {
		st.failure = errAway
		return errAway
	}
	if !st.session.register(st) {
		st.failure = mcp.ErrClosed
		return st.failure
	}
	st.began = true
	st.startKeepAlive()
	if st.session.core.Version() < mcp.VersionLegacy {
		return st.write(nil)
	}
	st.last++
	return st.write(&event{number: st.last})
}

// add appends an event and sends it if the client is there. st.mu is held.
func (st *stream) add(frame []byte, final bool) error {
	st.last++
	e := event{number: st.last, data: append([]byte(nil), frame...)}
	if st.out != nil {
		if err := st.write(&e); err != nil {
			return err
		}
	}
	o := &st.session.handler.options
	st.hold(e)
	for len(st.events) > 0 && st.events[0].number <= st.sent && st.tooMuch(o) {
		st.dropFirst()
	}
	if st.tooMuch(o) && (!final || st.tooMuchInAll(o)) {
		st.failure = errFull
	}
	return st.failure
}

// write sends one event; nil sends only what makes the response begin. A client
// that does not take it is away. st.mu is held.
func (st *stream) write(e *event) error {
	var err error
	switch {
	case e == nil:
		err = st.out.events.Begin()
	case len(e.data) == 0:
		err = st.out.events.Prime(st.id(e.number), st.session.handler.options.Retry)
	default:
		err = st.out.events.Message(st.id(e.number), e.data)
	}
	if err != nil {
		if errors.Is(err, wire.ErrSlow) {
			st.session.handler.options.Logger.Info("cut a stream off", "reason", err)
		}
		st.releaseLocked()
		return nil // it is held for when the client is back
	}
	if e != nil {
		st.sent = e.number
	}
	return nil
}

func (st *stream) id(number int64) string {
	return strconv.FormatInt(st.number, 10) + "-" + strconv.FormatInt(number, 10)
}

// parseID is id's inverse.
func parseID(id string) (stream, number int64, ok bool) {
	before, after, ok := strings.Cut(id, "-")
	stream, err1 := strconv.ParseInt(before, 10, 64)
	number, err2 := strconv.ParseInt(after, 10, 64)
	return stream, number, ok && err1 == nil && err2 == nil && stream > 0 && number >= 0
}

func (st *stream) tooMuch(o *HTTPOptions) bool {
	return st.bytes > o.ReplayBytes || st.tooMuchInAll(o)
}

// tooMuchInAll also holds for an answer, which is else held at any length.
func (st *stream) tooMuchInAll(o *HTTPOptions) bool {
	return st.bytes > 0 && st.session.handler.held.Load() > int64(o.ReplayBytesTotal)
}

func (st *stream) hold(e event) {
	if st.detached {
		return
	}
	st.events = append(st.events, e)
	st.count(len(e.data) + eventOverhead)
}

func (st *stream) dropFirst() {
	st.count(-len(st.events[0].data) - eventOverhead)
	st.events[0] = event{}
	st.events = st.events[1:]
}

func (st *stream) count(bytes int) {
	st.bytes += bytes
	st.session.handler.held.Add(int64(bytes))
}

// finish ends the stream of a POST with its answer, unless nothing was sent
// before: then the answer is no event.
func (st *stream) finish(answer []byte) {
	st.mu.Lock()
	began := st.began
	if began && len(answer) > 0 && st.failure == nil {
		// Its error would be that nobody can come for it any more.
		_ = st.add(answer, true)
	}
	if st.failure != nil {
		for len(st.events) > 0 {
			st.dropFirst() // it cannot be resumed to its end
		}
	}
	st.ended = true
	if began {
		st.releaseLocked()
	}
	st.out = nil // the answer is the POST's own
	st.mu.Unlock()
	if began {
		st.session.retire(st)
	}
}

// forget frees what is held. The session does not know the stream any more.
func (st *stream) forget() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.detached = true
	st.releaseLocked()
	for len(st.events) > 0 {
		st.dropFirst()
	}
}

// release ends the connection that the stream is written to, if there is one.
func (st *stream) release() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.releaseLocked()
}

func (st *stream) releaseLocked() {
	if st.out == nil {
		return
	}
	if st.out.alive != nil {
		st.out.alive.Stop()
	}
	st.out.end()
	st.out = nil
}

// detach is release, for one connection only; it reports whether the response
// on it has begun. Nothing is written to it afterwards.
func (st *stream) detach(out *attachment) (began bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.out == out {
		st.releaseLocked()
	}
	return out.events.Began()
}

// attach continues the stream on a new connection, after the event that the
// client had last. It reports false when an event in between is not held.
func (st *stream) attach(out *attachment, after int64) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	held := st.last - int64(len(st.events)) // all up to it are forgotten
	if st.detached || st.failure != nil || after < held && after < st.last || after > st.last {
		return false
	}
	st.releaseLocked()
	st.out, st.began = out, true
	st.startKeepAlive()
	// Errors of write are always nil: that the client has gone again is seen by st.out.
	_ = st.write(nil)
	for _, e := range st.events {
		if e.number > after && st.out == out {
			_ = st.write(&e)
		}
	}
	if st.ended && st.out == out {
		st.releaseLocked()
	}
	return true
}

// startKeepAlive has comments sent on the new connection. st.mu is held.
func (st *stream) startKeepAlive() {
	out, every := st.out, st.session.handler.options.KeepAlive
	out.alive = time.AfterFunc(every, func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.out != out {
			return
		}
		if out.events.KeepAlive() != nil {
			st.releaseLocked()
			return
		}
		out.alive.Reset(every)
	})
}

// register gives st its number, so that it can be found; it reports false when
// the session is over. retire is its partner.
func (s *session) register(st *stream) bool {
	s.handler.mu.Lock()
	defer s.handler.mu.Unlock()
	if s.gone {
		return false
	}
	if s.streams == nil {
		s.streams = make(map[int64]*stream)
	}
	s.streamLast++
	st.number = s.streamLast
	s.streams[st.number] = st
	return true
}

// retire counts st among the ended streams, of which the last are kept.
func (s *session) retire(st *stream) {
	s.handler.mu.Lock()
	var oldest *stream
	if s.streams[st.number] != nil {
		if s.finished = append(s.finished, st); len(s.finished) > finishedMax {
			oldest, s.finished = s.finished[0], s.finished[1:]
			delete(s.streams, oldest.number)
		}
	}
	s.handler.mu.Unlock()
	if oldest != nil {
		oldest.forget()
	}
}
