package storage

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
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
	var removed bool
	failure := raw.Control(func(fd uintptr) {
		for {
			if err = syscall.Fdatasync(int(fd)); err != syscall.EINTR {
				break
			}
		}
		if err == nil {
			removed, err = isRemoved(int(fd))
		}
	})
	switch {
	case failure != nil:
		return fs.ErrClosed
	case err != nil:
		return err
	case removed:
		return ErrRemoved
	}
	return nil
}

// isRemoved reports whether no directory names a file. It asks for the number of its
// names and for nothing else: who asks for the times as well, as fstat does, has Linux
// from 6.13 on give the next write a time of its own, and with it a change of the
// inode, which makes a write and its sync take half as long again.
func isRemoved(fd int) (bool, error) {
	var info unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_NLINK, &info)
	if err == nil {
		return info.Nlink == 0, nil
	}
	// Linux before 4.11 has no such call, and some sandboxes refuse it.
	var all syscall.Stat_t
	err = syscall.Fstat(fd, &all)
	return all.Nlink == 0, err
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
