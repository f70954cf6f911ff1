package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	experimental "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"
)

// Files for guests: wazero's file-system interface over os.Root. os.Root opens
// each part of a path on its own, relative to the folder before it, and never
// follows a link out; so there is no moment between a check and its use. (wazero's
// own WithDirMount lets a guest make a link to anywhere and follow it.) What
// stands here adds what a sandbox needs beyond that: only plain files and folders
// are opened, new links cannot lead out whoever follows them later, and there are
// budgets.

const (
	pathBytesMax   = 4096 // of a path or link, as in Linux
	newEntryCharge = 4096 // what a new file, folder or link costs, in bytes
)

// openRoots opens the folders that are granted. Their partner is closeRoots.
func openRoots(grants []FileGrant) (roots []*os.Root, err error) {
	defer func() {
		if err != nil {
			closeRoots(roots)
		}
	}()
	where := make([]string, len(grants))
	for i, g := range grants {
		root, err := os.OpenRoot(g.Root)
		if err != nil {
			return roots, fmt.Errorf("the folder %s that the guest is to see at %s cannot be opened: %w", g.Root, g.Guest, err)
		}
		roots = append(roots, root)
		if where[i], err = filepath.Abs(g.Root); err == nil {
			where[i], err = filepath.EvalSymlinks(where[i])
		}
		if err != nil {
			return roots, err
		}
	}
	for i, reads := range grants {
		for j, writes := range grants {
			if !reads.Write && writes.Write && within(where[i], where[j]) {
				return roots, fmt.Errorf("the folder %s is granted to be read at %s and lies in %s, which may be changed at %s: what is only to be read must lie outside",
					reads.Root, reads.Guest, writes.Root, writes.Guest)
			}
		}
	}
	return roots, nil
}

// within says whether a path is a folder or lies in it.
func within(inner, outer string) bool {
	rel, err := filepath.Rel(outer, inner)
	return err == nil && filepath.IsLocal(rel)
}

func closeRoots(roots []*os.Root) {
	for _, r := range roots {
		_ = r.Close() // a folder that was only read through
	}
}

// withMounts adds the granted folders to an instance's configuration.
func (i *instance) withMounts(c wazero.ModuleConfig) wazero.ModuleConfig {
	if len(i.owner.grants.roots) == 0 {
		return c
	}
	config, open := wazero.NewFSConfig(), new(int)
	for n, root := range i.owner.grants.roots {
		m := &mount{instance: i, index: n, grant: &i.owner.policy.Files[n], root: root, open: open}
		config = config.(sysfs.FSConfig).WithSysFSMount(m, m.grant.Guest)
	}
	return c.WithFSConfig(config)
}

// mount is one granted folder in one instance.
type mount struct {
	experimental.UnimplementedFS
	instance  *instance
	index     int
	grant     *FileGrant
	root      *os.Root
	open      *int // files and folders that the guest has open, in all mounts
	preopened bool // wazero has opened the folder itself
}

var _ experimental.FS = (*mount)(nil)

// refuse counts and logs a refusal and returns what the guest gets to see.
func (m *mount) refuse(errno experimental.Errno, format string, args ...any) experimental.Errno {
	if c := m.instance.call; c != nil {
		c.refuse(capabilityFiles, fmt.Sprintf(format, args...))
	}
	return errno
}

// stopIfOver ends the guest when its time is over.
func (m *mount) stopIfOver() {
	if c := m.instance.call; c != nil {
		c.stopIfOver()
	}
}

// mayWrite is 0 in a folder that may be changed.
func (m *mount) mayWrite(name string) experimental.Errno {
	if m.grant.Write {
		return 0
	}
	return m.refuse(experimental.EROFS, "%q in %s may only be read: grant capabilities.files: [{path: %q, root: %q, access: read-write}]",
		clip(name, 200), m.grant.Guest, m.grant.Guest, m.grant.Root)
}

// spend takes bytes off the call's budget for this folder.
func (m *mount) spend(bytes uint64) experimental.Errno {
	c := m.instance.call
	if c == nil {
		return experimental.EBADF
	}
	left := c.grants.fileBytesLeft(c.policy, m.index)
	if bytes > *left {
		// preview 1 has an errno for a full disk, but wazero's interface does not.
		return m.refuse(experimental.EIO, "the call has written what it may to %s (%d bytes): grant more with capabilities.files: [{path: %q, bytes: …}]",
			m.grant.Guest, m.grant.BytesMax, m.grant.Guest)
	}
	*left -= bytes
	return 0
}

// local brings a path to the form that os.Root takes. slash says that it ended in
// one, and thus must be a folder.
func (m *mount) local(p string) (name string, slash bool, errno experimental.Errno) {
	m.stopIfOver()
	if len(p) > pathBytesMax {
		return "", false, experimental.ENAMETOOLONG
	}
	if strings.ContainsRune(p, 0) {
		return "", false, experimental.EINVAL
	}
	slash = strings.HasSuffix(p, "/")
	name = path.Clean(strings.TrimLeft(p, "/"))
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", false, m.refuse(experimental.EPERM, "the path %q leads out of %s", clip(p, 200), m.grant.Guest)
	}
	return name, slash, 0
}

// errno translates an error of os.Root.
func (m *mount) errno(name string, err error) experimental.Errno {
	var number syscall.Errno
	if err == nil || errors.As(err, &number) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrClosed) {
		return experimental.UnwrapOSError(err)
	}
	// The error for a path that leads out is not exported; nothing else in os.Root
	// fails without a number.
	return m.refuse(experimental.EPERM, "%q in %s: %v", clip(name, 200), m.grant.Guest, err)
}

// statOf is what a guest learns of a file. Its device number is the host's own
// business; guests compare it only.
func (m *mount) statOf(info fs.FileInfo) sys.Stat_t {
	st := sys.NewStat_t(info)
	st.Dev = uint64(m.index) + 1
	return st
}

// Stat implements FS.
func (m *mount) Stat(p string) (sys.Stat_t, experimental.Errno) { return m.stat(p, m.root.Stat) }

// Lstat implements FS.
func (m *mount) Lstat(p string) (sys.Stat_t, experimental.Errno) { return m.stat(p, m.root.Lstat) }

func (m *mount) stat(p string, ask func(string) (fs.FileInfo, error)) (sys.Stat_t, experimental.Errno) {
	name, slash, errno := m.local(p)
	if errno != 0 {
		return sys.Stat_t{}, errno
	}
	info, err := ask(name)
	if err != nil {
		return sys.Stat_t{}, m.errno(name, err)
	}
	if slash && !info.IsDir() {
		return sys.Stat_t{}, experimental.ENOTDIR
	}
	return m.statOf(info), 0
}

// change checks that path may be changed and does it; new says that an entry
// comes into being.
func (m *mount) change(p string, creates bool, do func(name string) error) experimental.Errno {
	name, _, errno := m.local(p)
	if errno == 0 {
		errno = m.mayWrite(name)
	}
	if errno == 0 && creates {
		errno = m.spend(newEntryCharge)
	}
	if errno != 0 {
		return errno
	}
	return m.errno(name, do(name))
}

// Mkdir implements FS.
func (m *mount) Mkdir(p string, perm fs.FileMode) experimental.Errno {
	return m.change(p, true, func(name string) error { return m.root.Mkdir(name, perm&0o777) })
}

// Rmdir implements FS.
func (m *mount) Rmdir(p string) experimental.Errno { return m.remove(p, true) }

// Unlink implements FS.
func (m *mount) Unlink(p string) experimental.Errno { return m.remove(p, false) }

// remove removes a folder or something else; os.Root.Remove would take both.
func (m *mount) remove(p string, folder bool) experimental.Errno {
	return m.change(p, false, func(name string) error {
		info, err := m.root.Lstat(name)
		switch {
		case err != nil:
			return err
		case name == ".":
			return syscall.EINVAL
		case folder && !info.IsDir(), !info.IsDir() && strings.HasSuffix(p, "/"):
			return syscall.ENOTDIR
		case !folder && info.IsDir():
			return syscall.EISDIR
		}
		return m.root.Remove(name)
	})
}

// Rename implements FS. Both paths are in this mount: wazero refuses what goes
// from one to another.
func (m *mount) Rename(from, to string) experimental.Errno {
	target, _, errno := m.local(to)
	if errno != 0 {
		return errno
	}
	return m.change(from, false, func(name string) error { return m.root.Rename(name, target) })
}

// Link implements FS: a second name for a file of the same mount. A link is not
// followed, and gets the second name itself.
func (m *mount) Link(from, to string) experimental.Errno {
	target, _, errno := m.local(to)
	if errno != 0 {
		return errno
	}
	return m.change(from, true, func(name string) error { return m.root.Link(name, target) })
}

// Symlink implements FS. The guest itself could follow no link out; other
// programs that look into the folder could. A target is therefore relative and has
// no "..": then it leads to something inside from wherever it is moved to.
func (m *mount) Symlink(target, p string) experimental.Errno {
	target = strings.Clone(target) // it lies in the guest's memory
	if len(target) > pathBytesMax {
		return experimental.ENAMETOOLONG
	}
	return m.change(p, true, func(name string) error {
		if strings.HasPrefix(target, "/") || strings.ContainsAny(target, "\\\x00") || hasParent(target) {
			m.refuse(experimental.EPERM, "a link to %q would lead out of %s, or would if it were moved: links are relative and have no \"..\"", clip(target, 200), m.grant.Guest)
			return syscall.EPERM
		}
		return m.root.Symlink(target, name)
	})
}

// hasParent says whether a path has a part "..".
func hasParent(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// Readlink implements FS. Where a link of the host leads outside is not told, and so
// not where one with ".." leads that a guest may have moved deeper, or that it reaches
// through other links.
func (m *mount) Readlink(p string) (string, experimental.Errno) {
	name, _, errno := m.local(p)
	if errno != 0 {
		return "", errno
	}
	target, err := m.root.Readlink(name)
	if err != nil {
		return "", m.errno(name, err)
	}
	target = filepath.ToSlash(target)
	folder := path.Dir(name)
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(folder, target)) || hasParent(target) && (m.grant.Write || !m.straight(folder)) {
		return "", m.refuse(experimental.EPERM, "the link %q leads out of %s", clip(name, 200), m.grant.Guest)
	}
	return target, 0
}

// straight says that no part of a path is a link: only then does ".." behind it lead
// where the letters say.
func (m *mount) straight(name string) bool {
	for ; name != "."; name = path.Dir(name) {
		if info, err := m.root.Lstat(name); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// Utimens implements FS.
func (m *mount) Utimens(p string, accessed, modified int64) experimental.Errno {
	return m.change(p, false, func(name string) error {
		return m.root.Chtimes(name, timeOf(accessed), timeOf(modified))
	})
}

// timeOf is the zero time, which os takes for "as it is", if nanos says so.
func timeOf(nanos int64) time.Time {
	if nanos == experimental.UTIME_OMIT {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}
