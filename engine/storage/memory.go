package storage

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// Memory is a Dir in memory: empty at first, gone with the process, and durable
// as long as that. Syncs cost nothing.
func Memory() Dir { return &memoryDir{files: map[string]*memoryData{}} }

var (
	_ Dir  = (*memoryDir)(nil)
	_ File = (*memoryFile)(nil)
)

type memoryDir struct {
	mu     sync.Mutex
	files  map[string]*memoryData
	locked bool
	holder Holder
}

// memoryData is what a file holds, under whichever name.
type memoryData struct {
	mu      sync.RWMutex
	bytes   []byte
	removed bool
}

// memoryFile is an open file.
type memoryFile struct {
	*memoryData
	name     string
	readOnly bool

	// closed is guarded by the data's mu.
	closed bool
}

func (d *memoryDir) String() string { return "memory" }

func (d *memoryDir) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), nil
}

func (d *memoryDir) Create(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ValidName(name) {
		return nil, failed("creating", name, ErrName)
	}
	if d.files[name] != nil {
		return nil, failed("creating", name, fs.ErrExist)
	}
	data := &memoryData{}
	d.files[name] = data
	return &memoryFile{memoryData: data, name: name}, nil
}

func (d *memoryDir) Open(name string) (File, error) { return d.open(name, true) }

func (d *memoryDir) OpenWrite(name string) (File, error) { return d.open(name, false) }

func (d *memoryDir) open(name string, readOnly bool) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	data, err := d.find(name)
	if err != nil {
		return nil, failed("opening", name, err)
	}
	return &memoryFile{memoryData: data, name: name, readOnly: readOnly}, nil
}

// find is the file of that name. The caller holds mu.
func (d *memoryDir) find(name string) (*memoryData, error) {
	if !ValidName(name) {
		return nil, ErrName
	}
	if data := d.files[name]; data != nil {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (d *memoryDir) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	data, err := d.find(from)
	if err == nil && !ValidName(to) {
		err = ErrName
	}
	if err != nil {
		return failed("renaming", from, err)
	}
	if from != to {
		d.removeLocked(to)
		delete(d.files, from)
		d.files[to] = data
	}
	return nil
}

func (d *memoryDir) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.find(name); err != nil {
		return failed("removing", name, err)
	}
	d.removeLocked(name)
	return nil
}

// removeLocked removes the file of that name, if there is one.
func (d *memoryDir) removeLocked(name string) {
	if data := d.files[name]; data != nil {
		data.mu.Lock()
		data.removed = true
		data.mu.Unlock()
		delete(d.files, name)
	}
}

func (d *memoryDir) Sync() error { return nil }

func (d *memoryDir) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, &LockedError{Dir: d.String(), Holder: d.holder}
	}
	d.locked, d.holder = true, thisHolder()
	return closer(sync.OnceValue(func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.locked = false
		return nil
	})), nil
}

// closer is a function as an io.Closer.
type closer func() error

func (c closer) Close() error { return c() }

// errOffset is what a negative offset or length gets.
var errOffset = errors.New("a negative offset or length")

// check is what every method does first. The caller holds mu.
func (f *memoryFile) check(writes bool, n int64) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case writes && f.readOnly:
		return fs.ErrPermission
	case n < 0:
		return errOffset
	}
	return nil
}

func (f *memoryFile) ReadAt(p []byte, offset int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err := f.check(false, offset); err != nil {
		return 0, failed("reading", f.name, err)
	}
	n := 0
	if offset < int64(len(f.bytes)) {
		n = copy(p, f.bytes[offset:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(p []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(true, offset); err != nil {
		return 0, failed("writing", f.name, err)
	}
	f.growLocked(offset + int64(len(p)))
	return copy(f.bytes[offset:], p), nil
}

// growLocked makes the file at least size bytes long.
func (f *memoryFile) growLocked(size int64) {
	if more := size - int64(len(f.bytes)); more > 0 {
		old := len(f.bytes)
		f.bytes = slices.Grow(f.bytes, int(more))[:size]
		clear(f.bytes[old:]) // a longer file may have been here before
	}
}

func (f *memoryFile) Size() (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err := f.check(false, 0); err != nil {
		return 0, failed("measuring", f.name, err)
	}
	return int64(len(f.bytes)), nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(true, size); err != nil {
		return failed("cutting", f.name, err)
	}
	f.growLocked(size)
	f.bytes = f.bytes[:size]
	return nil
}

func (f *memoryFile) Preallocate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(true, size); err != nil {
		return failed("preallocating", f.name, err)
	}
	f.growLocked(size)
	return nil
}

func (f *memoryFile) Sync() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	err := f.check(true, 0)
	if err == nil && f.removed {
		err = ErrRemoved
	}
	return failed("syncing", f.name, err)
}

func (f *memoryFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return failed("closing", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}
