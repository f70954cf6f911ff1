package storage

import (
	"io/fs"
	"os"
	"syscall"
)

// directoriesSync says that a directory can be synced like a file.
const directoriesSync = true

// syncFile makes the contents and the length of f durable, but not its times,
// which would cost a second write to the disk. It fails with ErrRemoved when no
// directory names f any more.
func syncFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var info syscall.Stat_t
	failure := raw.Control(func(fd uintptr) {
		for {
			if err = syscall.Fdatasync(int(fd)); err != syscall.EINTR {
				break
			}
		}
		if err == nil {
			err = syscall.Fstat(int(fd), &info)
		}
	})
	switch {
	case failure != nil:
		return fs.ErrClosed
	case err != nil:
		return err
	case info.Nlink == 0:
		return ErrRemoved
	}
	return nil
}

// preallocate extends f to size bytes, with disk blocks behind them.
func preallocate(f *os.File, size int64) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	failure := raw.Control(func(fd uintptr) {
		for {
			if err = syscall.Fallocate(int(fd), 0, 0, size); err != syscall.EINTR {
				break
			}
		}
	})
	if failure != nil {
		return fs.ErrClosed
	}
	return err
}
