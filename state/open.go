package state

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// The backends of Open.
const (
	BackendMemory = "memory" // this process's memory; it ends with the process
	BackendFile   = "file"   // memory and a write-ahead log in a directory
)

// aliases are names that other programs use for a backend.
var aliases = map[string]string{"trueno": BackendMemory, "sled": BackendFile}

// Options say what Open opens. The zero value is a memory backend without budget.
type Options struct {
	// Backend is memory or file; empty is file where there is a Path, else memory.
	// trueno and sled, the names of pforge, stand for memory and file; Log is told.
	Backend string
	// Path is the directory of the file backend. It is made when it is missing.
	Path string
	// BytesMax is the byte budget of the store; 0 is none.
	BytesMax int64
	// ValueBytesMax lowers the longest value; 0 means the constant of that name.
	ValueBytesMax int
	// TTL is how long an entry lives that is written without a time to live of its
	// own; 0 means for ever.
	TTL time.Duration
	// Sync says when a write to the file backend is on the disk: always (before it
	// returns; the default), interval (a second later) or never (when the system
	// likes).
	Sync string
	// Encryption seals the files; see the package engine/seal. Nil means none.
	Encryption engine.Encryption
	// WrapDir, when not nil, stands around the directory of the file backend: to measure
	// it.
	WrapDir func(storage.Dir) storage.Dir
	// Now returns the time in Unix milliseconds. Nil means the system clock.
	Now func() int64
	// Log is told, in a line of text, what a person who runs the store should know.
	// Nil means nobody.
	Log func(text string)
}

// Open opens the store that o says. Errors: ErrBackend, ErrOptions, ErrLocked,
// ErrCorrupt, or one of the disk.
func Open(o Options) (*Embedded, error) {
	backend, err := o.backend()
	if err != nil {
		return nil, err
	}
	if o.TTL < 0 || o.TTL > TTLMax {
		return nil, fmt.Errorf("%w: Options.TTL is %v", ErrTTL, o.TTL)
	}
	eo := engine.Options{Now: o.Now, BytesMax: o.BytesMax, ValueBytesMax: o.ValueBytesMax}
	if backend == BackendMemory {
		store, err := engine.Open(eo)
		if err != nil {
			return nil, translate(err)
		}
		return &Embedded{store: store, backend: backend, ttl: o.TTL, close: store.Close}, nil
	}
	return openFile(o, eo)
}

// openFile opens the file backend.
func openFile(o Options, eo engine.Options) (*Embedded, error) {
	policy, ok := map[string]engine.SyncPolicy{
		"": engine.SyncAlways, "always": engine.SyncAlways, "interval": engine.SyncInterval, "never": engine.SyncNever,
	}[o.Sync]
	if !ok {
		return nil, fmt.Errorf("%w: Sync is %.40q: it is always, interval or never", ErrOptions, o.Sync)
	}
	dir, err := storage.OpenDir(o.Path)
	if err != nil {
		return nil, err
	}
	eo.Dir, eo.Sync, eo.Encryption, eo.Log = dir, policy, o.Encryption, o.Log
	if o.WrapDir != nil {
		eo.Dir = o.WrapDir(dir)
	}
	store, err := engine.Open(eo)
	if err != nil {
		return nil, errors.Join(translate(err), dir.Close())
	}
	return &Embedded{store: store, backend: BackendFile, ttl: o.TTL, dir: eo.Dir, close: sync.OnceValue(func() error { return errors.Join(store.Close(), dir.Close()) })}, nil
}

// backend is the backend that o means, checked against what it needs.
func (o *Options) backend() (string, error) {
	name := o.Backend
	if meant, ok := aliases[name]; ok {
		if o.Log != nil {
			o.Log(fmt.Sprintf("the state backend %s is called %s here", name, meant))
		}
		name = meant
	}
	switch {
	case name == "" && o.Path != "":
		name = BackendFile
	case name == "":
		name = BackendMemory
	}
	switch name {
	case BackendMemory:
		if o.Path != "" || o.Sync != "" || o.Encryption != nil {
			return "", fmt.Errorf("%w: the memory backend has no Path, Sync or Encryption: name the file backend, or leave them out", ErrOptions)
		}
	case BackendFile:
		if o.Path == "" {
			return "", fmt.Errorf("%w: the file backend needs a Path", ErrOptions)
		}
	default:
		return "", fmt.Errorf("%w: %.40q: there are memory and file", ErrBackend, o.Backend)
	}
	return name, nil
}
