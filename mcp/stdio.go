package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// ServeStdio serves one connection whose messages are lines: one JSON-RPC
// message a line in each direction. It answers until in ends, then lets the
// calls in flight finish, and returns nil.
//
// When ctx ends it cancels the calls in flight, waits for their handlers,
// answers nothing more and returns ctx's error. A Read or Write of in or out
// that is stuck at that moment cannot be interrupted from here; its goroutine
// ends when that call returns, and touches nothing by then.
//
// It returns the error of in or out when one fails. Nothing but JSON-RPC is
// written to out.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c := newStdioConn(ctx, s, out)
	read := make(chan error, 1)
	go func() { // ends with in, or at the first line after ctx has ended
		read <- c.read(in)
	}()
	var err error
	select {
	case err = <-read:
	case <-ctx.Done():
	case <-c.out.failed:
	}
	if ctx.Err() == nil && c.out.err() == nil {
		c.drain()
	}
	if failure := c.out.err(); failure != nil {
		err = errors.Join(err, fmt.Errorf("writing answers: %w", failure))
	}
	err = errors.Join(err, ctx.Err())
	c.close(stop)
	return err
}

// stdioConn is one connection of ServeStdio.
type stdioConn struct {
	server  *Server
	ctx     context.Context
	session *session
	out     *frameWriter
	calls   *callPool

	call   CallRequest // of the inline tool that runs
	frames []byte      // answers of the reading goroutine, not yet written

	reading sync.Mutex // held by the reading goroutine while it handles lines
}

func newStdioConn(ctx context.Context, s *Server, out io.Writer) *stdioConn {
	c := &stdioConn{server: s, ctx: ctx, session: newSession(s), out: newFrameWriter(out)}
	c.calls = newCallPool(ctx, s, c.out)
	return c
}

// drain waits for the calls in flight and for their answers to be written.
// It is cut short when the context ends or out fails.
func (c *stdioConn) drain() {
	done := make(chan struct{})
	go func() { // ends when the last call does, as close makes sure
		c.calls.wait()
		close(done)
	}()
	select {
	case <-done:
	case <-c.ctx.Done():
	case <-c.out.failed:
	}
}

// close cancels what is left, and waits for handlers, not for stuck writes.
func (c *stdioConn) close(stop context.CancelFunc) {
	stop()
	c.out.close()
	c.calls.close()
	c.reading.Lock() // an inline tool may be running
	defer c.reading.Unlock()
}

// Sizes of the reading side.
const (
	readBytesMin   = 64 << 10 // the read buffer, grown for long lines only
	framesFlushMin = 64 << 10 // answers gathered before they are written early
)

// read handles the lines of in until it ends. A line above the limit is
// skipped without being held.
func (c *stdioConn) read(in io.Reader) error {
	lines := lineReader{in: in, max: c.server.options.MaxMessageBytes, buf: make([]byte, readBytesMin)}
	for {
		err := lines.fill()
		c.reading.Lock()
		if c.ctx.Err() != nil {
			c.reading.Unlock()
			return nil
		}
		c.handleLines(&lines, err != nil)
		c.reading.Unlock()
		c.flush()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("reading messages: %w", err)
		}
	}
}

// handleLines handles each whole line that is buffered; at the end of input
// also what stands behind the last line break.
func (c *stdioConn) handleLines(lines *lineReader, ended bool) {
	for c.ctx.Err() == nil {
		line, tooLong, ok := lines.next(ended)
		if !ok {
			return
		}
		if tooLong {
			c.frames = append(appendError(c.frames, nil, tooLongError(lines.max)), '\n')
		} else if line = bytes.TrimSuffix(line, crlf[:1]); len(line) > 0 {
			c.handle(line)
		}
		if len(c.frames) >= framesFlushMin {
			c.flushEarly()
		}
	}
}

var crlf = []byte("\r\n")

func tooLongError(max int) *wireError {
	return &wireError{code: CodeInvalidRequest, message: fmt.Sprintf("the message is longer than the limit of %d bytes", max)}
}

// flush hands the reading goroutine's answers to the writer.
func (c *stdioConn) flush() {
	if c.ctx.Err() == nil && len(c.frames) > 0 {
		c.out.write(c.frames)
	}
	if c.frames = c.frames[:0]; cap(c.frames) > bufferKeptMax {
		c.frames = nil
	}
}

// flushEarly is flush while lines are being handled.
func (c *stdioConn) flushEarly() {
	c.reading.Unlock() // a write may block for as long as the client likes
	c.flush()
	c.reading.Lock()
}

// submit hands r to a worker. Where that takes waiting, the answers that are
// ready do not wait too.
func (c *stdioConn) submit(r *request, key string) *wireError {
	if !c.calls.hasRoom(r.size()) {
		c.flushEarly()
		c.calls.waitRoom(r.size())
	}
	return c.calls.submit(r, key)
}

// handle serves one line. Answers that are ready at once go to c.frames.
func (c *stdioConn) handle(line []byte) {
	m, bad := c.session.scanner.parse(line)
	if bad == nil {
		switch m.kind {
		case kindRequest:
			bad = c.request(&m)
		case kindNotification:
			c.notification(&m)
		case kindResponse:
			c.server.options.Logger.Warn("ignored a response to a request that was never sent", slog.String("id", shown(m.id)))
		case kindBatch:
			bad = c.batch(line)
		}
	}
	if bad != nil {
		c.refuse(&m, bad)
	}
}

// request runs a request here or has a worker run it.
func (c *stdioConn) request(m *message) *wireError {
	r, bad := c.session.accept(m)
	if bad != nil {
		return bad
	}
	if r.act == actToolsCall && !r.tool.Inline {
		return c.submit(&r, c.session.scanner.idKey(r.id))
	}
	c.frames = append(c.server.respond(c.ctx, &r, &c.call, c.frames), '\n')
	return nil
}

// batch handles the notifications of a batch and has a worker answer its
// requests. Those cannot be cancelled one by one.
func (c *stdioConn) batch(frame []byte) *wireError {
	if bad := c.session.scanner.checkBatch(frame, c.session.version); bad != nil {
		return bad
	}
	for element := range batchElements(frame) {
		if m, bad := c.session.scanner.parse(element); bad == nil && m.kind == kindNotification {
			c.notification(&m)
		}
	}
	return c.submit(&request{act: actBatch, version: batchVersion, arguments: frame}, "")
}

// refuse answers a message that cannot be served, unless it is a well-formed
// notification: those are never answered.
func (c *stdioConn) refuse(m *message, bad *wireError) {
	if m.kind == kindNotification {
		c.server.options.Logger.Warn("ignored a bad notification", slog.String("method", shown(m.method)), slog.Any("error", bad))
		return
	}
	c.frames = append(appendError(c.frames, m.id, bad), '\n')
}

// notification handles what needs no answer. A request's method without an id
// is such a notification by JSON-RPC 2.0 section 4.1: it is logged, not run,
// since nobody could learn its outcome.
func (c *stdioConn) notification(m *message) {
	switch string(m.method) {
	case methodCancelled:
		if id := m.param("requestId"); id != nil && validID(id) {
			c.calls.cancel(c.session.scanner.idKey(id), m.param("reason"))
			return
		}
		c.server.options.Logger.Warn("ignored notifications/cancelled without a valid requestId")
	case methodInitialized:
	default:
		c.server.options.Logger.Warn("ignored a notification; a request needs an id", slog.String("method", shown(m.method)))
	}
}

// shown cuts what a client sent to a length that suits a log or an error.
func shown(text []byte) string {
	return string(text[:min(len(text), shownBytesMax)])
}

const shownBytesMax = 128
