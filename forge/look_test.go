package forge

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A change is acted upon once, and when it is whole: two looks agree, or more where the
// file is gone or empty.
func TestWatcherWaitsUntilFilesAreWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	none := filepath.Join(t.TempDir(), "none")
	files := []string{path, none}
	write(t, path, "one")
	w := watcher{seen: lookAt(files, nil)}
	looks := func(n int) (acted int) {
		for range n {
			if w.settled(files) {
				acted++
			}
		}
		return acted
	}
	require.Zero(t, looks(10))
	write(t, path, "two")
	require.Zero(t, looks(1))
	write(t, path, "three") // which is still being written
	require.Zero(t, looks(1))
	require.Equal(t, 1, looks(1))
	require.Zero(t, looks(10))

	require.NoError(t, os.Remove(path)) // by an editor that renames over it
	require.Zero(t, looks(settledLooksGone-1))
	write(t, path, "three")
	require.Zero(t, looks(10), "it came back as it was")
	require.NoError(t, os.Truncate(path, 0))
	require.Zero(t, looks(settledLooksGone-1))
	require.Equal(t, 1, looks(1), "it stays empty")
	require.NoError(t, os.Remove(path))
	require.Equal(t, 1, looks(10))
	write(t, none, "here")
	require.Equal(t, 1, looks(10), "a file that was never there")
	w.forget()
	require.Equal(t, 1, looks(10))
}

// Times and size alone do not say that a file is as it was while they are fresh; later
// it is not read again.
func TestLooksReadFreshFilesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	write(t, path, "one")
	info, err := os.Stat(path)
	require.NoError(t, err)
	before := lookAt([]string{path}, nil)
	require.NoError(t, os.WriteFile(path, []byte("two"), 0o600))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	require.False(t, lookAt([]string{path}, before).same(before))

	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
	before = lookAt([]string{path}, nil)
	g := before[path]
	g.sum[0]++ // which only reading would mend
	before[path] = g
	require.Equal(t, g.sum, lookAt([]string{path}, before)[path].sum)
}

// What may have changed while it was read for the first time is found changed.
func TestFirstLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	write(t, path, "one")
	require.Empty(t, firstLook([]string{path}, time.Now()))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
	require.Len(t, firstLook([]string{path}, time.Now()), 1)
}
