//go:build !windows && !wasip1 && (!unix || solaris || illumos || aix)

package storage

import (
	"io"
	"os"
	"sync"
)

// locked holds the lock files that this process has locked. Open files compare
// by what the system says is the same file.
var locked struct {
	mu    sync.Mutex
	files []os.FileInfo
}

// lockFile locks f against this process, or returns ErrLocked: the systems of this
// file have no lock that goes with an open file. The closer closes f.
func lockFile(f *os.File) (io.Closer, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	locked.mu.Lock()
	defer locked.mu.Unlock()
	if lockedAt(info) >= 0 {
		return nil, ErrLocked
	}
	locked.files = append(locked.files, info)
	return closer(sync.OnceValue(func() error {
		locked.mu.Lock()
		defer locked.mu.Unlock()
		i := lockedAt(info)
		locked.files = append(locked.files[:i], locked.files[i+1:]...)
		return f.Close()
	})), nil
}

// lockedAt is where the file is in locked.files, or -1. The caller holds the
// mutex.
func lockedAt(info os.FileInfo) int {
	for i, other := range locked.files {
		if os.SameFile(info, other) {
			return i
		}
	}
	return -1
}
