package state

import (
	"context"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// Limits that hold for every backend.
const (
	KeyBytesMax   = engine.KeyBytesMax   // the longest key
	ValueBytesMax = engine.ValueBytesMax // the longest value, unless Options lowers it
	BatchOpsMax   = engine.BatchOpsMax   // the largest number of operations in one batch
	ListLimitMax  = engine.ListLimitMax  // the longest page of List, in entries
	TTLMax        = engine.TTLMax        // the longest time to live
)

// The shapes of entries and operations. They are the engine's, whatever the
// backend: see there for their fields.
type (
	// Meta is the Version of an entry and when it ends (ExpiresAt, in Unix
	// milliseconds; 0 means never). Found reports whether there is one.
	Meta = engine.Meta
	// Entry is a Value with its Meta. The value belongs to the caller.
	Entry = engine.Entry
	// ListEntry is a Key with its Meta and Size, and its Value where it was asked for.
	ListEntry = engine.ListEntry
	// Item is a Key with its Value and TTL, for SetMany.
	Item = engine.Item
	// SetOptions are the conditions (IfVersion, IfAbsent) and the lifetime (TTL,
	// KeepTTL) of a Set.
	SetOptions = engine.SetOptions
	// DeleteOptions are the conditions (IfVersion) of a Delete.
	DeleteOptions = engine.DeleteOptions
	// Op is one operation of a Batch, with its conditions.
	Op = engine.Op
	// OpResult tells what an Op did.
	OpResult = engine.OpResult
	// OpKind says what an Op does.
	OpKind = engine.OpKind
)

// The kinds of operation in a batch.
const (
	OpSet       = engine.OpSet       // store Value
	OpDelete    = engine.OpDelete    // remove the key
	OpIncrement = engine.OpIncrement // add Delta to the decimal number; TTL as in IncrementOptions
	OpExpire    = engine.OpExpire    // give a new TTL; 0 is for ever; nothing when the key is absent
	OpCheck     = engine.OpCheck     // only check the condition
)

// Manager keeps entries. All methods may be called from many goroutines. Every
// error matches one of this package's under errors.Is, or is the context's, or
// tells of a backend that cannot be reached. Beside those named at a method, each
// returns ErrKey where it takes a key, and ErrClosed.
type Manager interface {
	// Get returns the entry of key, its value copied for the caller. Errors:
	// ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// AppendGet appends the value of key to dst, as append does, and returns the
	// longer slice: Get for who has a buffer. Errors: ErrNotFound, with dst as it
	// was.
	AppendGet(ctx context.Context, dst []byte, key string) ([]byte, Meta, error)
	// Exists reports whether key is present.
	Exists(ctx context.Context, key string) (bool, error)
	// GetMany returns one Entry per key, in the order of keys; absent ones have
	// Version 0. It is not one moment of the store. A key may be named twice.
	GetMany(ctx context.Context, keys []string) ([]Entry, error)
	// List returns the keys that begin with a prefix, in byte order, a page at a
	// time. A key that is there during the whole walk is listed once; one that is
	// written or deleted meanwhile may or may not be. Errors: ErrOptions.
	List(ctx context.Context, o ListOptions) (Page, error)

	// Set stores a copy of value under key and returns its version. Errors:
	// *ConflictError, ErrValueSize, ErrTTL, ErrOptions, ErrFull, ErrReadOnly,
	// ErrDegraded.
	Set(ctx context.Context, key string, value []byte, o SetOptions) (version uint64, err error)
	// Delete removes key. It returns the version of the removal and true, or 0 and
	// false when the key was absent. Errors: *ConflictError, ErrReadOnly, ErrDegraded.
	Delete(ctx context.Context, key string, o DeleteOptions) (version uint64, deleted bool, err error)
	// CompareAndSwap stores value only while key is at version (0: absent), and
	// keeps the entry's end. It returns the new version and true, or the version
	// found (0: absent) and false. Errors are those of Set, without *ConflictError.
	CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (current uint64, swapped bool, err error)
	// Increment adds to the decimal int64 under key and returns the sum and its
	// version. An absent key counts as 0. Errors: ErrNotNumber and ErrOverflow
	// beside those of Set.
	Increment(ctx context.Context, key string, o IncrementOptions) (sum int64, version uint64, err error)
	// Expire gives key a new time to live from now; 0 lets it live for ever. It
	// returns the new version. Errors: ErrNotFound, and those of Set.
	Expire(ctx context.Context, key string, ttl time.Duration) (version uint64, err error)
	// SetMany stores all items as one batch and returns their versions.
	SetMany(ctx context.Context, items []Item) ([]uint64, error)
	// Batch runs all operations as one: other writers see all of it or nothing, and
	// when any condition, limit or budget fails, nothing changes. Conditions look at
	// the store before the batch. A key may be named once. Errors: ErrBatch, and
	// those of the operations; a *ConflictError carries the index of its operation.
	Batch(ctx context.Context, ops []Op) ([]OpResult, error)
	// Clear removes every key that begins with prefix and returns how many; the
	// empty prefix is all keys.
	Clear(ctx context.Context, prefix string) (deleted int, err error)

	// Watch starts to hear of changes from now on, or from an earlier Event on
	// (WatchOptions.Resume). Errors: ErrOptions.
	Watch(ctx context.Context, o WatchOptions) (Watcher, error)
	// Stats reads the counters; they are not as of one moment.
	Stats(ctx context.Context) (Stats, error)
	// Now is the store's time in Unix milliseconds: what Meta.ExpiresAt is compared
	// with. It never waits.
	Now() int64
	// Close ends the Manager: later calls return ErrClosed, watchers end. Closing
	// twice is harmless.
	Close() error
}

// ListOptions choose a page of keys.
type ListOptions struct {
	// Prefix limits the list to keys that begin with it; empty is all keys.
	Prefix string
	// Cursor is the Next of the page before; empty starts at the first key. A cursor
	// is good for the Manager and the Prefix that gave it, and says nothing to
	// anybody else. Errors: ErrOptions for one that no page gave, where that shows.
	Cursor string
	// Limit is the page length in entries, at most ListLimitMax; 0 means 100.
	Limit int
	// Values asks for copies of the values too.
	Values bool
}

// Page is a part of a list in key order (by byte).
type Page struct {
	Entries []ListEntry
	// Next is the Cursor of the next page; empty when this one is the last.
	Next string
}

// IncrementOptions say what is added. The zero value adds 0.
type IncrementOptions struct {
	Delta int64
	// TTL is how long a counter lives that this step creates: 0 means for ever. One
	// that is there keeps its end, so that a counter per window of time ends with it.
	TTL time.Duration
}

// WatchOptions choose what a watcher hears.
type WatchOptions struct {
	// Prefix limits events to keys that begin with it; empty is all keys.
	Prefix string
	// Buffer is how many events wait for a slow reader, at most 1 Mi; 0 means 1024.
	// Beyond it the oldest are dropped, and the reader gets EventLagged in their
	// place.
	Buffer int
	// Values asks for the values with EventSet.
	Values bool
	// Resume is the Token of the last event that was read by an earlier watcher of
	// the same prefix: this one goes on behind it. Where the backend no longer has,
	// or never kept, what came in between, the first event is EventLagged. Empty is
	// from now on. Errors: ErrOptions for what is no token.
	Resume string
}

// Watcher hands out the events of a prefix: those of one key in the order of their
// versions. Next waits for the next event; it returns ErrClosed once the watcher or
// its Manager is closed and what waited is read, or the context's error. Close
// releases the watcher; who calls Watch calls it.
type Watcher interface {
	Next(ctx context.Context) (Event, error)
	Close()
}

// EventKind says what happened to a key.
type EventKind = engine.EventKind

// The kinds of event.
const (
	EventSet    = engine.EventSet    // a value or an end was written
	EventDelete = engine.EventDelete // the key was removed
	EventExpire = engine.EventExpire // the key's time was over
	EventReset  = engine.EventReset  // everything was replaced: read anew
	EventLagged = engine.EventLagged // events are gone: read anew
	EventEvict  = engine.EventEvict  // the key made room for others
)

// Event tells of one change. Value is shared by all watchers: read it, never write
// it. It is nil unless WatchOptions.Values asked for it. Lost is how many events
// were dropped, with EventLagged; 0 is that nobody knows.
type Event struct {
	engine.Event
	// Token resumes behind this event; see WatchOptions.Resume.
	Token string
}

// Stats is a reading of a Manager's counters.
type Stats struct {
	Backend  string // memory, file or redis
	Keys     int64  // entries, expired ones not yet swept included
	Bytes    int64  // bytes charged for them
	BytesMax int64  // the budget; 0 is none
	Version  uint64 // of the last change to the store
	Watchers int    // open watchers of the store
	// Reads and Writes are the operations of a namespace since it was made, and
	// Refused those of them that failed with ErrFull or ErrReadOnly; a key of a
	// GetMany, SetMany or Batch is one. A Manager that is no namespace does not
	// count them.
	Reads, Writes, Refused int64
}
