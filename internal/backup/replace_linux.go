package backup

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// replace gives made the name path, and what was there the name old: in one step, where
// the file system can exchange two names, so that there is a whole state at path all the
// time.
func replace(path, made, old string) error {
	err := unix.Renameat2(unix.AT_FDCWD, made, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return replaceBySteps(path, made, old)
	}
	if err != nil {
		return &os.LinkError{Op: "exchange", Old: made, New: path, Err: err}
	}
	return errors.Join(os.Rename(made, old), syncDirectory(filepath.Dir(path)))
}
