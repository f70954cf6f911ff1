package storage

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/ingot-run/ingot/internal/message"
)

// This is directory.go once more, on the calls of WASI preview 1 instead of package
// os: engine.wasm is 74 KB smaller by it, as brotli packs it, and a call on a file
// takes half as long. Nothing else runs during a call of the host, so files need no
// locks of their own here.

var (
	_ Dir  = (*Directory)(nil)
	_ File = (*wasiFile)(nil)
)

// Directory is a directory that the host has preopened, or one below it. OpenDir
// makes one.
type Directory struct {
	path string
	fd   int
	stat syscall.Stat_t // tells it from others
}

// OpenDir opens the directory at path. Where there is none it makes one, and makes
// that durable. Close releases what it holds.
//
// All later calls are about the directory that was opened, where the host can hold
// to one, as it is moved or removed; other hosts go by the path.
func OpenDir(name string) (*Directory, error) {
	name = path.Clean(name)
	if err := makeDirectory(name); err != nil {
		return nil, err
	}
	d := &Directory{path: name}
	var err error
	if d.fd, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_DIRECTORY, 0); err != nil {
		return nil, failed("opening the directory", name, err)
	}
	if err := syscall.Fstat(d.fd, &d.stat); err != nil {
		_ = syscall.Close(d.fd)
		return nil, failed("opening the directory", name, err)
	}
	return d, nil
}

// makeDirectory makes the directory and those above it, unless they are there, and
// syncs each one's parent.
func makeDirectory(name string) error {
	var stat syscall.Stat_t
	err := syscall.Stat(name, &stat)
	switch {
	case err == nil && stat.Filetype == syscall.FILETYPE_DIRECTORY:
		return nil
	case err == nil:
		return failed("opening the directory", name, errors.New("it is a file: choose another directory"))
	case !errors.Is(err, fs.ErrNotExist):
		return failed("opening the directory", name, err)
	}
	parent := path.Dir(name)
	if parent != name {
		if err := makeDirectory(parent); err != nil {
			return err
		}
	}
	if err := syscall.Mkdir(name, 0); err != nil && !errors.Is(err, fs.ErrExist) {
		return failed("making the directory", name, err)
	}
	fd, err := syscall.Open(parent, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return failed("opening the directory", parent, err)
	}
	return failed("syncing the directory", parent, errors.Join(syncFd(fd), syscall.Close(fd)))
}

// Close releases the directory. Files and locks that are open stay so.
func (d *Directory) Close() error {
	return failed("closing the directory", d.path, syscall.Close(d.fd))
}

// String is the path.
func (d *Directory) String() string { return d.path }

// The layout of what fd_readdir gives for a file: u64 where the next begins, u64
// inode, u32 length of the name, u8 type, three bytes of padding, the name.
const direntBytes = 24

// List implements Dir.
func (d *Directory) List() ([]string, error) {
	// Opened anew, since some hosts keep one place in a directory for each
	// descriptor.
	fd, err := syscall.Openat(d.fd, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, failed("listing", d.path, err)
	}
	var names []string
	buffer, cookie := make([]byte, 4096), uint64(0)
	for {
		n, err := syscall.ReadDir(fd, buffer, cookie)
		if err != nil {
			return nil, failed("listing", d.path, errors.Join(err, syscall.Close(fd)))
		}
		before := cookie
		for rest := buffer[:n]; len(rest) >= direntBytes; {
			end := direntBytes + int(binary.LittleEndian.Uint32(rest[16:]))
			if end > len(rest) {
				break // cut off: it comes once more
			}
			if name := string(rest[direntBytes:end]); rest[20] == syscall.FILETYPE_REGULAR_FILE && ValidName(name) {
				names = append(names, name)
			}
			cookie = binary.LittleEndian.Uint64(rest)
			rest = rest[end:]
		}
		switch {
		case n < len(buffer): // the end
			slices.Sort(names)
			return names, failed("listing", d.path, syscall.Close(fd))
		case cookie == before: // a name that is longer than the buffer
			buffer = make([]byte, 2*len(buffer))
		}
	}
}

// Create implements Dir.
func (d *Directory) Create(name string) (File, error) {
	return d.open("creating", name, syscall.O_RDWR|syscall.O_CREATE|syscall.O_EXCL)
}

// Open implements Dir.
func (d *Directory) Open(name string) (File, error) {
	return d.open("opening", name, syscall.O_RDONLY)
}

// OpenWrite implements Dir.
func (d *Directory) OpenWrite(name string) (File, error) {
	return d.open("opening", name, syscall.O_RDWR)
}

// A link is not followed: it may lead out of the directory.
func (d *Directory) open(what, name string, flags int) (File, error) {
	if !ValidName(name) {
		return nil, failed(what, d.pathOf(name), ErrName)
	}
	fd, err := syscall.Openat(d.fd, name, flags|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, failed(what, d.pathOf(name), err)
	}
	return &wasiFile{fd: fd, path: d.pathOf(name), readOnly: flags&syscall.O_RDWR == 0}, nil
}

// pathOf is how errors name a file. A wrong name may hold anything.
func (d *Directory) pathOf(name string) string {
	if !ValidName(name) {
		return message.Sprintf("%s/%.80q", d.path, name)
	}
	return path.Join(d.path, name)
}

// Rename implements Dir.
func (d *Directory) Rename(from, to string) error {
	if !ValidName(from) || !ValidName(to) {
		return failed("renaming", d.pathOf(from), message.Errorf("to %.80q: %w", to, ErrName))
	}
	errno := pathRename(int32(d.fd), unsafe.StringData(from), uint32(len(from)), int32(d.fd), unsafe.StringData(to), uint32(len(to)))
	return failed("renaming", d.pathOf(from), errnoError(errno))
}

// Remove implements Dir.
func (d *Directory) Remove(name string) error {
	if !ValidName(name) {
		return failed("removing", d.pathOf(name), ErrName)
	}
	return failed("removing", d.pathOf(name), errnoError(pathUnlinkFile(int32(d.fd), unsafe.StringData(name), uint32(len(name)))))
}

// Sync implements Dir.
func (d *Directory) Sync() error {
	return failed("syncing the directory", d.path, syncFd(d.fd))
}

// locked are the directories that stores of this process have.
var locked []*Directory

// Lock implements Dir. WASI preview 1 has no locks: this one keeps stores of one
// module apart, and whoever runs the module keeps away the others.
func (d *Directory) Lock() (io.Closer, error) {
	for _, other := range locked {
		if other.stat.Dev == d.stat.Dev && other.stat.Ino == d.stat.Ino {
			return nil, &LockedError{Dir: d.path, Holder: thisHolder()}
		}
	}
	held := &Directory{stat: d.stat}
	locked = append(locked, held)
	return closer(sync.OnceValue(func() error {
		locked = slices.DeleteFunc(locked, func(other *Directory) bool { return other == held })
		return nil
	})), nil
}

// thisHolder is this module as a Holder, from now on.
func thisHolder() Holder {
	return Holder{PID: syscall.Getpid(), Host: "wasm", Since: time.Now().Unix()}
}

// text is what LockedError says of a holder that is known.
func (Holder) text() string { return "another store of this module" }

// wasiFile is an open file.
type wasiFile struct {
	fd       int
	path     string
	readOnly bool
	closed   bool
}

// check refuses what a file that is closed, or open for reading, cannot do, and
// lengths below 0.
func (w *wasiFile) check(what string, writes bool, size int64) error {
	switch {
	case w.closed:
		return failed(what, w.path, fs.ErrClosed)
	case writes && w.readOnly:
		return failed(what, w.path, fs.ErrPermission)
	case size < 0:
		return failed(what, w.path, errOffset)
	}
	return nil
}

func (w *wasiFile) ReadAt(p []byte, offset int64) (done int, err error) {
	if err := w.check("reading", false, offset); err != nil {
		return 0, err
	}
	for done < len(p) {
		n, err := syscall.Pread(w.fd, p[done:], offset+int64(done))
		if err != nil {
			return done, failed("reading", w.path, err)
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

func (w *wasiFile) WriteAt(p []byte, offset int64) (done int, err error) {
	if err := w.check("writing", true, offset); err != nil {
		return 0, err
	}
	for done < len(p) {
		n, err := syscall.Pwrite(w.fd, p[done:], offset+int64(done))
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return done, failed("writing", w.path, err)
		}
		done += n
	}
	return done, nil
}

func (w *wasiFile) Size() (int64, error) {
	if err := w.check("measuring", false, 0); err != nil {
		return 0, err
	}
	var stat syscall.Stat_t
	err := syscall.Fstat(w.fd, &stat)
	return int64(stat.Size), failed("measuring", w.path, err)
}

func (w *wasiFile) Truncate(size int64) error {
	if err := w.check("cutting", true, size); err != nil {
		return err
	}
	return failed("cutting", w.path, syscall.Ftruncate(w.fd, size))
}

func (w *wasiFile) Preallocate(size int64) error {
	if err := w.check("preallocating", true, size); err != nil {
		return err
	}
	old, err := w.Size()
	if err != nil || size <= old {
		return err
	}
	return failed("preallocating", w.path, errnoError(fdAllocate(int32(w.fd), 0, uint64(size))))
}

func (w *wasiFile) Sync() error {
	if err := w.check("syncing", true, 0); err != nil {
		return err
	}
	return failed("syncing", w.path, syncFd(w.fd))
}

func (w *wasiFile) Close() error {
	if err := w.check("closing", false, 0); err != nil {
		return err
	}
	w.closed = true
	return failed("closing", w.path, syscall.Close(w.fd))
}

// syncFd makes the contents and the length of a file or directory durable. It fails
// with ErrRemoved when nothing names it any more.
func syncFd(fd int) error {
	err := errnoError(fdDatasync(int32(fd)))
	if errors.Is(err, errors.ErrUnsupported) {
		err = syscall.Fsync(fd)
	}
	if err != nil {
		return err
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return err
	}
	if stat.Nlink == 0 {
		return ErrRemoved
	}
	return nil
}

// errnoError is a result of WASI as an error: 0 is none.
func errnoError(errno uint32) error {
	switch errno {
	case 0:
		return nil
	case uint32(syscall.ENOTSUP): // which package syscall does not count as unsupported
		return errors.ErrUnsupported
	}
	return syscall.Errno(errno)
}

// What package syscall lacks of the calls of WASI preview 1; its document is
// phases/snapshot/docs.md of github.com/WebAssembly/WASI.

//go:wasmimport wasi_snapshot_preview1 fd_datasync
//go:noescape
func fdDatasync(fd int32) uint32

//go:wasmimport wasi_snapshot_preview1 fd_allocate
//go:noescape
func fdAllocate(fd int32, offset, size uint64) uint32

//go:wasmimport wasi_snapshot_preview1 path_rename
//go:noescape
func pathRename(fromFd int32, from *byte, fromBytes uint32, toFd int32, to *byte, toBytes uint32) uint32

//go:wasmimport wasi_snapshot_preview1 path_unlink_file
//go:noescape
func pathUnlinkFile(fd int32, name *byte, nameBytes uint32) uint32
