package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
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
	write := func(frames []byte) error {
		_, err := out.Write(frames)
		return err
	}
	c := newConn(ctx, s, write, ConnOptions{})
	defer c.Close()
	read := make(chan error, 1)
	go func() { // ends with in, or at the first line after ctx has ended
		read <- c.read(in)
	}()
	var err error
	select {
	case err = <-read:
		c.Drain()
	case <-c.Done():
	}
	return errors.Join(err, c.Err())
}

// Sizes of the reading side.
const (
	readBytesMin   = 64 << 10 // the read buffer, grown for long lines only
	framesFlushMin = 64 << 10 // answers gathered before they are written early
)

// read handles the lines of in until it ends. A line above the limit is
// skipped without being held.
func (c *Conn) read(in io.Reader) error {
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
			return wrap("reading messages: ", err)
		}
	}
}

// handleLines handles each whole line that is buffered; at the end of input
// also what stands behind the last line break.
func (c *Conn) handleLines(lines *lineReader, ended bool) {
	defer c.lookInto(time.Now())
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
	return refuse(CodeInvalidRequest, "the message is longer than the limit of "+itoa(max)+" bytes")
}

// shown cuts what a client sent to a length that suits a log or an error.
//
//go:noinline
func shown(text []byte) string {
	return string(text[:min(len(text), shownBytesMax)])
}

const shownBytesMax = 128
