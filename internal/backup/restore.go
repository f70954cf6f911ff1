package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// RestoreOptions are how backups become a directory. The zero value takes backups that
// are not sealed into a directory that is empty, or not there.
type RestoreOptions struct {
	// Encryption opens the backups, and seals the directory.
	Encryption engine.Encryption
	// Force replaces a directory with contents. It stays, under another name.
	Force bool
}

// Restored is what was restored.
type Restored struct {
	// Version and Entries are the store's; of Expired entries the time had ended.
	Version uint64
	Entries int64
	// Replaced is where the contents are that were there before; empty: there were none.
	Replaced string
}

// ErrNotEmpty says that there is something in the directory.
var ErrNotEmpty = errors.New("the directory is not empty")

// ErrChain says that backups do not go on from each other.
var ErrChain = errors.New("the backups do not go on from each other")

// Restore makes the directory at path of backups: a whole one, then those that go on from
// it, in order; or of a snapshot, as a tab, Node and every other build of the engine
// writes it. It builds a directory beside it, reads all of that again, and gives it its
// name when it is complete and on the disk: a restore that is ended before leaves at path
// what was there, and beside it a directory whose name ends in .unfinished. Errors:
// ErrNotEmpty, ErrChain, *CorruptError, *storage.LockedError while a server has the
// directory, and those of the disk.
func Restore(path string, files []string, o RestoreOptions) (Restored, error) {
	path = filepath.Clean(path)
	old, release, err := target(path, o.Force)
	if err != nil {
		return Restored{}, err
	}
	defer release()
	parent, base := filepath.Split(path)
	if err := os.MkdirAll(filepath.Clean(parent+"."), 0o700); err != nil {
		return Restored{}, err
	}
	made, err := os.MkdirTemp(filepath.Clean(parent+"."), "."+base+"-*.unfinished")
	if err != nil {
		return Restored{}, err
	}
	defer os.RemoveAll(made) // nothing is there any more when it has its name
	done, err := build(made, files, o.Encryption)
	if err != nil {
		return Restored{}, err
	}
	if old {
		done.Replaced = fmt.Sprintf("%s.replaced-%s", path, time.Now().UTC().Format("20060102T150405.000"))
		return done, replace(path, made, done.Replaced)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // only an empty one can be
		return Restored{}, err
	}
	return done, errors.Join(os.Rename(made, path), syncDirectory(parent))
}

// Try restores backups in memory, and changes nothing.
func Try(files []string, keys engine.Encryption) (Restored, error) {
	store, version, err := open(files, keys)
	if err != nil {
		return Restored{}, err
	}
	return Restored{Version: version, Entries: store.Stats().Keys}, store.Close()
}

// Snapshot writes what backups hold as a snapshot, which every build of the engine opens.
// All of it is in memory meanwhile.
func Snapshot(w io.Writer, files []string, keys engine.Encryption) error {
	store, _, err := open(files, keys)
	if err != nil {
		return err
	}
	return errors.Join(store.Snapshot(w), store.Close())
}

// open restores backups into a store in memory.
func open(files []string, keys engine.Encryption) (store *engine.Store, version uint64, err error) {
	if store, err = engine.Open(engine.Options{}); err != nil {
		return nil, 0, err
	}
	if version, err = load(store, files, keys); err != nil {
		return nil, 0, errors.Join(err, store.Close())
	}
	return store, version, nil
}

// target looks at what is at path, and takes it if there is something. old says so.
func target(path string, force bool) (old bool, release func(), err error) {
	release = func() {}
	found, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(found) == 0 {
		return false, release, nil
	}
	if err != nil {
		return false, release, err
	}
	if !force {
		return false, release, fmt.Errorf("%w: %s: choose another one, or replace it with --force", ErrNotEmpty, path)
	}
	dir, err := storage.OpenDir(path)
	if err != nil {
		return false, release, err
	}
	lock, err := dir.Lock()
	if err != nil {
		return false, release, errors.Join(err, dir.Close())
	}
	return true, func() { lock.Close(); dir.Close() }, nil
}

// build makes a store in an empty directory and reads it again.
func build(path string, files []string, keys engine.Encryption) (done Restored, err error) {
	dir, err := storage.OpenDir(path)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	o := engine.Options{Dir: dir, Encryption: keys, BackgroundDisabled: true}
	store, err := engine.Open(o)
	if err != nil {
		return done, err
	}
	version, err := load(store, files, keys)
	if err = errors.Join(err, store.Close()); err != nil {
		return done, err
	}
	v, err := engine.Verify(o)
	switch {
	case err != nil:
		return done, err
	case len(v.Damage) > 0 || v.Version < version: // replacing the contents may count as a change
		return done, fmt.Errorf("what was restored is not what was backed up: version %d for %d, %d damaged places", v.Version, version, len(v.Damage))
	}
	return Restored{Version: version, Entries: v.Entries}, nil
}

// load puts backups into an empty store, and returns the version of the last one.
func load(store *engine.Store, files []string, keys engine.Encryption) (version uint64, err error) {
	var before Info
	for _, name := range files {
		if before, err = loadOne(store, name, before, keys); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return before.Version, nil
}

func loadOne(store *engine.Store, name string, before Info, keys engine.Encryption) (Info, error) {
	// All of it is checked first: a part that is whole is not taken.
	f, err := os.Open(name)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	if isSnapshot(f) {
		return loadSnapshot(store, f, before)
	}
	info, err := Check(f, keys)
	switch {
	case err != nil:
		return Info{}, err
	case info.KeyID != 0 && keys == nil:
		return Info{}, fmt.Errorf("the backup is sealed with key %d: give that with --key-file", info.KeyID)
	case !info.Full && info.Previous != before.SHA256:
		return Info{}, fmt.Errorf("%w: it goes on from the one with the SHA-256 %.12s…: name that before it", ErrChain, info.Previous)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return Info{}, err
	}
	r, err := newReader(f, keys)
	if err != nil {
		return Info{}, err
	}
	if err := store.RestoreSince(r); err != nil {
		return Info{}, err
	}
	return info, nil
}

// isSnapshot reports whether a file begins as a snapshot of the engine does: see
// docs/FORMAT.md.
func isSnapshot(f *os.File) bool {
	const magic = "INGOTSNP"
	head := make([]byte, len(magic))
	_, err := f.ReadAt(head, 0)
	return err == nil && string(head) == magic
}

// loadSnapshot puts a snapshot, which any build of the engine wrote, into an empty store.
func loadSnapshot(store *engine.Store, f *os.File, before Info) (Info, error) {
	if before.Version > 0 {
		return Info{}, fmt.Errorf("%w: it is a snapshot, which holds everything: restore it alone", ErrChain)
	}
	if err := store.Restore(f); err != nil {
		return Info{}, err
	}
	return Info{Tail: Tail{Version: store.Stats().Version, Full: true}}, nil
}
