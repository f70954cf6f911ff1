package storage

import (
	"errors"
	"os"
)

// directoriesSync says that a directory can be synced like a file.
const directoriesSync = false

// syncFile makes the contents and the length of f durable. Nobody can remove a
// file that is open here.
func syncFile(f *os.File) error { return f.Sync() }

// preallocate is not offered: SetFileValidData needs an administrator.
func preallocate(*os.File, int64) error { return errors.ErrUnsupported }
