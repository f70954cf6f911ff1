package storage

import "io"

// Dir is the directory that holds a store. Its methods may be called from many
// goroutines. Every method that takes a name returns ErrName for one that no
// file can have.
type Dir interface {
	// List returns the names of the files in it, sorted.
	List() ([]string, error)
	// Create makes a new, empty file, open for reading and writing. It fails with
	// fs.ErrExist when there is one of that name.
	Create(name string) (File, error)
	// Open opens a file for reading: its other methods fail with
	// fs.ErrPermission. It fails with fs.ErrNotExist when there is none.
	Open(name string) (File, error)
	// OpenWrite opens an existing file for reading and writing. It fails with
	// fs.ErrNotExist when there is none.
	OpenWrite(name string) (File, error)
	// Rename gives a file another name, in one step: whoever looks finds under to
	// either the file that was there before or this one.
	Rename(from, to string) error
	// Remove removes a file. Who has it open may go on reading it.
	Remove(name string) error
	// Sync makes the creations, renames and removals before it durable.
	Sync() error
	// Lock takes the directory for its caller until the closer is closed or the
	// process ends. It fails with a *LockedError when another has it.
	Lock() (io.Closer, error)
	// String is how errors name the directory: its path, where it has one.
	String() string
}

// File is an open file. ReadAt and WriteAt keep the rules of package io: a
// shorter read than asked for comes with io.EOF or another error, and both may
// be called from many goroutines. After Close every method returns fs.ErrClosed.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the length in bytes.
	Size() (int64, error)
	// Truncate sets the length in bytes; what it adds reads as zeros.
	Truncate(size int64) error
	// Preallocate makes the file at least size bytes long. What it adds reads as
	// zeros and has its place on the disk, so that a later write to it cannot fail
	// with ErrSpace and its sync has little beside the data to write. It returns
	// errors.ErrUnsupported, and changes nothing, where the system cannot do that.
	Preallocate(size int64) error
	// Sync makes contents and length durable. It returns ErrRemoved when the file
	// has no name any more: then nobody would find what was written.
	Sync() error
}

// nameBytesMax is the longest name of a file.
const nameBytesMax = 64

// lockName is the file that OpenDir's Lock locks. Every Dir refuses it, so that
// a store that runs in memory runs on a disk too.
const lockName = "lock"

// ValidName reports whether a file of a Dir can have this name.
func ValidName(name string) bool {
	if len(name) == 0 || len(name) > nameBytesMax || name == lockName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return true
}
