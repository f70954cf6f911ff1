package simdir

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/ingot-run/ingot/engine/storage"
)

// change is a change of a file: bytes at an offset, or, where they are nil, a
// new length.
type change struct {
	offset int64
	bytes  []byte
	size   int64
}

// apply makes the change in contents that it may overwrite, and returns them.
func (c change) apply(data []byte) []byte {
	if c.bytes == nil {
		return resized(data, c.size)
	}
	data = resized(data, max(int64(len(data)), c.offset+int64(len(c.bytes))))
	copy(data[c.offset:], c.bytes)
	return data
}

// resized is data cut, or extended by zeros.
func resized(data []byte, size int64) []byte {
	if more := int(size) - len(data); more > 0 {
		old := len(data)
		data = slices.Grow(data, more)[:size]
		clear(data[old:])
	}
	return data[:size]
}

// file is an open file.
type file struct {
	dir      *Dir
	node     *inode
	name     string
	readOnly bool

	// closed is guarded by the disk's mu.
	closed bool
}

// check is what every call asks first; length is a length or an offset.
func (f *file) check(writes bool, length int64) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case writes && f.readOnly:
		return fs.ErrPermission
	case writes && f.dir.faults.readOnly:
		return storage.ErrReadOnly
	case length < 0:
		return errors.New("a negative offset or length")
	}
	return nil
}

// changeLocked changes the file.
func (f *file) changeLocked(c change) {
	f.node.data = c.apply(f.node.data)
	f.node.pending = append(f.node.pending, c)
}

// ReadAt reads; where a fault is due it reads a part and returns the fault.
func (f *file) ReadAt(p []byte, offset int64) (n int, err error) {
	err = f.dir.call(Event{Op: OpRead, Name: f.name, Offset: offset, Size: int64(len(p))}, func(fault error) error {
		if err := f.check(false, offset); err != nil {
			return err
		}
		if offset < int64(len(f.node.data)) {
			n = copy(p, f.node.data[offset:])
		}
		switch {
		case fault != nil && n > 0:
			n = f.dir.rng.IntN(n)
			return fault
		case fault != nil:
			return fault
		case n < len(p):
			return io.EOF
		}
		return nil
	})
	return n, err
}

// WriteAt writes; where a fault is due or the space ends it writes a part.
func (f *file) WriteAt(p []byte, offset int64) (n int, err error) {
	err = f.dir.call(Event{Op: OpWrite, Name: f.name, Offset: offset, Size: int64(len(p))}, func(fault error) error {
		if err := f.check(true, offset); err != nil {
			return err
		}
		n = len(p)
		if fault != nil && n > 0 {
			n = f.dir.rng.IntN(n)
		}
		if space := f.dir.spaceLocked(f.node); offset+int64(n) > space {
			n = int(max(space-offset, 0))
			fault = storage.ErrSpace
		}
		if n > 0 {
			f.changeLocked(change{offset: offset, bytes: slices.Clone(p[:n])})
		}
		return fault
	})
	return n, err
}

func (f *file) Size() (size int64, err error) {
	err = f.dir.call(Event{Op: OpSize, Name: f.name}, whole(func() error {
		size = int64(len(f.node.data))
		return f.check(false, 0)
	}))
	return size, err
}

func (f *file) Truncate(size int64) error {
	return f.dir.call(Event{Op: OpTruncate, Name: f.name, Size: size}, whole(func() error {
		return f.resizeLocked(size)
	}))
}

func (f *file) Preallocate(size int64) error {
	return f.dir.call(Event{Op: OpPreallocate, Name: f.name, Size: size}, whole(func() error {
		if size >= 0 {
			size = max(size, int64(len(f.node.data)))
		}
		return f.resizeLocked(size)
	}))
}

func (f *file) resizeLocked(size int64) error {
	if err := f.check(true, size); err != nil {
		return err
	}
	if size > int64(len(f.node.data)) && size > f.dir.spaceLocked(f.node) {
		return storage.ErrSpace
	}
	f.changeLocked(change{size: size})
	return nil
}

// Sync makes the file durable. Where a fault is due it makes durable what a
// crash might have, and forgets the rest.
func (f *file) Sync() error {
	return f.dir.call(Event{Op: OpSync, Name: f.name}, func(fault error) error {
		if err := f.check(true, 0); err != nil {
			return err
		}
		if fault != nil {
			f.node.durable = f.dir.survivorsLocked(f.node, f.dir.rng)
			f.node.pending = nil
			return fault
		}
		for _, c := range f.node.pending {
			f.node.durable = c.apply(f.node.durable)
		}
		f.node.pending = nil
		if !f.dir.namedLocked(f.node) {
			return storage.ErrRemoved
		}
		return nil
	})
}

func (f *file) Close() error {
	return f.dir.call(Event{Op: OpClose, Name: f.name}, whole(func() error {
		if f.closed {
			return fs.ErrClosed
		}
		f.closed = true
		f.node.opens--
		return nil
	}))
}
