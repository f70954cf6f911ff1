package storage

import (
	"errors"
	"io/fs"
)

// Returned by the methods of Dir and File.
var (
	// ErrName says that no file can have this name: see the package's Caveats.
	ErrName = errors.New("not a name for a file of a store")
	// ErrSpace says that the disk, or the quota, is full. What the call was to
	// write may be there in part.
	ErrSpace = errors.New("the disk is full: free space on it")
	// ErrReadOnly says that the directory cannot be written to, for it is mounted
	// read-only.
	ErrReadOnly = errors.New("the file system is read-only: mount it for writing")
	// ErrRemoved says that an open file, or the directory, was removed by somebody
	// else: what is written to it is lost.
	ErrRemoved = errors.New("it was removed while it was open")
	// ErrLocked says that another has the directory. The error in hand is a
	// *LockedError that tells who.
	ErrLocked = errors.New("the directory is in use")
)

// Holder is who holds the lock of a directory.
type Holder struct {
	// PID is the process; 0 means that it is not known.
	PID int
	// Host is the name of its machine, which matters on a network file system.
	Host string
	// Since is when it took the lock, in Unix seconds.
	Since int64
}

// LockedError tells who holds a directory. It matches ErrLocked under errors.Is.
type LockedError struct {
	Dir    string // as Dir.String names it
	Holder Holder
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.Holder.PID != 0 {
		who = e.Holder.text()
	}
	return "storage: " + e.Dir + " is in use by " + who + ": stop it, or choose another directory"
}

// Unwrap makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Unwrap() error { return ErrLocked }

// callError is a call that failed, with the file it was about. kind is one of
// the errors above that says the same as err on every system, or nil.
type callError struct {
	what string // "writing"
	path string
	err  error
	kind error
}

func (e *callError) Error() string {
	text := "storage: " + e.what + " " + e.path + ": " + e.err.Error()
	if e.kind != nil && e.kind != e.err {
		text += " (" + e.kind.Error() + ")"
	}
	return text
}

func (e *callError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.err, e.kind}
}

// failed says which call on which file failed, for an error that a system or a
// simulation returned. A nil error stays nil.
func failed(what, path string, err error) error {
	if err == nil {
		return nil
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err // it names the file again
	}
	return &callError{what: what, path: path, err: err, kind: kindOf(err)}
}
