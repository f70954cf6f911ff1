package mcp

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"sync"
)

// Call is a handler's way to its client while it runs: progress, log messages
// and questions. It is safe for concurrent use. When the handler has returned,
// or the client has cancelled the call, its methods send nothing and return
// [ErrClosed].
type Call struct {
	from  *request
	ctx   context.Context // of the request: ends when the client cancels it
	token []byte          // the progress token as sent, or nil

	starts chan *task // takes the task that the call becomes; nil: it cannot

	mu       sync.Mutex
	over     bool
	task     *task   // that the call has become
	progress float64 // the last one sent
	logged   int
	asked    int    // questions without a key of their own
	round    *round // what the request brought back; nil until it matters
	end      func() *wireError
}

// handle is the part of a handler's request that gives out its Call. The Call
// is made when it is first asked for: most calls need none.
type handle struct {
	from *request
	ctx  context.Context
	call *Call

	starts chan *task // of the Call
}

// open returns the Call.
func (h *handle) open() *Call {
	if h.call == nil {
		// A copy: the request's memory is used again for the next one.
		from := *h.from
		h.call = &Call{from: &from, ctx: h.ctx, progress: math.Inf(-1), starts: h.starts}
		for name, value := range membersOf(from.meta) {
			if name == metaProgressToken && (value[0] == '"' || validID(value)) {
				h.call.token = bytes.Clone(value)
			}
		}
	}
	return h.call
}

// ending returns what answers the request in place of the handler's result: its
// questions, or what is wrong with the answers; nil when there is nothing.
func (c *Call) ending() *wireError {
	if c == nil || c.end == nil {
		return nil
	}
	return c.end()
}

// finish ends the Call, if there is one.
func (h *handle) finish() {
	if h.call != nil {
		h.call.mu.Lock()
		h.call.over = true
		h.call.mu.Unlock()
	}
}

// Principal returns who the client is, as the transport authenticated it; ""
// when it did not.
func (c *Call) Principal() string { return c.from.link.principal }

// Session names the session that the call belongs to, or the connection where
// the transport has no sessions: the same name for all its calls, and another
// one for every other of this process. It is "" where each request stands
// alone, as in modern streamable HTTP.
func (c *Call) Session() string {
	if c.from.link.session == nil {
		return ""
	}
	return strconv.FormatUint(c.from.link.session.number, 36)
}

// ClientInfo returns what the client says its name and version are, as a JSON
// object; nil when it says nothing.
func (c *Call) ClientInfo() []byte { return c.from.client.info }

// send sends a frame about this call.
func (c *Call) send(ctx context.Context, frame []byte) error {
	c.mu.Lock()
	over, inTask := c.over, c.task != nil
	c.mu.Unlock()
	switch {
	case inTask:
		return nil // a task has no stream
	case over || c.ctx.Err() != nil:
		return ErrClosed
	case c.from.link.out == nil:
		return ErrNoStream
	}
	return c.from.link.out.send(ctx, frame)
}

// ofTask returns the task that the call has become, or nil.
func (c *Call) ofTask() *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.task
}

// Progress is how far a call is.
type Progress struct {
	Progress float64 // greater than that of the report before
	Total    float64 // 0 when unknown
	Message  string  // for people; may be empty
}

// Progress reports p to the client, if it asked for reports by a token: if
// not, or if p is not ahead of the last report, nothing is sent and that is no
// error (basic/patterns/progress). It waits for a slow client.
func (c *Call) Progress(ctx context.Context, p *Progress) error {
	if t := c.ofTask(); t != nil {
		t.tell(p.Message)
		return nil
	}
	if c.token == nil || c.from.link.out == nil || math.IsNaN(p.Progress) || math.IsInf(p.Progress, 0) {
		return nil
	}
	c.mu.Lock()
	ahead := p.Progress > c.progress
	if ahead {
		c.progress = p.Progress
	}
	c.mu.Unlock()
	if !ahead {
		return nil
	}
	frame := add([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`), c.token)
	frame = appendFloat(add(frame, `,"progress":`), p.Progress)
	if p.Total > 0 && !math.IsInf(p.Total, 0) {
		frame = appendFloat(add(frame, `,"total":`), p.Total)
	}
	if p.Message != "" && c.from.client.version != "2024-11-05" { // which has no message
		frame = appendString(add(frame, `,"message":`), p.Message)
	}
	return c.send(ctx, add(frame, `}}`))
}

// appendFloat appends a finite number as JSON.
func appendFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// Interrupt closes the connection that carries this call's messages, where the
// client can come back for them (legacy streamable HTTP, SEP-1699). Elsewhere
// it does nothing.
func (c *Call) Interrupt(ctx context.Context) error {
	if s, ok := c.from.link.out.(*streamSender); ok {
		return s.interrupt(ctx)
	}
	return nil
}
