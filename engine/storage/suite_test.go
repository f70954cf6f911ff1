package storage_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// opener opens an empty directory, and with again the same one once more, as
// another process would see it.
type opener func(t *testing.T) (dir storage.Dir, again func() storage.Dir)

// testDir is the suite that every Dir passes.
func testDir(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"names":              testNames,
		"create and open":    testCreateAndOpen,
		"read and write":     testReadAndWrite,
		"length":             testLength,
		"rename":             testRename,
		"remove":             testRemove,
		"removed while open": testRemovedWhileOpen,
		"read only":          testReadOnlyFile,
		"closed":             testClosedFile,
		"preallocate":        testPreallocate,
		"lock":               testLock,
		"concurrent":         testConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// create makes a file that holds text.
func create(t testing.TB, d storage.Dir, name, text string) {
	t.Helper()
	f, err := d.Create(name)
	require.NoError(t, err)
	n, err := f.WriteAt([]byte(text), 0)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// contents is all that an open file holds.
func contents(t testing.TB, f storage.File) string {
	t.Helper()
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != io.EOF { // which may come with the last byte
		require.NoError(t, err)
	}
	require.Len(t, b, n)
	return string(b)
}

// holds asserts what the directory holds: names and contents in turn.
func holds(t testing.TB, d storage.Dir, want ...string) {
	t.Helper()
	names, err := d.List()
	require.NoError(t, err)
	var got []string
	for _, name := range names {
		f, err := d.Open(name)
		require.NoError(t, err)
		got = append(got, name, contents(t, f))
		require.NoError(t, f.Close())
	}
	require.Equal(t, want, got)
}

func testNames(t *testing.T, open opener) {
	d, _ := open(t)
	holds(t, d)
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "A", "ä", "a b", "-a", ".a", "a\x00", "lock", strings.Repeat("a", 65)} {
		require.False(t, storage.ValidName(name), "%q", name)
		_, err := d.Create(name)
		require.ErrorIs(t, err, storage.ErrName, "%q", name)
		_, err = d.Open(name)
		require.ErrorIs(t, err, storage.ErrName, "%q", name)
		_, err = d.OpenWrite(name)
		require.ErrorIs(t, err, storage.ErrName, "%q", name)
		require.ErrorIs(t, d.Remove(name), storage.ErrName, "%q", name)
		require.ErrorIs(t, d.Rename(name, "b"), storage.ErrName, "%q", name)
		create(t, d, "b", "")
		require.ErrorIs(t, d.Rename("b", name), storage.ErrName, "%q", name)
		require.NoError(t, d.Remove("b"))
	}
	for _, name := range []string{"z", "0", "a.-b", strings.Repeat("9", 64)} {
		create(t, d, name, name)
	}
	holds(t, d, "0", "0", strings.Repeat("9", 64), strings.Repeat("9", 64), "a.-b", "a.-b", "z", "z")
}

func testCreateAndOpen(t *testing.T, open opener) {
	d, again := open(t)
	create(t, d, "a", "one")
	_, err := d.Create("a")
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = d.Open("b")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "b", "the error names the file")
	_, err = d.OpenWrite("b")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, d.Sync())
	holds(t, d, "a", "one")
	holds(t, again(), "a", "one")
}

func testReadAndWrite(t *testing.T, open opener) {
	d, _ := open(t)
	create(t, d, "a", "0123456789")
	f, err := d.OpenWrite("a")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("XY"), 4)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("end"), 12)
	require.NoError(t, err)
	require.Equal(t, "0123XY6789\x00\x00end", contents(t, f), "a gap reads as zeros")

	b := make([]byte, 4)
	n, err := f.ReadAt(b, 2)
	require.NoError(t, err)
	require.Equal(t, "23XY", string(b[:n]))
	n, err = f.ReadAt(b, 13)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "nd", string(b[:n]))
	for _, past := range []int64{15, 16, 1 << 40} {
		n, err = f.ReadAt(b, past)
		require.ErrorIs(t, err, io.EOF)
		require.Zero(t, n)
	}
	_, err = f.ReadAt(b, -1)
	require.Error(t, err)
	_, err = f.WriteAt(b, -1)
	require.Error(t, err)

	// Another who has the file open sees the writes at once.
	other, err := d.Open("a")
	require.NoError(t, err)
	require.Equal(t, contents(t, f), contents(t, other))
	require.NoError(t, other.Close())
	require.NoError(t, f.Close())
	holds(t, d, "a", "0123XY6789\x00\x00end")
}

func testLength(t *testing.T, open opener) {
	d, _ := open(t)
	create(t, d, "a", "0123456789")
	f, err := d.OpenWrite("a")
	require.NoError(t, err)
	require.NoError(t, f.Truncate(4))
	require.Equal(t, "0123", contents(t, f))
	require.NoError(t, f.Truncate(6))
	require.Equal(t, "0123\x00\x00", contents(t, f), "what was cut off does not come back")
	require.Error(t, f.Truncate(-1))
	require.NoError(t, f.Truncate(0))
	require.Equal(t, "", contents(t, f))
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func testRename(t *testing.T, open opener) {
	d, again := open(t)
	create(t, d, "a", "one")
	create(t, d, "b", "two")
	require.NoError(t, d.Rename("a", "c"))
	holds(t, d, "b", "two", "c", "one")
	require.NoError(t, d.Rename("c", "b"))
	holds(t, d, "b", "one")
	require.ErrorIs(t, d.Rename("a", "b"), fs.ErrNotExist)
	require.NoError(t, d.Rename("b", "b"))
	holds(t, d, "b", "one")
	require.NoError(t, d.Sync())
	holds(t, again(), "b", "one")
}

func testRemove(t *testing.T, open opener) {
	d, _ := open(t)
	create(t, d, "a", "one")
	create(t, d, "b", "two")
	require.NoError(t, d.Remove("a"))
	require.ErrorIs(t, d.Remove("a"), fs.ErrNotExist)
	holds(t, d, "b", "two")
	create(t, d, "a", "")
	holds(t, d, "a", "", "b", "two")
	require.NoError(t, d.Sync())
}

func testRemovedWhileOpen(t *testing.T, open opener) {
	d, _ := open(t)
	f, err := d.Create("a")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("one"), 0)
	require.NoError(t, err)
	require.NoError(t, d.Remove("a"))
	require.ErrorIs(t, f.Sync(), storage.ErrRemoved)
	require.Equal(t, "one", contents(t, f))
	create(t, d, "a", "new")
	require.Equal(t, "one", contents(t, f))
	require.NoError(t, f.Close())

	g, err := d.OpenWrite("a")
	require.NoError(t, err)
	create(t, d, "b", "over")
	require.NoError(t, d.Rename("b", "a"))
	require.ErrorIs(t, g.Sync(), storage.ErrRemoved)
	require.NoError(t, g.Close())
}

func testReadOnlyFile(t *testing.T, open opener) {
	d, _ := open(t)
	create(t, d, "a", "one")
	f, err := d.Open("a")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorIs(t, f.Truncate(0), fs.ErrPermission)
	require.ErrorIs(t, f.Preallocate(100), fs.ErrPermission)
	require.ErrorIs(t, f.Sync(), fs.ErrPermission)
	require.Equal(t, "one", contents(t, f))
	require.NoError(t, f.Close())
}

func testClosedFile(t *testing.T, open opener) {
	d, _ := open(t)
	f, err := d.Create("a")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	b := make([]byte, 1)
	_, err = f.ReadAt(b, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = f.WriteAt(b, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = f.Size()
	require.ErrorIs(t, err, fs.ErrClosed)
	require.ErrorIs(t, f.Truncate(0), fs.ErrClosed)
	require.ErrorIs(t, f.Preallocate(1), fs.ErrClosed)
	require.ErrorIs(t, f.Sync(), fs.ErrClosed)
	require.ErrorIs(t, f.Close(), fs.ErrClosed)
}

func testPreallocate(t *testing.T, open opener) {
	d, _ := open(t)
	create(t, d, "a", "one")
	f, err := d.OpenWrite("a")
	require.NoError(t, err)
	err = f.Preallocate(10)
	if errors.Is(err, errors.ErrUnsupported) {
		require.Equal(t, "one", contents(t, f))
	} else {
		require.NoError(t, err)
		require.Equal(t, "one"+strings.Repeat("\x00", 7), contents(t, f))
	}
	before := contents(t, f)
	require.NoError(t, f.Preallocate(2))
	require.Equal(t, before, contents(t, f), "it never shortens")
	require.NoError(t, f.Close())
}

func testLock(t *testing.T, open opener) {
	d, again := open(t)
	held, err := d.Lock()
	require.NoError(t, err)
	for _, other := range []storage.Dir{d, again()} {
		_, err = other.Lock()
		require.ErrorIs(t, err, storage.ErrLocked)
		var locked *storage.LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, other.String(), locked.Dir)
		require.NotZero(t, locked.Holder.PID)
		require.NotEmpty(t, locked.Holder.Host)
		require.NotZero(t, locked.Holder.Since)
		require.ErrorContains(t, err, d.String())
	}
	holds(t, d) // the lock is no file of the store
	require.NoError(t, held.Close())
	require.NoError(t, held.Close(), "closing twice is harmless")
	held, err = again().Lock()
	require.NoError(t, err)
	require.NoError(t, held.Close())
}

// testConcurrent writes regions of one file from several goroutines while others
// make and remove files.
func testConcurrent(t *testing.T, open opener) {
	d, _ := open(t)
	f, err := d.Create("shared")
	require.NoError(t, err)
	const writers, rounds, width = 4, 20, 100
	var wait sync.WaitGroup
	failures := make(chan error, 2*writers)
	for w := range writers {
		wait.Go(func() {
			for i := range rounds {
				if _, err := f.WriteAt(bytes.Repeat([]byte{'a' + byte(w)}, width), int64((i*writers+w)*width)); err != nil {
					failures <- err
					return
				}
			}
		})
		wait.Go(func() {
			name := string(rune('a' + w))
			for range rounds {
				g, err := d.Create(name)
				if err == nil {
					err = errors.Join(g.Close(), d.Rename(name, name+"."), d.Remove(name+"."), f.Sync())
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	var want strings.Builder
	for range rounds {
		for w := range writers {
			want.WriteString(strings.Repeat(string(rune('a'+w)), width))
		}
	}
	require.NoError(t, f.Close())
	holds(t, d, "shared", want.String())
}
