//go:build !linux && !windows && !plan9 && !wasip1

package storage

import (
	"errors"
	"os"
	"syscall"
)

// directoriesSync says that a directory can be synced like a file.
const directoriesSync = true

// syncFile makes the contents and the length of f durable. It fails with
// ErrRemoved when no directory names f any more.
func syncFile(f *os.File) error {
	// On macOS this is F_FULLFSYNC: fsync alone leaves the data in the drive.
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink == 0 {
		return ErrRemoved
	}
	return nil
}

// preallocate is not offered: the calls of these systems differ.
func preallocate(*os.File, int64) error { return errors.ErrUnsupported }
