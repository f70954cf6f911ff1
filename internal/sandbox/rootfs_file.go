package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"os"

	experimental "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
)

// The flags that ask for the right to change something.
const writeFlags = experimental.O_RDWR | experimental.O_WRONLY | experimental.O_APPEND | experimental.O_CREAT | experimental.O_TRUNC

// OpenFile implements FS. It opens plain files and folders only: opening a device
// can do things, and opening a pipe can wait for ever.
func (m *mount) OpenFile(p string, flag experimental.Oflag, perm fs.FileMode) (experimental.File, experimental.Errno) {
	name, slash, errno := m.local(p)
	if errno != 0 {
		return nil, errno
	}
	if slash {
		flag |= experimental.O_DIRECTORY
	}
	// wazero opens the folder itself when it first needs it, before anything that
	// the guest can ask for; that is no file of the guest's.
	own := name == "." && !m.preopened
	if own {
		m.preopened = true
	} else if *m.open >= m.instance.owner.policy.Limits.OpenFilesMax {
		return nil, m.refuse(experimental.EIO, "the call has %d files open, which is all it may: close some, or raise limits.open_files", *m.open)
	}
	if flag&writeFlags != 0 {
		if errno := m.mayWrite(name); errno != 0 {
			return nil, errno
		}
	}
	if errno := m.mayOpen(name, flag); errno != 0 {
		return nil, errno
	}
	f, err := m.root.OpenFile(name, osFlags(flag), perm&0o777)
	if err != nil {
		return nil, m.errno(name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() { // changed since mayOpen looked
		errno = m.refuse(experimental.EPERM, "%q in %s is no plain file and no folder", clip(name, 200), m.grant.Guest)
	} else if err == nil && flag&experimental.O_DIRECTORY != 0 && !info.IsDir() {
		errno = experimental.ENOTDIR
	}
	if err != nil || errno != 0 {
		f.Close()
		return nil, max(errno, m.errno(name, err))
	}
	if !own {
		*m.open++
	}
	return &guestFile{
		mount: m, file: f, name: name, folder: info.IsDir(), own: own,
		reads:   flag&experimental.O_WRONLY == 0,
		writes:  flag&(experimental.O_RDWR|experimental.O_WRONLY) != 0,
		appends: flag&experimental.O_APPEND != 0,
	}, 0
}

// mayOpen looks at what is to be opened, before that has any effect.
func (m *mount) mayOpen(name string, flag experimental.Oflag) experimental.Errno {
	look := m.root.Stat
	if flag&experimental.O_NOFOLLOW != 0 {
		look = m.root.Lstat
	}
	info, err := look(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && flag&experimental.O_CREAT != 0:
		return m.spend(newEntryCharge)
	case err != nil:
		return m.errno(name, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return experimental.ELOOP
	case info.IsDir() && flag&writeFlags != 0:
		return experimental.EISDIR
	case !info.IsDir() && !info.Mode().IsRegular():
		return m.refuse(experimental.EPERM, "%q in %s is no plain file and no folder (%s)", clip(name, 200), m.grant.Guest, info.Mode().Type())
	}
	return 0
}

// osFlags translates what os.OpenFile knows. Appending is done by Write, so that
// it can be switched.
func osFlags(flag experimental.Oflag) int {
	out := os.O_RDONLY | openNonblock
	switch {
	case flag&experimental.O_RDWR != 0:
		out = os.O_RDWR | openNonblock
	case flag&experimental.O_WRONLY != 0:
		out = os.O_WRONLY | openNonblock
	}
	for from, to := range map[experimental.Oflag]int{
		experimental.O_CREAT: os.O_CREATE, experimental.O_EXCL: os.O_EXCL, experimental.O_TRUNC: os.O_TRUNC, experimental.O_SYNC: os.O_SYNC, experimental.O_DSYNC: os.O_SYNC,
	} {
		if flag&from != 0 {
			out |= to
		}
	}
	return out
}

// guestFile is an open file or folder.
type guestFile struct {
	experimental.UnimplementedFile
	mount                  *mount
	file                   *os.File
	name                   string
	folder                 bool
	own                    bool // the mount's folder itself, opened by wazero
	reads, writes, appends bool
	closed                 bool
}

var _ experimental.File = (*guestFile)(nil)

// errno translates an error of the open file.
func (f *guestFile) errno(err error) experimental.Errno {
	if errors.Is(err, io.EOF) {
		return 0
	}
	return f.mount.errno(f.name, err)
}

// Dev implements File.
func (f *guestFile) Dev() (uint64, experimental.Errno) { return uint64(f.mount.index) + 1, 0 }

// Ino implements File.
func (f *guestFile) Ino() (sys.Inode, experimental.Errno) {
	st, errno := f.Stat()
	return st.Ino, errno
}

// IsDir implements File.
func (f *guestFile) IsDir() (bool, experimental.Errno) {
	if f.closed {
		return false, experimental.EBADF
	}
	return f.folder, 0
}

// IsAppend implements File.
func (f *guestFile) IsAppend() bool { return f.appends }

// SetAppend implements File.
func (f *guestFile) SetAppend(enable bool) experimental.Errno {
	if f.folder {
		return experimental.EISDIR
	}
	f.appends = enable
	return 0
}

// Stat implements File.
func (f *guestFile) Stat() (sys.Stat_t, experimental.Errno) {
	info, err := f.file.Stat()
	if err != nil {
		return sys.Stat_t{}, f.errno(err)
	}
	return f.mount.statOf(info), 0
}

// mayRead is 0 for an open file that may be read.
func (f *guestFile) mayRead() experimental.Errno {
	f.mount.stopIfOver()
	if f.folder {
		return experimental.EISDIR
	}
	if !f.reads {
		return experimental.EBADF
	}
	return 0
}

// Read implements File.
func (f *guestFile) Read(buf []byte) (int, experimental.Errno) {
	if errno := f.mayRead(); errno != 0 || len(buf) == 0 {
		return 0, errno
	}
	n, err := f.file.Read(buf)
	return n, f.errno(err)
}

// Pread implements File.
func (f *guestFile) Pread(buf []byte, offset int64) (int, experimental.Errno) {
	if errno := f.mayRead(); errno != 0 {
		return 0, errno
	}
	if offset < 0 {
		return 0, experimental.EINVAL
	}
	n, err := f.file.ReadAt(buf, offset)
	return n, f.errno(err)
}

// fileOffset keeps go vet from taking Seek for io.Seeker's, whose error it lacks.
type fileOffset = int64

// Seek implements File.
func (f *guestFile) Seek(offset fileOffset, whence int) (int64, experimental.Errno) {
	if whence < io.SeekStart || whence > io.SeekEnd || f.folder && (offset != 0 || whence != io.SeekStart) {
		return 0, experimental.EINVAL
	}
	at, err := f.file.Seek(offset, whence)
	return at, f.errno(err)
}

// Readdir implements File. It tells names and types only: what os could tell
// beyond that it would look up by path.
func (f *guestFile) Readdir(n int) ([]experimental.Dirent, experimental.Errno) {
	if !f.folder {
		return nil, experimental.ENOTDIR
	}
	f.mount.stopIfOver()
	entries, err := f.file.ReadDir(n)
	out := make([]experimental.Dirent, 0, len(entries))
	for _, e := range entries {
		out = append(out, experimental.Dirent{Name: e.Name(), Type: e.Type()})
	}
	return out, f.errno(err)
}

// mayWrite is 0 for an open file that may be changed.
func (f *guestFile) mayWrite() experimental.Errno {
	f.mount.stopIfOver()
	if f.folder {
		return experimental.EISDIR
	}
	if !f.writes {
		return experimental.EBADF
	}
	return 0
}

// spendAt pays for writing n bytes at an offset: the bytes, and the hole in front
// of them if the file ends before it.
func (f *guestFile) spendAt(offset int64, n int) experimental.Errno {
	info, err := f.file.Stat()
	if err != nil {
		return f.errno(err)
	}
	return f.mount.spend(uint64(n) + uint64(max(offset-info.Size(), 0)))
}

// Write implements File.
func (f *guestFile) Write(buf []byte) (int, experimental.Errno) {
	if errno := f.mayWrite(); errno != 0 || len(buf) == 0 {
		return 0, errno
	}
	whence := io.SeekCurrent
	if f.appends {
		whence = io.SeekEnd
	}
	at, err := f.file.Seek(0, whence)
	if err != nil {
		return 0, f.errno(err)
	}
	if errno := f.spendAt(at, len(buf)); errno != 0 {
		return 0, errno
	}
	n, err := f.file.Write(buf)
	return n, f.errno(err)
}

// Pwrite implements File.
func (f *guestFile) Pwrite(buf []byte, offset int64) (int, experimental.Errno) {
	if errno := f.mayWrite(); errno != 0 || len(buf) == 0 {
		return 0, errno
	}
	if offset < 0 {
		return 0, experimental.EINVAL
	}
	if errno := f.spendAt(offset, len(buf)); errno != 0 {
		return 0, errno
	}
	n, err := f.file.WriteAt(buf, offset)
	return n, f.errno(err)
}

// Truncate implements File.
func (f *guestFile) Truncate(size int64) experimental.Errno {
	if errno := f.mayWrite(); errno != 0 {
		return errno
	}
	if size < 0 {
		return experimental.EINVAL
	}
	if errno := f.spendAt(size, 0); errno != 0 {
		return errno
	}
	return f.errno(f.file.Truncate(size))
}

// Sync implements File.
func (f *guestFile) Sync() experimental.Errno {
	f.mount.stopIfOver()
	if !f.writes {
		return 0
	}
	return f.errno(f.file.Sync())
}

// Datasync implements File.
func (f *guestFile) Datasync() experimental.Errno { return f.Sync() }

// Utimens implements File, by the name that it was opened by: os has no other way.
func (f *guestFile) Utimens(accessed, modified int64) experimental.Errno {
	return f.mount.Utimens(f.name, accessed, modified)
}

// Close implements File.
func (f *guestFile) Close() experimental.Errno {
	if f.closed {
		return 0
	}
	f.closed = true
	if !f.own {
		*f.mount.open--
	}
	return f.errno(f.file.Close())
}
