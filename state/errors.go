package state

import (
	"errors"
	"fmt"
	"strings"
)

// Returned by operations on a key that has to be there.
var (
	// ErrNotFound says that the key is absent or has expired.
	ErrNotFound = errors.New("state: there is no such key")
)

// Returned by operations that write. Nothing has changed then, but see ErrDegraded.
var (
	// ErrConflict says that a precondition (a version or an absence) did not hold.
	// The error in hand is a *ConflictError that tells what was found.
	ErrConflict = errors.New("state: the precondition does not hold")
	// ErrFull says that the write would exceed the byte budget of the store or of a
	// namespace. Delete something, let something expire, or raise the budget.
	ErrFull = errors.New("state: the byte budget is used up")
	// ErrReadOnly says that this namespace may only be read, or that the store
	// refuses writes until it is opened again because its disk failed.
	ErrReadOnly = errors.New("state: only reading is possible")
	// ErrDegraded says that the disk is full: writes are refused until it has room.
	// A write that was under way when it filled up stands in memory, and a crash
	// would lose it.
	ErrDegraded = errors.New("state: the disk is full")
	// ErrValueSize says that a value is too long.
	ErrValueSize = errors.New("state: the value is too long")
	// ErrTTL says that a time to live is negative or longer than TTLMax.
	ErrTTL = errors.New("state: the time to live is out of range")
	// ErrNotNumber says that an increment met a value that is not a decimal int64.
	ErrNotNumber = errors.New("state: the value is not a decimal 64-bit integer")
	// ErrOverflow says that an increment would leave the range of int64.
	ErrOverflow = errors.New("state: the counter would overflow 64 bits")
	// ErrBatch says that a batch names a key twice or has too many operations.
	ErrBatch = errors.New("state: the batch cannot be run")
)

// Returned by every operation.
var (
	// ErrKey says that a key is empty, longer than KeyBytesMax, or reserved.
	ErrKey = errors.New("state: the key cannot be used")
	// ErrOptions says that options exclude each other or are out of range.
	ErrOptions = errors.New("state: the options cannot be used")
	// ErrClosed says that the Manager, its store or the Watcher was closed.
	ErrClosed = errors.New("state: it is closed")
)

// Returned by every operation of a backend that other machines keep.
var (
	// ErrUnavailable says that the backend cannot be reached or does not serve just
	// now. The error in hand says what was tried and since when. Unless it is
	// ErrUncertain too, nothing was written.
	ErrUnavailable = errors.New("state: the backend cannot be reached")
	// ErrUncertain says that a write was sent and that nobody knows whether it was
	// done, or whether as many replicas have it as were asked for: read the key.
	ErrUncertain = errors.New("state: nobody knows whether the write was done")
	// ErrForeign says that under the name of a key, or of what belongs to the store,
	// there is something that this backend did not write.
	ErrForeign = errors.New("state: another program wrote there")
)

// Returned by Handles.Open and by the Manager that it made.
var (
	// ErrHandle says that a handle was never minted, has expired or been revoked, or
	// is another principal's: it does not tell which.
	ErrHandle = errors.New("state: the handle is unknown, or has expired")
)

// Returned by Open.
var (
	// ErrBackend says that there is no backend of this name.
	ErrBackend = errors.New("state: there is no such backend")
	// ErrLocked says that another process has the directory.
	ErrLocked = errors.New("state: another process has the directory")
	// ErrCorrupt says that a file is damaged in a way that no crash explains.
	ErrCorrupt = errors.New("state: a file is damaged")
)

// ConflictError tells which precondition failed and what the store holds. It
// matches ErrConflict under errors.Is.
type ConflictError struct {
	Key     string
	Index   int    // position of the operation in its batch; 0 for a single one
	Version uint64 // the version found; 0 when the key is absent
}

func (e *ConflictError) Error() string {
	key := e.Key
	if len(key) > 64 {
		key = key[:64] + "…"
	}
	if e.Version == 0 {
		return fmt.Sprintf("state: the precondition on key %q does not hold: the key is absent", key)
	}
	return fmt.Sprintf("state: the precondition on key %q does not hold: it is at version %d", key, e.Version)
}

// Unwrap makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// failure is an error of a backend that matches a sentinel of this package.
type failure struct {
	sentinel error
	cause    error
}

func (f *failure) Error() string {
	return "state: " + strings.TrimPrefix(f.cause.Error(), "engine: ")
}
func (f *failure) Unwrap() []error { return []error{f.sentinel, f.cause} }
