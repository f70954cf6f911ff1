package main

import (
	"errors"
	"io"
	"iter"

	"github.com/ingot-run/ingot/engine"
)

// chunkBytesMax is the longest chunk of a snapshot that one call hands out.
const chunkBytesMax = 1 << 20

// A snapshot passes in chunks, so that neither side holds it twice. The engine pushes into an io.Writer and pulls from an io.Reader while
// the host wants to do both from its side: a coroutine (iter.Pull) turns each
// around. It runs only inside a call.

// outgoing is a snapshot that is being read by the host.
type outgoing struct {
	store *engine.Store
	next  func() ([]byte, bool)
	stop  func()
	err   error
	rest  []byte // of the engine's last write
}

// chunkWriter passes what is written to yield.
type chunkWriter func(chunk []byte) bool

var errStopped = errors.New("wasm: the host closed the stream")

func (w chunkWriter) Write(p []byte) (int, error) {
	if !w(p) {
		return 0, errStopped
	}
	return len(p), nil
}

var outgoings table[outgoing]

// snapshotOpen starts a snapshot of this moment and returns its handle. A store
// makes one snapshot at a time, and would wait for ever for the one before.
//
//go:wasmexport ingot_snapshot_open
func snapshotOpen(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	for _, other := range outgoings.slots {
		if other != nil && other.store == s {
			return fail(errBusy)
		}
	}
	o := &outgoing{store: s}
	o.next, o.stop = iter.Pull(func(yield func([]byte) bool) {
		o.err = s.Snapshot(chunkWriter(yield))
	})
	o.rest, _ = o.next() // the engine captures its contents before it writes
	if o.err != nil {
		return fail(o.err)
	}
	handle := outgoings.add(o)
	if handle < 0 {
		o.stop()
	}
	return handle
}

// snapshotRead replies with the next chunk and returns its length; 0 is the
// end. After the end or an error the handle is free.
//
//go:wasmexport ingot_snapshot_read
func snapshotRead(snapshot uint32) int32 {
	o := outgoings.at(snapshot)
	if o == nil {
		return fail(errHandle)
	}
	if len(o.rest) == 0 {
		o.rest, _ = o.next()
	}
	if len(o.rest) == 0 {
		outgoings.remove(snapshot)
		if o.err != nil {
			return fail(o.err)
		}
		return 0
	}
	chunk := o.rest[:min(len(o.rest), chunkBytesMax)]
	o.rest = o.rest[len(chunk):]
	return reply(append(area[:0], chunk...), 0)
}

// snapshotClose gives up a snapshot before its end.
//
//go:wasmexport ingot_snapshot_close
func snapshotClose(snapshot uint32) int32 {
	o := outgoings.at(snapshot)
	if o == nil {
		return fail(errHandle)
	}
	o.stop()
	outgoings.remove(snapshot)
	return 0
}

// incoming is a snapshot that the host is writing.
type incoming struct {
	step  func() (struct{}, bool)
	stop  func()
	chunk []byte // what the engine has not read yet
	ended bool
	err   error
}

// chunkReader reads chunks and waits through yield for the next one.
type chunkReader struct {
	in    *incoming
	yield func(struct{}) bool
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.in.chunk) == 0 {
		if r.in.ended {
			return 0, io.EOF
		}
		if !r.yield(struct{}{}) {
			return 0, errStopped
		}
	}
	n := copy(p, r.in.chunk)
	r.in.chunk = r.in.chunk[n:]
	return n, nil
}

var incomings table[incoming]

// restoreOpen starts a restore and returns its handle.
//
//go:wasmexport ingot_restore_open
func restoreOpen(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	in := &incoming{}
	in.step, in.stop = iter.Pull(func(yield func(struct{}) bool) {
		in.err = s.Restore(&chunkReader{in: in, yield: yield})
	})
	handle := incomings.add(in)
	if handle < 0 {
		in.stop()
	}
	return handle
}

// restoreWrite takes the next chunk. Request: chunk. Damage is reported as soon
// as it is read; after an error the handle is free.
//
//go:wasmexport ingot_restore_write
func restoreWrite(restore, chunkBytes uint32) int32 {
	in := incomings.at(restore)
	if in == nil {
		return fail(errHandle)
	}
	if int(chunkBytes) > len(area) {
		return fail(errRequest)
	}
	in.chunk = area[:chunkBytes]
	if _, waiting := in.step(); !waiting {
		incomings.remove(restore)
		if in.err == nil { // Restore reads to the end of the stream before it succeeds
			in.err = engine.ErrSnapshot
		}
		return fail(in.err)
	}
	return 0
}

// restoreEnd says that all was written and puts the snapshot in the place of
// the store's contents. The handle is free afterwards.
//
//go:wasmexport ingot_restore_end
func restoreEnd(restore uint32) int32 {
	in := incomings.at(restore)
	if in == nil {
		return fail(errHandle)
	}
	incomings.remove(restore)
	in.ended = true
	in.step()
	if in.err != nil {
		return fail(in.err)
	}
	return 0
}

// restoreClose gives up a restore; the store is unchanged.
//
//go:wasmexport ingot_restore_close
func restoreClose(restore uint32) int32 {
	in := incomings.at(restore)
	if in == nil {
		return fail(errHandle)
	}
	in.stop()
	incomings.remove(restore)
	return 0
}
