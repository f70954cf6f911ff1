package storage

import (
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// Of LockFileEx (fileapi.h, winerror.h).
const (
	lockfileFailImmediately = 1
	lockfileExclusiveLock   = 2
	errorLockViolation      = syscall.Errno(33)
	// lockOffsetHigh puts the locked byte 4 GB behind what the file holds, since
	// nobody can read what is locked.
	lockOffsetHigh = 1
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

// lockFile locks f, or returns ErrLocked. The closer closes f.
func lockFile(f *os.File) (io.Closer, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	failure := raw.Control(func(handle uintptr) {
		at := syscall.Overlapped{OffsetHigh: lockOffsetHigh}
		ok, _, code := lockFileEx.Call(handle, lockfileFailImmediately|lockfileExclusiveLock, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
		if err = nil; ok == 0 {
			err = code
		}
	})
	switch {
	case failure != nil:
		return nil, failure
	case err == errorLockViolation:
		return nil, ErrLocked
	case err != nil:
		return nil, err
	}
	return closer(sync.OnceValue(f.Close)), nil
}
