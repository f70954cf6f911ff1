package mcp

import (
	"context"
	"sync"
)

// bufferKeptMax is the largest buffer kept for reuse: one large message must
// not hold its memory for the rest of the connection.
const bufferKeptMax = 1 << 20

// pendingBytesMax is how many bytes may wait for a slow client before those
// who bring more are made to wait too.
const pendingBytesMax = 1 << 20

// frameWriter writes whole frames from several goroutines, one at a time, in
// as few writes as it can: who comes while a write runs leaves its frames for
// the one that writes. It has no goroutine of its own, so that an answer on an
// idle connection costs no hand-over.
type frameWriter struct {
	out  func(frames []byte) error
	fail func(error) // told of the write that failed
	// commit sees to the records of answers among frames before those are written, and
	// replaces the answers where that fails; nil: nobody records.
	commit func(frames []byte, held []heldAnswer) []byte

	mu      sync.Mutex
	room    sync.Cond // pending has shrunk, or the writer is closed
	pending []byte
	held    []heldAnswer // of pending
	writing bool
	closed  bool
}

func newFrameWriter(out func(frames []byte) error, fail func(error)) *frameWriter {
	w := &frameWriter{out: out, fail: fail}
	w.room.L = &w.mu
	return w
}

// write queues frames and sees that they are written, now or by the goroutine
// that is writing; those that are held once they are committed. It keeps neither
// frames nor held. After close or a failure it drops them.
func (w *frameWriter) write(frames []byte, held ...heldAnswer) {
	w.mu.Lock()
	for w.writing && len(w.pending) > pendingBytesMax && !w.closed {
		w.room.Wait()
	}
	if w.closed {
		w.mu.Unlock()
		return
	}
	if w.writing {
		for _, h := range held {
			h.from, h.to = h.from+len(w.pending), h.to+len(w.pending)
			w.held = append(w.held, h)
		}
		w.pending = append(w.pending, frames...)
		w.mu.Unlock()
		return
	}
	w.writing = true
	w.drain(frames, held)
	w.mu.Unlock()
}

// drain writes frames and then what others leave meanwhile. It is called and
// returns with mu held, and writing set by the caller.
func (w *frameWriter) drain(frames []byte, held []heldAnswer) {
	var spare []byte
	var spareHeld []heldAnswer
	for len(frames) > 0 && !w.closed {
		w.mu.Unlock()
		if len(held) > 0 {
			frames = w.commit(frames, held)
		}
		err := w.out(frames)
		w.mu.Lock()
		if err != nil && !w.closed {
			w.closed = true
			w.fail(err)
		}
		frames, w.pending = w.pending, spare[:0]
		held, w.held = w.held, spareHeld[:0]
		spare, spareHeld = frames, held
		if cap(spare) > bufferKeptMax {
			spare = nil
		}
		w.room.Broadcast()
	}
	w.writing = false
	w.room.Broadcast()
}

// close drops what waits and lets everyone who waits go.
func (w *frameWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.room.Broadcast()
}

// send queues one frame without a line break. It waits for room, but unlike
// write not for a write that is stuck: its caller may be a handler, which has
// to end when its context does.
func (w *frameWriter) send(ctx context.Context, frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > pendingBytesMax {
		defer context.AfterFunc(ctx, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.room.Broadcast()
		})()
	}
	for w.writing && len(w.pending) > pendingBytesMax && !w.closed && ctx.Err() == nil {
		w.room.Wait()
	}
	switch {
	case w.closed:
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	w.pending = append(append(w.pending, frame...), '\n')
	if !w.writing {
		w.writing = true
		go func() { // ends when all is written, or when a stuck write returns
			w.mu.Lock()
			defer w.mu.Unlock()
			frames, held := w.pending, w.held
			w.pending, w.held = nil, nil
			w.drain(frames, held)
		}()
	}
	return nil
}

// flushed waits until nothing is written or waits to be, or ctx ends.
func (w *frameWriter) flushed(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.room.Broadcast()
	})()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing && !w.closed && ctx.Err() == nil {
		w.room.Wait()
	}
}
