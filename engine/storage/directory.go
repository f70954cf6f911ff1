//go:build !wasip1

package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// What a Directory makes is its owner's alone.
const (
	directoryMode = 0o700
	fileMode      = 0o600
)

var (
	_ Dir  = (*Directory)(nil)
	_ File = (*osFile)(nil)
)

// Directory is a directory of the operating system. OpenDir makes one.
type Directory struct {
	path string
	root *os.Root // holds to the directory, even when it is renamed
	self *os.File // the directory opened, to sync it; nil on Windows
}

// OpenDir opens the directory at path. Where there is none it makes one that
// only its owner may enter, and makes that durable. Its files are the owner's
// alone as well. Close releases what it holds.
//
// All later calls are about the directory that was opened: when it is moved they
// follow it, and when it is removed they fail, with ErrRemoved or
// fs.ErrNotExist, rather than write to another one that stands at path by then.
// (GOOS=js, and some hosts of WASI, cannot hold to a directory: there the calls go
// by the path.)
func OpenDir(path string) (*Directory, error) {
	path = filepath.Clean(path)
	if err := makeDirectory(path); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, failed("opening the directory", path, err)
	}
	d := &Directory{path: path, root: root}
	if directoriesSync {
		if d.self, err = root.Open("."); err != nil {
			root.Close()
			return nil, failed("opening the directory", path, err)
		}
	}
	return d, nil
}

// makeDirectory makes the directory at path and those above it, unless they are
// there, and syncs each one's parent.
func makeDirectory(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return failed("opening the directory", path, errors.New("it is a file: choose another directory"))
	case !errors.Is(err, fs.ErrNotExist):
		return failed("opening the directory", path, err)
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDirectory(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, directoryMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return failed("making the directory", path, err)
	}
	if !directoriesSync {
		return nil
	}
	f, err := os.Open(parent)
	if err != nil {
		return failed("opening the directory", parent, err)
	}
	defer f.Close()
	return failed("syncing the directory", parent, syncFile(f))
}

// Close releases the directory. Files and locks that are open stay so.
func (d *Directory) Close() error {
	var err error
	if d.self != nil {
		err = d.self.Close()
	}
	return failed("closing the directory", d.path, errors.Join(err, d.root.Close()))
}

// String is the path.
func (d *Directory) String() string { return d.path }

// List implements Dir.
func (d *Directory) List() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, failed("listing", d.path, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, failed("listing", d.path, err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && ValidName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Create implements Dir.
func (d *Directory) Create(name string) (File, error) {
	return d.open("creating", name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Open implements Dir.
func (d *Directory) Open(name string) (File, error) {
	return d.open("opening", name, os.O_RDONLY)
}

// OpenWrite implements Dir.
func (d *Directory) OpenWrite(name string) (File, error) {
	return d.open("opening", name, os.O_RDWR)
}

func (d *Directory) open(what, name string, flags int) (File, error) {
	if !ValidName(name) {
		return nil, failed(what, d.pathOf(name), ErrName)
	}
	f, err := d.root.OpenFile(name, flags, fileMode)
	if err != nil {
		return nil, failed(what, d.pathOf(name), err)
	}
	return &osFile{f: f, path: d.pathOf(name), readOnly: flags&os.O_RDWR == 0}, nil
}

// pathOf is how errors name a file. A wrong name may hold anything.
func (d *Directory) pathOf(name string) string {
	if !ValidName(name) {
		return fmt.Sprintf("%s%c%.80q", d.path, filepath.Separator, name)
	}
	return filepath.Join(d.path, name)
}

// Rename implements Dir.
func (d *Directory) Rename(from, to string) error {
	if !ValidName(from) || !ValidName(to) {
		return failed("renaming", d.pathOf(from), fmt.Errorf("to %.80q: %w", to, ErrName))
	}
	err := d.root.Rename(from, to)
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	return failed("renaming", d.pathOf(from), err)
}

// Remove implements Dir.
func (d *Directory) Remove(name string) error {
	if !ValidName(name) {
		return failed("removing", d.pathOf(name), ErrName)
	}
	return failed("removing", d.pathOf(name), d.root.Remove(name))
}

// Sync implements Dir. On Windows it does nothing: the system offers no such
// call, and NTFS keeps a journal of its directories.
func (d *Directory) Sync() error {
	if d.self == nil {
		return nil
	}
	return failed("syncing the directory", d.path, syncFile(d.self))
}

// Lock implements Dir. It locks the file "lock" in the directory, and writes
// into it who holds it. The lock ends with the process, however that ends; the
// file stays. A store that is open in Node is respected: on Linux it says so in an
// owner file.
func (d *Directory) Lock() (io.Closer, error) {
	f, err := d.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, failed("locking", filepath.Join(d.path, lockName), err)
	}
	release, err := lockFile(f)
	for late := time.Now().Add(goneWithin); errors.Is(err, ErrLocked) && holderGone(f) && time.Now().Before(late); release, err = lockFile(f) {
		time.Sleep(gonePause)
	}
	if errors.Is(err, ErrLocked) {
		locked := &LockedError{Dir: d.path, Holder: readHolder(f)}
		f.Close()
		return nil, locked
	}
	if err == nil {
		// The lock is there before anybody looks for one of the other kind.
		var node Holder
		var held bool
		if node, held, err = nodeOwner(d.root); held {
			return nil, errors.Join(&LockedError{Dir: d.path, Holder: node}, release.Close())
		}
	}
	if err == nil {
		err = writeHolder(f)
	}
	if err != nil {
		f.Close()
		return nil, failed("locking", filepath.Join(d.path, lockName), err)
	}
	return closer(sync.OnceValue(func() error {
		return errors.Join(f.Truncate(0), release.Close()) // a process of Node may go by what it says
	})), nil
}

// osFile is a file of the operating system.
type osFile struct {
	f        *os.File
	path     string
	readOnly bool
}

// check refuses to write to a file that is open for reading, and lengths below
// 0: systems answer each in a way of their own, some with success.
func (o *osFile) check(what string, size int64) error {
	switch {
	case o.readOnly:
		return failed(what, o.path, fs.ErrPermission)
	case size < 0:
		return failed(what, o.path, errOffset)
	}
	return nil
}

func (o *osFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := o.f.ReadAt(p, offset)
	if err != nil && err != io.EOF {
		err = failed("reading", o.path, err)
	}
	return n, err
}

func (o *osFile) WriteAt(p []byte, offset int64) (int, error) {
	if err := o.check("writing", 0); err != nil {
		return 0, err
	}
	n, err := o.f.WriteAt(p, offset)
	return n, failed("writing", o.path, err)
}

func (o *osFile) Size() (int64, error) {
	info, err := o.f.Stat()
	if err != nil {
		return 0, failed("measuring", o.path, err)
	}
	return info.Size(), nil
}

func (o *osFile) Truncate(size int64) error {
	if err := o.check("cutting", size); err != nil {
		return err
	}
	return failed("cutting", o.path, o.f.Truncate(size))
}

func (o *osFile) Preallocate(size int64) error {
	if err := o.check("preallocating", size); err != nil {
		return err
	}
	old, err := o.Size()
	if err != nil || size <= old {
		return err
	}
	return failed("preallocating", o.path, preallocate(o.f, size))
}

func (o *osFile) Sync() error {
	if err := o.check("syncing", 0); err != nil {
		return err
	}
	return failed("syncing", o.path, syncFile(o.f))
}

func (o *osFile) Close() error { return failed("closing", o.path, o.f.Close()) }
