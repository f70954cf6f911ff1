package audit

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/mcp"
)

// When a record is on the disk.
const (
	SyncAlways   = "always"   // before its answer is sent; many share one sync
	SyncInterval = "interval" // within a second; the system has it before the answer is sent
)

// What happens to requests while records cannot be written.
const (
	FailureRefuse   = "refuse"   // they are refused
	FailureContinue = "continue" // they are served; the log says later how many it lacks
)

// Options say how a log is kept. The zero value works.
type Options struct {
	Arguments    string // what is kept of them; empty: ArgumentsHash
	Sync         string // empty: SyncInterval
	OnFailure    string // empty: FailureRefuse
	MaxFileBytes int64  // before another file is begun; 0: 64 MiB
	// Methods are those of which records are kept, as patterns (path.Match); empty:
	// all that call, read, listen or complete, or are about a task.
	Methods []string
	// Redact, when not nil, takes secrets out of a text.
	Redact func(text string) string
	// Log is told of what a person should know; nil: nobody.
	Log func(text string)
}

// methodsDefault are those that do something.
var methodsDefault = []string{"tools/call", "prompts/get", "resources/read", "resources/subscribe", "subscriptions/listen", "completion/complete", "tasks/*"}

// Defaults and bounds.
const (
	fileBytesDefault = 64 << 20
	fileBytesMin     = 4 << 10
	syncEvery        = time.Second
	retryEvery       = 100 * time.Millisecond
	keyBytes         = 32
)

// Log is a log that is written. Its methods are safe for concurrent use. One process has
// it at a time.
type Log struct {
	path    string
	options Options
	key     []byte // of arguments' hashes
	unlock  func() error
	stop    chan struct{}
	stopped sync.WaitGroup
	methods sync.Map // bool by method: whether it is recorded
	drafts  sync.Pool
	create  func(path string) (file, error)

	mu       sync.Mutex
	turn     sync.Cond // something was written, or could not be
	file     file
	size     int64 // of what is written of the file
	unsynced bool
	seq      uint64 // of the last record that was made
	head     string // its hash
	pending  []byte // records that are not written
	counts   int    // how many those are
	spare    []byte
	writing  bool
	writeds  uint64 // the seq of the last record that was written
	onDisk   string // its hash
	failure  error  // why the last write failed; nil: it did not
	tried    time.Time
	lost     int64 // records that were not written
	drops    int   // how often some were given up
	closed   bool
}

// file is what a log writes to.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Seek(offset int64, whence int) (int64, error)
	Close() error
}

var _ access.Recorder = (*Log)(nil)

// Open opens the log at a path, or begins it. What a crash has torn off of the last record
// is cut away, and the chain says so. Errors: the log is damaged elsewhere, another
// process has it, or the disk's.
func Open(name string, o Options) (*Log, error) { return open(name, o, openFile) }

func openFile(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}

func open(name string, o Options, create func(string) (file, error)) (_ *Log, err error) {
	o.Arguments, o.Sync, o.OnFailure = cmp.Or(o.Arguments, ArgumentsHash), cmp.Or(o.Sync, SyncInterval), cmp.Or(o.OnFailure, FailureRefuse)
	o.MaxFileBytes = max(cmp.Or(o.MaxFileBytes, fileBytesDefault), fileBytesMin)
	if len(o.Methods) == 0 {
		o.Methods = methodsDefault
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	l := &Log{path: name, options: o, stop: make(chan struct{}), create: create}
	l.turn.L = &l.mu
	if err := l.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("opening the audit log %s: %w", name, err)
	}
	if l.unlock, err = lock(name + ".lock"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("opening the audit log %s: %w", name, err), l.unlock())
			if l.file != nil {
				err = errors.Join(err, l.file.Close())
			}
		}
	}()
	if l.key, err = logKey(name + ".key"); err != nil {
		return nil, err
	}
	l.drafts.New = l.newDraft
	note, err := l.recover()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	event := Entry{Event: "opened"}
	if note != "" {
		event = Entry{Event: "repaired", Note: note}
		o.Log("the audit log " + name + " was repaired: " + note)
	}
	l.add(&event)
	if err := l.flush(); err != nil {
		return nil, err
	}
	l.stopped.Go(l.syncOften)
	return l, nil
}

// check finds options that are none.
func (l *Log) check() error {
	o := &l.options
	for _, c := range []struct {
		what, value string
		words       []string
	}{
		{"arguments", o.Arguments, []string{ArgumentsHash, ArgumentsRedact, ArgumentsOmit}},
		{"sync", o.Sync, []string{SyncAlways, SyncInterval}},
		{"on_failure", o.OnFailure, []string{FailureRefuse, FailureContinue}},
	} {
		if !slices.Contains(c.words, c.value) {
			return fmt.Errorf("audit: %s is %s, not %q", c.what, strings.Join(c.words, " or "), c.value)
		}
	}
	return CheckMethods(o.Methods)
}

// CheckMethods returns what is wrong with patterns of methods.
func CheckMethods(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("audit: %q is no pattern of methods, as tools/call or resources/*", p)
		}
	}
	return nil
}

// logKey reads the key of a log's arguments, or makes one.
func logKey(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err == nil {
		key, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("%s is not the key of an audit log: move it away to begin with another", name)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key := make([]byte, keyBytes)
	rand.Read(key)
	return key, os.WriteFile(name, []byte(hex.EncodeToString(key)+"\n"), 0o600)
}

// Ready implements access.Recorder.
func (l *Log) Ready() error {
	if l.options.OnFailure == FailureContinue {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil && !l.closed {
		return nil
	}
	if !l.closed && time.Since(l.tried) >= retryEvery && !l.writing {
		_ = l.flush() // l.failure says it
	}
	return l.unready()
}

// unready is why nothing can be recorded. mu is held.
func (l *Log) unready() error {
	switch {
	case l.closed:
		return errNotRecorded
	case l.failure != nil:
		return errNotRecorded
	}
	return nil
}

// errNotRecorded tells a client as much as it has to know.
var errNotRecorded = &mcp.Error{Code: mcp.CodeInternal, Message: "nothing is done while the audit log cannot be written: its disk may be full"}

// Waits implements access.Recorder.
func (l *Log) Waits() bool { return l.options.Sync == SyncAlways }

// Record implements access.Recorder.
func (l *Log) Record(who access.Caller, r *mcp.Record) error {
	return l.keep(who, r, true)
}

// Hold implements access.Recorder.
func (l *Log) Hold(who access.Caller, r *mcp.Record) error {
	return l.keep(who, r, false)
}

// keep puts the entry of a request, and waits for it to be written where that is asked for.
func (l *Log) keep(who access.Caller, r *mcp.Record, wait bool) error {
	if !l.keeps(r.Method) {
		return nil
	}
	d := l.drafts.Get().(*draft)
	defer l.drafts.Put(d)
	e := l.entryOf(d, who, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.put(&e); err != nil || !wait {
		return err
	}
	return l.await()
}

// Commit implements access.Recorder.
func (l *Log) Commit() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.await()
}

// put adds an entry to what is to be written, unless there is no use in that. mu is held.
func (l *Log) put(e *Entry) error {
	if l.closed {
		return l.unrecorded()
	}
	if l.failure != nil && l.options.OnFailure == FailureContinue && time.Since(l.tried) < retryEvery {
		l.lost++
		return nil
	}
	l.add(e)
	return nil
}

// await waits until all that was put is written, or could not be. mu is held.
func (l *Log) await() error {
	last, drops := l.seq, l.drops
	for l.writeds < last {
		if l.closed { // it ended between put and here, and wrote what it could
			return l.unrecorded()
		}
		if l.writing {
			l.turn.Wait()
		} else if err := l.flush(); err != nil {
			return l.unrecorded()
		}
		if l.failure != nil || l.drops != drops {
			return l.unrecorded()
		}
	}
	return nil
}

// unrecorded is the error of a request whose record was not written.
func (l *Log) unrecorded() error {
	if l.options.OnFailure == FailureContinue {
		return nil
	}
	return errNotRecorded
}

// keeps reports whether records of a method are kept.
func (l *Log) keeps(method string) bool {
	if known, ok := l.methods.Load(method); ok {
		return known.(bool)
	}
	kept := slices.ContainsFunc(l.options.Methods, func(p string) bool {
		ok, err := path.Match(p, method)
		return ok && err == nil
	})
	l.methods.Store(method, kept) // there are some twenty methods
	return kept
}

// add gives an entry its place in the chain. mu is held.
func (l *Log) add(e *Entry) {
	if l.lost > 0 {
		lost := Entry{Event: "lost", Note: fmt.Sprintf("%d records could not be written before this one", l.lost)}
		l.lost = 0
		l.add(&lost)
	}
	l.seq++
	e.Seq, e.Prev = l.seq, l.head
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.pending, l.head = appendEntry(l.pending, e)
	l.counts++
}

// flush writes what is pending. mu is held when it is called and when it returns, and not
// while it writes; l.writing is false when it is called.
func (l *Log) flush() error {
	group, count, last, head := l.pending, l.counts, l.seq, l.head
	l.pending, l.spare, l.counts, l.writing = l.spare[:0], nil, 0, true
	l.mu.Unlock()
	err := l.write(group)
	l.mu.Lock()
	l.writing, l.tried = false, time.Now()
	l.turn.Broadcast()
	if err == nil {
		if l.failure != nil {
			l.options.Log("the audit log is written again")
		}
		l.failure, l.writeds, l.onDisk = nil, last, head
		if l.spare = group; cap(l.spare) > 1<<20 {
			l.spare = nil
		}
		return nil
	}
	if l.failure == nil {
		l.options.Log("the audit log cannot be written: " + err.Error())
	}
	l.failure = err
	if l.options.OnFailure == FailureContinue {
		l.drops++
		l.lost += int64(count + l.counts)
		l.pending, l.counts, l.seq, l.head = l.pending[:0], 0, l.writeds, l.onDisk
		return err
	}
	l.pending, l.counts = append(group, l.pending...), l.counts+count // for when there is room
	return err
}

// write writes a group behind what is written, and syncs it where that is asked for.
// After an error the file is as it was before.
func (l *Log) write(group []byte) error {
	if l.size > 0 && l.size+int64(len(group)) > l.options.MaxFileBytes {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	_, err := l.file.Write(group)
	if err == nil && l.options.Sync == SyncAlways {
		err = l.file.Sync()
	}
	if err != nil {
		_, seekErr := l.file.Seek(l.size, io.SeekStart)
		return errors.Join(err, l.file.Truncate(l.size), seekErr)
	}
	l.size += int64(len(group))
	l.mu.Lock()
	l.unsynced = l.options.Sync == SyncInterval
	l.mu.Unlock()
	return nil
}

// rotate begins another file.
func (l *Log) rotate() error {
	if err := l.file.Sync(); err != nil {
		return err
	}
	older, err := rotated(l.path)
	if err != nil {
		return err
	}
	n := uint64(1)
	if len(older) > 0 {
		n = older[len(older)-1].number + 1
	}
	if err := os.Rename(l.path, fmt.Sprintf("%s.%010d", l.path, n)); err != nil {
		return err
	}
	next, err := l.create(l.path)
	if err != nil {
		return errors.Join(err, os.Rename(fmt.Sprintf("%s.%010d", l.path, n), l.path))
	}
	l.mu.Lock()
	before := l.file
	l.file, l.size = next, 0
	l.mu.Unlock()
	return errors.Join(syncFolder(l.path), before.Close())
}

// syncOften syncs what was written, until the log is closed; and writes what was held for
// an answer that never left.
func (l *Log) syncOften() {
	ticker := time.NewTicker(syncEvery)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		l.mu.Lock()
		if len(l.pending) > 0 && !l.writing {
			_ = l.flush() // l.failure says it
		}
		f, due := l.file, l.unsynced && !l.writing
		if due {
			l.unsynced, l.writing = false, true
		}
		l.mu.Unlock()
		if !due {
			continue
		}
		err := f.Sync()
		l.mu.Lock()
		l.writing = false
		if err != nil {
			l.options.Log("the audit log cannot be synced: " + err.Error())
		}
		l.turn.Broadcast()
		l.mu.Unlock()
	}
}

// Head is the seq and the hash of the last record that was written: an anchor.
func (l *Log) Head() (seq uint64, hash string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeds, l.onDisk
}

// Close writes what is pending and closes the file. Requests that are not over yet are
// answered that they could not be recorded: a server is closed first.
func (l *Log) Close() error {
	close(l.stop)
	l.stopped.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing {
		l.turn.Wait()
	}
	l.closed = true
	var err error
	if len(l.pending) > 0 {
		err = l.flush()
	}
	return errors.Join(err, l.file.Sync(), l.file.Close(), l.unlock())
}
