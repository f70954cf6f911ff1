package resource

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// longest is more than any content, and does not overflow.
const longest = 1 << 40

// disk is where files are: an os.Root, or the whole system.
type disk interface {
	Stat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	Rename(old, new string) error
	Remove(name string) error
}

// system is the disk of files that the owner has named.
type system struct{}

func (system) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (system) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}
func (system) Rename(old, new string) error { return os.Rename(old, new) }
func (system) Remove(name string) error     { return os.Remove(name) }

// fileSource is one file.
type fileSource struct {
	path     string
	bytesMax uint64
}

func (f *fileSource) read(_ context.Context, _ *place) (*Content, error) {
	return readFile(system{}, f.path, f.bytesMax)
}

func (f *fileSource) write(_ context.Context, _ *place, c *Content) error {
	name := f.path
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // the link stays
	}
	return replaceFile(system{}, name, filepath.Dir(name), c.Bytes)
}

func (f *fileSource) stamp(*place) stamp { return stampOf(os.Stat(f.path)) }

// readFile reads a regular file of at most bytesMax.
func readFile(d disk, name string, bytesMax uint64) (*Content, error) {
	info, err := d.Stat(name)
	if err != nil || !info.Mode().IsRegular() { // a look, since opening a device may do something
		return nil, missing(err)
	}
	file, err := d.OpenFile(name, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, missing(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, missing(err)
	}
	if size := uint64(info.Size()); size > bytesMax {
		return nil, tooLong(size, bytesMax)
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(min(bytesMax, longest))+1)) // it may grow meanwhile
	if err != nil {
		return nil, missing(err)
	}
	return &Content{Bytes: content, name: name}, nil
}

// missing is the error of what cannot be opened. A path outside, which os.Root refuses,
// is told apart from nothing by nobody.
func missing(err error) error {
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return mcp.ErrNoResource
	case errors.Is(err, fs.ErrPermission):
		return fault.Because(err, fault.Denied, "the server may not read it")
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok && p.Op != "read" {
		return mcp.ErrNoResource // escapes, names that are too long, files as folders, loops of links
	}
	return fault.Because(err, fault.Failed, "it cannot be read")
}

// replaceFile puts content in the place of a file, at once: who reads meanwhile has the
// old or the new one.
func replaceFile(d disk, name, dir string, content []byte) (err error) {
	mode := fs.FileMode(0o644)
	info, err := d.Stat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fault.New(fault.InvalidInput, "it is no file: it cannot be written")
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return unwritten(err)
	}
	temporary := path.Join(dir, ".ingot-"+rand.Text()+".tmp")
	file, err := d.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return unwritten(err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if bad := file.Close(); err == nil {
		err = bad
	}
	if err == nil {
		err = d.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(unwritten(err), d.Remove(temporary))
	}
	return nil
}

// unwritten is the error of a write, without the path, which is the server's own.
func unwritten(err error) error {
	reason := "the disk refuses it"
	for _, known := range []error{fs.ErrPermission, fs.ErrNotExist, fs.ErrExist} {
		if errors.Is(err, known) {
			reason = known.Error()
		}
	}
	return fault.Because(err, fault.Failed, "%s", fmt.Sprintf("it cannot be written: %s", reason))
}

// stamp is what a file looked like.
type stamp struct {
	there bool
	info  fs.FileInfo
}

func stampOf(info fs.FileInfo, err error) stamp {
	if err != nil || !info.Mode().IsRegular() {
		return stamp{}
	}
	return stamp{true, info}
}

// changed says whether the file has changed since.
func (s stamp) changed(now stamp) bool {
	if s.there != now.there || !s.there {
		return s.there != now.there
	}
	return s.info.Size() != now.info.Size() || !s.info.ModTime().Equal(now.info.ModTime()) || !os.SameFile(s.info, now.info)
}
