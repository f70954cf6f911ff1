package simdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/engine/storage"
)

// Op is a kind of call.
type Op string

// The calls on a Dir and on its files.
const (
	OpList        Op = "list"
	OpCreate      Op = "create"
	OpOpen        Op = "open" // Open and OpenWrite
	OpRename      Op = "rename"
	OpRemove      Op = "remove"
	OpSyncDir     Op = "sync directory"
	OpLock        Op = "lock"
	OpRead        Op = "read"
	OpWrite       Op = "write"
	OpSize        Op = "size"
	OpTruncate    Op = "truncate"
	OpPreallocate Op = "preallocate"
	OpSync        Op = "sync"
	OpClose       Op = "close"
)

// Changes reports whether calls of this kind change what a crash may leave.
func (op Op) Changes() bool {
	switch op {
	case OpCreate, OpRename, OpRemove, OpSyncDir, OpWrite, OpTruncate, OpPreallocate, OpSync:
		return true
	}
	return false
}

// Event is a call.
type Event struct {
	Op   Op
	Name string // of the file, at the time it was opened; what a rename renames
	To   string // the new name, of a rename
	// Offset and Size are where a read or write begins and how many bytes it asks
	// for; Size is the length that Truncate and Preallocate ask for.
	Offset, Size int64
	// Err is how it ended; nil in what Before shows.
	Err error
}

func (e Event) String() string {
	text := fmt.Sprintf("%s %s", e.Op, e.Name)
	switch e.Op {
	case OpRename:
		text += " to " + e.To
	case OpRead, OpWrite:
		text += fmt.Sprintf(", %d bytes at %d", e.Size, e.Offset)
	case OpTruncate, OpPreallocate:
		text += fmt.Sprintf(" to %d bytes", e.Size)
	}
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

var (
	_ storage.Dir  = (*Dir)(nil)
	_ storage.File = (*file)(nil)
)

// Dir is a simulated disk with one directory. New, Crash and Kill make one.
type Dir struct {
	turn   sync.Mutex // held during a call, and while the hook of Before looks
	before func(Event)

	mu      sync.Mutex
	rng     *rand.Rand
	names   map[string]*inode // as the system shows them
	durable map[string]*inode // as they were at the last sync of the directory
	pending []entryChange     // of names, since then
	inodes  []*inode          // all that ever were
	holder  *storage.Holder   // who has the lock
	trace   []Event
	faults  faults
}

// inode is a file under whatever name.
type inode struct {
	data    []byte   // as the system shows it
	durable []byte   // as it was at the last sync
	pending []change // of data, since then
	opens   int
}

// entryChange is a change of the directory: from, to or both get a file or lose
// it. One name is empty in a creation (from) and in a removal (to).
type entryChange struct {
	from, to string
	file     *inode
}

// apply makes the change in a map of names.
func (c entryChange) apply(names map[string]*inode) {
	if c.from != "" && names[c.from] == c.file {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.file
	}
}

// New makes an empty disk. The seed decides how much of a call that fails is
// done.
func New(seed uint64) *Dir {
	return &Dir{
		rng:     rand.New(rand.NewPCG(seed, 0)),
		names:   map[string]*inode{},
		durable: map[string]*inode{},
		faults:  faults{space: -1},
	}
}

// Before has f called before every call takes effect, on the goroutine of the
// caller. No other call runs meanwhile, and f may use Crash, Kill and the other
// methods that are no calls of storage.Dir. Nil ends it.
func (d *Dir) Before(f func(Event)) {
	d.turn.Lock()
	defer d.turn.Unlock()
	d.before = f
}

// Trace is every call so far, in their order.
func (d *Dir) Trace() []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.trace)
}

// call runs a call: act does it, or as much of it as a call that fails does.
// fault is the failure that a test asked for.
func (d *Dir) call(e Event, act func(fault error) error) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.before != nil {
		d.before(e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	fault := d.faults.next(e.Op)
	if errors.Is(fault, ErrCrashed) {
		e.Err = fault
	} else {
		e.Err = act(fault)
	}
	d.trace = append(d.trace, e)
	if e.Err == nil || e.Err == io.EOF {
		return e.Err
	}
	return fmt.Errorf("simdir: %s %q: %w", e.Op, e.Name, e.Err)
}

// whole is act for calls that do nothing when they fail.
func whole(act func() error) func(error) error {
	return func(fault error) error {
		if fault != nil {
			return fault
		}
		return act()
	}
}

func (d *Dir) String() string { return "a simulated disk" }

// List implements storage.Dir.
func (d *Dir) List() (names []string, err error) {
	err = d.call(Event{Op: OpList}, whole(func() error {
		names = slices.Sorted(maps.Keys(d.names))
		return nil
	}))
	return names, err
}

// Create implements storage.Dir.
func (d *Dir) Create(name string) (f storage.File, err error) {
	err = d.call(Event{Op: OpCreate, Name: name}, whole(func() error {
		switch {
		case !storage.ValidName(name):
			return storage.ErrName
		case d.faults.readOnly:
			return storage.ErrReadOnly
		case d.names[name] != nil:
			return fs.ErrExist
		case d.faults.space >= 0 && d.freeLocked() <= 0:
			return storage.ErrSpace
		}
		node := &inode{opens: 1}
		d.inodes = append(d.inodes, node)
		d.changeLocked(entryChange{to: name, file: node})
		f = &file{dir: d, node: node, name: name}
		return nil
	}))
	return f, err
}

// changeLocked changes the directory.
func (d *Dir) changeLocked(c entryChange) {
	c.apply(d.names)
	d.pending = append(d.pending, c)
}

// Open implements storage.Dir.
func (d *Dir) Open(name string) (storage.File, error) { return d.open(name, true) }

// OpenWrite implements storage.Dir.
func (d *Dir) OpenWrite(name string) (storage.File, error) { return d.open(name, false) }

func (d *Dir) open(name string, readOnly bool) (f storage.File, err error) {
	err = d.call(Event{Op: OpOpen, Name: name}, whole(func() error {
		node, err := d.findLocked(name)
		if err != nil {
			return err
		}
		if !readOnly && d.faults.readOnly {
			return storage.ErrReadOnly
		}
		node.opens++
		f = &file{dir: d, node: node, name: name, readOnly: readOnly}
		return nil
	}))
	return f, err
}

func (d *Dir) findLocked(name string) (*inode, error) {
	if !storage.ValidName(name) {
		return nil, storage.ErrName
	}
	if node := d.names[name]; node != nil {
		return node, nil
	}
	return nil, fs.ErrNotExist
}

// Rename implements storage.Dir.
func (d *Dir) Rename(from, to string) error {
	return d.call(Event{Op: OpRename, Name: from, To: to}, whole(func() error {
		node, err := d.findLocked(from)
		switch {
		case err != nil:
			return err
		case !storage.ValidName(to):
			return storage.ErrName
		case d.faults.readOnly:
			return storage.ErrReadOnly
		}
		if from != to {
			d.changeLocked(entryChange{from: from, to: to, file: node})
		}
		return nil
	}))
}

// Remove implements storage.Dir.
func (d *Dir) Remove(name string) error {
	return d.call(Event{Op: OpRemove, Name: name}, whole(func() error {
		node, err := d.findLocked(name)
		if err == nil && d.faults.readOnly {
			err = storage.ErrReadOnly
		}
		if err == nil {
			d.changeLocked(entryChange{from: name, file: node})
		}
		return err
	}))
}

// Sync implements storage.Dir.
func (d *Dir) Sync() error {
	return d.call(Event{Op: OpSyncDir}, whole(func() error {
		for _, c := range d.pending {
			c.apply(d.durable)
		}
		d.pending = nil
		return nil
	}))
}

// Lock implements storage.Dir.
func (d *Dir) Lock() (release io.Closer, err error) {
	err = d.call(Event{Op: OpLock}, whole(func() error {
		if d.faults.readOnly {
			return storage.ErrReadOnly
		}
		if d.holder != nil {
			return &storage.LockedError{Dir: d.String(), Holder: *d.holder}
		}
		d.holder = &storage.Holder{PID: os.Getpid(), Host: "simdir", Since: time.Now().Unix()}
		release = &lock{dir: d}
		return nil
	}))
	return release, err
}

// lock is a lock that is held.
type lock struct {
	dir  *Dir
	once sync.Once
}

func (l *lock) Close() error {
	l.once.Do(func() {
		l.dir.mu.Lock()
		defer l.dir.mu.Unlock()
		l.dir.holder = nil
	})
	return nil
}
