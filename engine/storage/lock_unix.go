//go:build unix && !solaris && !illumos && !aix

package storage

import (
	"io"
	"os"
	"sync"
	"syscall"
)

// lockFile locks f, whose name stays in its directory, or returns ErrLocked. The
// closer closes f. flock goes with the open file, so it keeps two stores of one
// process apart too, and other than fcntl's lock it is not lost when the process
// closes another descriptor of the file.
func lockFile(f *os.File) (io.Closer, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	failure := raw.Control(func(fd uintptr) {
		for {
			if err = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
				break
			}
		}
	})
	switch {
	case failure != nil:
		return nil, failure
	case err == syscall.EWOULDBLOCK:
		return nil, ErrLocked
	case err != nil:
		return nil, err
	}
	return closer(sync.OnceValue(f.Close)), nil
}
