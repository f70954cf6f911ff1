package mcp

import (
	"bytes"
	"context"
	"errors"
)

// Stream carries messages to one client. A transport implements it, and the
// core sends all it has to say through it: answers, notifications and, to
// legacy clients, requests.
type Stream interface {
	// Send sends one whole JSON-RPC message: one line of UTF-8 without a line
	// break. It does not keep frame. It may block while the client is slow, but
	// not longer than ctx lasts. An error means that the message is lost and
	// that the stream is of no more use.
	//
	// The core calls Send of one Stream from one goroutine at a time.
	Send(ctx context.Context, frame []byte) error
}

// Interrupter is what a Stream may also be, whose client can resume it over
// another connection (legacy streamable HTTP): Interrupt closes the connection
// below, and what is sent afterwards waits for the client to come back.
type Interrupter interface {
	Interrupt(ctx context.Context) error
}

// sender takes one frame without a line break. It is safe for concurrent use.
type sender interface {
	send(ctx context.Context, frame []byte) error
}

// streamLines returns a write function for a frameWriter that gives each line
// to out.
func streamLines(ctx context.Context, out Stream) func(frames []byte) error {
	return func(frames []byte) error {
		for len(frames) > 0 {
			line, rest, _ := bytes.Cut(frames, lineBreak)
			if err := out.Send(ctx, line); err != nil {
				return err
			}
			frames = rest
		}
		return nil
	}
}

var lineBreak = []byte("\n")

// streamSender makes a Stream safe for concurrent use. A mutex would not do:
// who waits must be able to leave when its context ends.
type streamSender struct {
	out    Stream
	turn   chan struct{} // holds one token while nobody sends
	closed chan struct{}

	broken  chan struct{} // closed when a Send has failed
	failure error         // of that Send
}

func newStreamSender(out Stream) *streamSender {
	s := &streamSender{out: out, turn: make(chan struct{}, 1), closed: make(chan struct{}), broken: make(chan struct{})}
	s.turn <- struct{}{}
	return s
}

func (s *streamSender) send(ctx context.Context, frame []byte) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	}
	defer func() { s.turn <- struct{}{} }()
	if s.failure != nil {
		return s.failure
	}
	if err := s.out.Send(ctx, frame); err != nil {
		s.failure = err
		close(s.broken)
		return err
	}
	return nil
}

// close waits until nobody sends, and refuses whoever comes later.
func (s *streamSender) close() {
	<-s.turn
	close(s.closed)
}

// ErrNoStream is returned to a handler whose client cannot be asked or told
// anything before the answer: the transport has no way to.
var ErrNoStream = errors.New("mcp: the transport carries nothing to the client but the answer")

// ErrClosed is returned to a handler whose call, or whose client's session, is
// over.
var ErrClosed = errors.New("mcp: the call is over")

// interrupt has the stream interrupted, if it can be.
func (s *streamSender) interrupt(ctx context.Context) error {
	i, ok := s.out.(Interrupter)
	if !ok {
		return nil
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	}
	defer func() { s.turn <- struct{}{} }()
	return i.Interrupt(ctx)
}
