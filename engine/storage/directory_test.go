package storage_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	testDir(t, func(*testing.T) (storage.Dir, func() storage.Dir) {
		d := storage.Memory()
		return d, func() storage.Dir { return d }
	})
}

func TestDirectory(t *testing.T) {
	testDir(t, func(t *testing.T) (storage.Dir, func() storage.Dir) {
		path := filepath.Join(t.TempDir(), "new", "data")
		return openDir(t, path), func() storage.Dir { return openDir(t, path) }
	})
}

// openDir opens a directory until the test ends.
func openDir(t testing.TB, path string) *storage.Directory {
	t.Helper()
	d, err := storage.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestDirectoryIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "wasip1" {
		t.Skip("the system keeps no modes")
	}
	path := filepath.Join(t.TempDir(), "a", "b")
	d := openDir(t, path)
	create(t, d, "f", "x")
	for _, at := range []string{filepath.Dir(path), path, filepath.Join(path, "f")} {
		info, err := os.Stat(at)
		require.NoError(t, err)
		require.Zero(t, info.Mode()&0o077, "%s: %v", at, info.Mode())
	}
}

func TestDirectoryOverlooksWhatIsNotItsOwn(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "README.md"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(path, "lock"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(path, "lost"), 0o700))
	d := openDir(t, path)
	create(t, d, "own", "x")
	holds(t, d, "own", "x")
	_, err := storage.OpenDir(filepath.Join(path, "own"))
	require.ErrorContains(t, err, "it is a file")
	_, err = storage.OpenDir(filepath.Join(path, "own", "below"))
	require.Error(t, err)
}

// A store that writes on into a directory that was removed would lose all of it.
func TestDirectoryRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove a directory that is open")
	}
	path := filepath.Join(t.TempDir(), "data")
	d := openDir(t, path)
	f, err := d.Create("log")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	require.NoError(t, os.RemoveAll(path))
	_, err = f.WriteAt([]byte("x"), 0)
	require.NoError(t, err, "the file is there as long as it is open")
	require.ErrorIs(t, f.Sync(), storage.ErrRemoved)
	require.ErrorIs(t, d.Sync(), storage.ErrRemoved)
	_, err = d.Create("other")
	require.ErrorIs(t, err, fs.ErrNotExist)

	if runtime.GOARCH == "wasm" {
		return // it goes by the path: see OpenDir
	}
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = d.Create("other")
	require.ErrorIs(t, err, fs.ErrNotExist, "the new directory is another one")
}

func TestDirectoryMoved(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOARCH == "wasm" {
		t.Skip("the system cannot hold to a directory that moves")
	}
	parent := t.TempDir()
	d := openDir(t, filepath.Join(parent, "old"))
	create(t, d, "a", "1")
	require.NoError(t, os.Rename(filepath.Join(parent, "old"), filepath.Join(parent, "new")))
	create(t, d, "b", "2")
	require.NoError(t, d.Sync())
	holds(t, openDir(t, filepath.Join(parent, "new")), "a", "1", "b", "2")
}

// A name that leads out of the directory is not followed.
func TestDirectoryLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making a link needs a privilege")
	}
	parent := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(parent, "secret"), []byte("s"), 0o600))
	d := openDir(t, filepath.Join(parent, "data"))
	if err := os.Symlink("../secret", filepath.Join(parent, "data", "out")); err != nil {
		t.Skipf("the system makes no links: %v", err)
	}
	holds(t, d)
	_, err := d.Open("out")
	require.Error(t, err)
}

func TestSimulatedDisk(t *testing.T) {
	testDir(t, func(*testing.T) (storage.Dir, func() storage.Dir) {
		d := simdir.New(1)
		return d, func() storage.Dir { return d }
	})
}
