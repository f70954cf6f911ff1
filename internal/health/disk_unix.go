//go:build linux || darwin || freebsd

package health

import (
	"fmt"
	"syscall"
)

// DiskFree is how many bytes an unprivileged process may still write to the disk that a
// folder is on. known is whether the system says.
func DiskFree(folder string) (bytes uint64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, true, fmt.Errorf("%s: %w", folder, err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true, nil
}
