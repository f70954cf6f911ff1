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

	mu      sync.Mutex
	room    sync.Cond // pending has shrunk, or the writer is closed
	pending []byte
	writing bool
	closed  bool
}

func newFrameWriter(out func(frames []byte) error, fail func(error)) *frameWriter {
	w := &frameWriter{out: out, fail: fail}
	w.room.L = &w.mu
	return w
}

// write queues frames and sees that they are written, now or by the goroutine
// that is writing. It does not keep frames. After close or a failure it
// drops them.
func (w *frameWriter) write(frames []byte) {
	w.mu.Lock()
	for w.writing && len(w.pending) > pendingBytesMax && !w.closed {
		w.room.Wait()
	}
	if w.closed {
		w.mu.Unlock()
		return
	}
	if w.writing {
		w.pending = append(w.pending, frames...)
		w.mu.Unlock()
		return
	}
	w.writing = true
	var spare []byte
	for len(frames) > 0 && !w.closed {
		w.mu.Unlock()
		err := w.out(frames)
		w.mu.Lock()
		if err != nil && !w.closed {
			w.closed = true
			w.fail(err)
		}
		frames, w.pending = w.pending, spare[:0]
		spare = frames
		if cap(spare) > bufferKeptMax {
			spare = nil
		}
		w.room.Broadcast()
	}
	w.writing = false
	w.mu.Unlock()
}

// close drops what waits and lets everyone who waits go.
func (w *frameWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.room.Broadcast()
}

// send is write for one frame without a line break.
func (w *frameWriter) send(_ context.Context, frame []byte) error {
	w.write(append(frame, '\n'))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	return nil
}
