package backup

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// replaceBySteps is replace by two renames: between them nothing is at path.
func replaceBySteps(path, made, old string) error {
	if err := os.Rename(path, old); err != nil {
		return err
	}
	if err := os.Rename(made, path); err != nil {
		return errors.Join(err, os.Rename(old, path))
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes renames in a directory durable, where that is done by its own sync.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Clean(path + "/."))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
