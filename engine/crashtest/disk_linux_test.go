package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// mounted mounts a file system in memory until the test ends.
func mounted(t *testing.T, options string) (path string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root mounts file systems")
	}
	path = t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		t.Skipf("this machine lets nobody mount: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH)) })
	return path
}

// openPath opens a store in a directory of the system.
func openPath(t *testing.T, path string) (*engine.Store, error) {
	t.Helper()
	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	return engine.Open(engine.Options{Dir: dir, SegmentBytes: 16 << 10})
}

// A real disk fills up: writes are refused, reads go on, and when somebody makes
// room writes succeed again, with everything that was acknowledged.
func TestRealDiskFull(t *testing.T) {
	path := mounted(t, "size=1m")
	ballast := filepath.Join(path, "BALLAST")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 512<<10), 0o600))
	s, err := openPath(t, path)
	require.NoError(t, err)
	acked := 0
	for ; ; acked++ {
		if err = setString(s, fmt.Sprint(acked), strings.Repeat("v", 1000)); err != nil {
			break
		}
		require.Less(t, acked, 2000, "the disk is small")
	}
	require.ErrorIs(t, err, engine.ErrDegraded)
	require.ErrorIs(t, err, storage.ErrSpace)
	require.NotErrorIs(t, err, engine.ErrReadOnly)
	require.Positive(t, acked)
	require.Len(t, getString(t, s, "0"), 1000)

	require.NoError(t, os.Remove(ballast))
	for setString(s, "room", "again") != nil {
		// What runs in the background may hold the log for a moment.
		require.NotErrorIs(t, s.LogStats().Degraded, engine.ErrReadOnly)
	}
	require.NoError(t, s.Close())
	s, err = openPath(t, path)
	require.NoError(t, err)
	for i := range acked {
		require.Len(t, getString(t, s, fmt.Sprint(i)), 1000)
	}
	require.Equal(t, "again", getString(t, s, "room"))
	require.NoError(t, s.Close())
}

// Somebody removes the directory of a running store: the next write says so.
func TestRealDirectoryRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s, err := openPath(t, path)
	require.NoError(t, err)
	require.NoError(t, setString(s, "a", "1"))
	require.NoError(t, os.RemoveAll(path))
	err = setString(s, "b", "2")
	require.ErrorIs(t, err, engine.ErrReadOnly)
	require.ErrorIs(t, err, storage.ErrRemoved)
	require.Equal(t, "1", getString(t, s, "a"), "reads go on")
	require.Error(t, s.Close())
}

// A directory on a read-only mount does not open for a store that writes, and the
// error says why; mounted for writing it does.
func TestRealReadOnlyMount(t *testing.T) {
	path := mounted(t, "")
	s, err := openPath(t, path)
	require.NoError(t, err)
	require.NoError(t, setString(s, "a", "1"))
	require.NoError(t, s.Close())
	require.NoError(t, syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err = openPath(t, path)
	require.ErrorIs(t, err, storage.ErrReadOnly)
	require.ErrorContains(t, err, path)
	require.NoError(t, syscall.Mount("", path, "", syscall.MS_REMOUNT, ""))
	s, err = openPath(t, path)
	require.NoError(t, err)
	require.Equal(t, "1", getString(t, s, "a"))
	require.NoError(t, s.Close())
}

// Two stores on one directory: the second learns who has it.
func TestRealLock(t *testing.T) {
	path := t.TempDir()
	s, err := openPath(t, path)
	require.NoError(t, err)
	_, err = openPath(t, path)
	var locked *storage.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.Holder.PID)
	require.ErrorContains(t, err, fmt.Sprintf("in use by process %d", os.Getpid()))
	require.NoError(t, s.Close())
	s, err = openPath(t, path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}
