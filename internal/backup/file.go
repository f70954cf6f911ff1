package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ingot-run/ingot/engine"
)

// ToFile has write write a backup to the file at path, which is not there before: beside
// it under another name first, until it is whole, read again and on the disk.
func ToFile(path string, keys engine.Encryption, write func(w io.Writer) error) (info Info, err error) {
	err = toFile(path, write, func(f *os.File) (err error) {
		info, err = Check(f, keys)
		return err
	})
	return info, err
}

// SnapshotToFile is ToFile for a snapshot, which every build of the engine opens.
func SnapshotToFile(path string, write func(w io.Writer) error) (done Restored, err error) {
	err = toFile(path, write, func(f *os.File) (err error) {
		done, err = Try([]string{f.Name()}, nil)
		return err
	})
	return done, err
}

// toFile writes a file that is whole, as check finds, when it has its name.
func toFile(path string, write func(w io.Writer) error, check func(f *os.File) error) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already: choose another name, for a backup replaces none", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.unfinished")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing is there any more when it has its name
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := check(f); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(f.Name(), path), syncDirectory(filepath.Dir(path)))
}

// OfFile is what the backup at path says of itself, all of it read.
func OfFile(path string, keys engine.Encryption) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	info, err := Check(f, keys)
	if err != nil {
		return Info{}, fmt.Errorf("%s: %w", path, err)
	}
	return info, nil
}
