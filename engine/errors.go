package engine

import (
	"errors"

	"github.com/ingot-run/ingot/internal/message"
)

// Returned by every operation.
var (
	// ErrClosed says that the store was closed; nothing was read or changed.
	ErrClosed = errors.New("engine: the store is closed")
)

// Returned by operations that name a key.
var (
	// ErrKeySize says that a key is empty or longer than KeyBytesMax.
	ErrKeySize = message.Errorf("engine: a key must have 1 to %d bytes", KeyBytesMax)
)

// Returned by operations that write.
var (
	// ErrValueSize says that a value is longer than Options.ValueBytesMax.
	ErrValueSize = errors.New("engine: the value is too long")
	// ErrTTL says that a time to live is negative or longer than TTLMax.
	ErrTTL = errors.New("engine: a time to live must be between 0 and 100 years")
	// ErrFull says that the write would exceed the store's or a namespace's
	// byte budget. Delete something, let something expire, or raise the budget.
	ErrFull = errors.New("engine: the byte budget is used up")
	// ErrConflict says that a precondition (a version or an absence) did not
	// hold. The error in hand is a *ConflictError that tells what was found.
	ErrConflict = errors.New("engine: the precondition does not hold")
	// ErrNotNumber says that Increment met a value that is not a decimal int64.
	ErrNotNumber = errors.New("engine: the value is not a decimal 64-bit integer")
	// ErrOverflow says that Increment would leave the range of int64.
	ErrOverflow = errors.New("engine: the counter would overflow 64 bits")
	// ErrOptions says that an operation carries options that exclude each other.
	ErrOptions = errors.New("engine: contradictory options")
	// ErrDuplicateKey says that a batch names one key twice.
	ErrDuplicateKey = errors.New("engine: a batch may name each key once")
	// ErrBatchSize says that a batch has more than BatchOpsMax operations.
	ErrBatchSize = message.Errorf("engine: a batch may have at most %d operations", BatchOpsMax)
)

// Returned by Open with Options.Dir, and by what reads such a directory.
var (
	// ErrFormatVersion says that a newer build wrote a file. Nothing was changed.
	ErrFormatVersion = errors.New("engine: the file's format is newer than this build")
	// ErrKey says that a file is encrypted and its key was not among those given.
	ErrKey = errors.New("engine: the file's key is missing")
	// ErrCorrupt says that a file is damaged in a way that no crash explains. The
	// error in hand is a *CorruptError that tells where.
	ErrCorrupt = errors.New("engine: a file is damaged")
)

// Returned by writes to a store in a directory, beside the others.
var (
	// ErrDegraded says that the disk is full: writes are refused until it has room,
	// reads go on. A write that was under way when it filled up stands in memory and
	// is logged before any other one, but until then a crash would lose it.
	ErrDegraded = errors.New("engine: the log cannot grow")
	// ErrReadOnly says that writing or syncing the log failed, so that nobody knows
	// what is on the disk: reads go on, writes are refused until the store is closed
	// and opened again, which reads what is there.
	ErrReadOnly = errors.New("engine: the store is read-only until it is opened again")
)

// Returned by Restore.
var (
	// ErrSnapshot says that a stream is not a whole, undamaged snapshot that
	// this version can read. The store is unchanged.
	ErrSnapshot = errors.New("engine: not a usable snapshot")
)

// Returned by Watcher.Next.
var (
	// ErrWatcherClosed says that the watcher or its store was closed.
	ErrWatcherClosed = errors.New("engine: the watcher is closed")
)

// ConflictError tells which precondition failed and what the store holds.
// It matches ErrConflict under errors.Is.
type ConflictError struct {
	Key     string
	Index   int    // position of the operation in its batch; 0 for a single one
	Version uint64 // the version found; 0 when the key is absent
}

func (e *ConflictError) Error() string {
	if e.Version == 0 {
		return message.Sprintf("engine: the precondition on key %q does not hold: the key is absent", clip(e.Key))
	}
	return message.Sprintf("engine: the precondition on key %q does not hold: it is at version %d", clip(e.Key), e.Version)
}

// Unwrap makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// CorruptError tells where a file is damaged. It matches ErrCorrupt under errors.Is.
type CorruptError struct {
	File   string
	Offset int64 // in bytes
	Reason string
}

func (e *CorruptError) Error() string {
	return message.Sprintf("engine: %s is damaged at byte %d: %s: see what \"ingot state verify\" says, and what \"ingot state repair\" would keep", e.File, e.Offset, e.Reason)
}

// Unwrap makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// clip shortens a key for an error text: a key may have 64 KiB.
func clip(key string) string {
	const shown = 64
	if len(key) <= shown {
		return key
	}
	return key[:shown] + "…"
}
