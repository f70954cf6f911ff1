package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/backup"
)

var key = seal.AES256GCM(seal.Key{ID: 7, Secret: [32]byte{1, 2, 3}})

// open opens the store at path until the test ends.
func open(t *testing.T, path string, keys engine.Encryption) *engine.Store {
	t.Helper()
	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	s, err := engine.Open(engine.Options{Dir: dir, Encryption: keys})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		dir.Close()
	})
	return s
}

func set(t *testing.T, s *engine.Store, key, value string) uint64 {
	t.Helper()
	v, err := s.Set(key, []byte(value), engine.SetOptions{})
	require.NoError(t, err)
	return v
}

// write writes a backup of s to a new file.
func write(t *testing.T, s *engine.Store, o backup.Options) (string, backup.Info) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.backup")
	info, err := backup.ToFile(path, o.Encryption, func(w io.Writer) error {
		_, err := backup.Write(w, s, o)
		return err
	})
	require.NoError(t, err)
	return path, info
}

// contents are the entries of the store at path, which nobody has open.
func contents(t *testing.T, path string, keys engine.Encryption) string {
	t.Helper()
	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	defer dir.Close()
	var out bytes.Buffer
	require.NoError(t, engine.Dump(engine.Options{Dir: dir, Encryption: keys}, &out))
	return out.String()
}

func TestRestoreEquals(t *testing.T) {
	for name, keys := range map[string]engine.Encryption{"plain": nil, "sealed": key} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "from")
			s := open(t, from, keys)
			for i := range 500 {
				set(t, s, fmt.Sprintf("key/%d", i), fmt.Sprintf("value-that-is-looked-for %d", i))
			}
			full, first := write(t, s, backup.Options{Encryption: keys})
			require.True(t, first.Full)
			set(t, s, "key/1", "changed")
			_, _, err := s.Delete("key/2", engine.DeleteOptions{})
			require.NoError(t, err)
			more, second := write(t, s, backup.Options{Encryption: keys, Since: first})
			require.False(t, second.Full)
			require.Less(t, second.FileBytes, first.FileBytes/4)
			set(t, s, "last", "one")
			last, third := write(t, s, backup.Options{Encryption: keys, Since: second})
			require.False(t, third.Full)
			require.NoError(t, s.Close())

			to := filepath.Join(t.TempDir(), "new", "to")
			done, err := backup.Restore(to, []string{full, more, last}, backup.RestoreOptions{Encryption: keys})
			require.NoError(t, err)
			require.Equal(t, int64(500), done.Entries)
			require.Equal(t, third.Version, done.Version)
			require.Equal(t, contents(t, from, keys), contents(t, to, keys), "versions among them")
			tried, err := backup.Try([]string{full, more, last}, keys)
			require.NoError(t, err)
			require.Equal(t, done, tried)

			raw, err := os.ReadFile(full)
			require.NoError(t, err)
			require.Equal(t, keys == nil, bytes.Contains(raw, []byte("looked-for")), "a sealed store gives a sealed backup")
			if keys != nil {
				_, err = backup.Restore(filepath.Join(t.TempDir(), "x"), []string{full}, backup.RestoreOptions{})
				require.ErrorContains(t, err, "sealed with key 7")
				_, err = backup.Try([]string{full}, seal.AES256GCM(seal.Key{ID: 7}))
				require.ErrorContains(t, err, "does not open with key 7")
			}
		})
	}
}

func TestChainsAreHeldTo(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a"), nil)
	set(t, s, "a", "1")
	one, first := write(t, s, backup.Options{})
	set(t, s, "a", "2")
	two, second := write(t, s, backup.Options{Since: first})
	set(t, s, "a", "3")
	three, _ := write(t, s, backup.Options{Since: second})
	for _, files := range [][]string{{two}, {one, three}, {one, two, two}, {two, three}} {
		_, err := backup.Try(files, nil)
		require.ErrorIs(t, err, backup.ErrChain, "%v", files)
	}
	done, err := backup.Try([]string{one, two, three}, nil)
	require.NoError(t, err)
	require.Equal(t, int64(1), done.Entries)

	other := open(t, filepath.Join(t.TempDir(), "b"), nil)
	set(t, other, "b", "1")
	_, err = backup.Write(io.Discard, other, backup.Options{Since: first})
	require.ErrorIs(t, err, backup.ErrOtherStore)

	require.NoError(t, s.Compact())
	_, whole := write(t, s, backup.Options{Since: first})
	require.True(t, whole.Full, "the log does not reach back any more")
}

// Each byte that is flipped, and each byte at which the file ends, is found, with its
// place; and nothing is left behind at the target.
func TestDamageIsFound(t *testing.T) {
	for name, keys := range map[string]engine.Encryption{"plain": nil, "sealed": key} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "s"), keys)
			set(t, s, "k", "v")
			path, _ := write(t, s, backup.Options{Encryption: keys})
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			check := func(b []byte, what string, at int) {
				for _, k := range []engine.Encryption{keys, nil} { // without the key too
					_, err := backup.Check(bytes.NewReader(b), k)
					require.Error(t, err, "%s %d", what, at)
					corrupt, ok := errors.AsType[*backup.CorruptError](err)
					if ok {
						require.LessOrEqual(t, corrupt.Offset, int64(len(b)))
					} else {
						require.Contains(t, err.Error(), "has format", "%s %d", what, at)
					}
				}
			}
			for i := range raw {
				flipped := bytes.Clone(raw)
				flipped[i] ^= 1 << (i % 8)
				check(flipped, "flipped", i)
				check(raw[:i], "cut at", i)
			}
			check(append(bytes.Clone(raw), 0), "longer", len(raw))

			bad := filepath.Join(t.TempDir(), "bad")
			require.NoError(t, os.WriteFile(bad, raw[:len(raw)-1], 0o600))
			parent := t.TempDir()
			_, err = backup.Restore(filepath.Join(parent, "x"), []string{bad}, backup.RestoreOptions{Encryption: keys})
			require.ErrorContains(t, err, "at byte")
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// While many write, a backup holds all that was acknowledged before it began, and of each
// writer's keys, which it writes in order, the first so many.
func TestBackupDuringWritesIsAPrefix(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s"), nil)
	const writers = 4
	var acknowledged [writers]int
	var mu sync.Mutex
	stop := make(chan struct{})
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Set(fmt.Sprintf("%d/%06d", w, i), []byte{byte(i)}, engine.SetOptions{}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[w] = i + 1
				mu.Unlock()
			}
		})
	}
	var before backup.Info
	var files []string
	for range 4 {
		mu.Lock()
		least := acknowledged
		mu.Unlock()
		file, info := write(t, s, backup.Options{Since: before})
		if info.Full {
			files = nil
		}
		files, before = append(files, file), info
		checkPrefix(t, files, least[:])
	}
	close(stop)
	running.Wait()
}

// checkPrefix restores backups and looks at what each writer has in them.
func checkPrefix(t *testing.T, files []string, least []int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "to")
	done, err := backup.Restore(path, files, backup.RestoreOptions{})
	require.NoError(t, err)
	s := open(t, path, nil)
	found := int64(0)
	for w := range least {
		n := 0
		for ; ; n++ {
			there, err := s.Exists(fmt.Sprintf("%d/%06d", w, n))
			require.NoError(t, err)
			if !there {
				break
			}
		}
		require.GreaterOrEqual(t, n, least[w], "writer %d: what was acknowledged before is in it", w)
		found += int64(n)
	}
	require.Equal(t, done.Entries, found, "and nothing that came after what is missing")
	require.NoError(t, s.Close())
}

func TestTargets(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s"), nil)
	set(t, s, "k", "new")
	file, _ := write(t, s, backup.Options{})

	used := filepath.Join(t.TempDir(), "used")
	old := open(t, used, nil)
	set(t, old, "k", "old")
	set(t, old, "l", "old")
	_, err := backup.Restore(used, []string{file}, backup.RestoreOptions{})
	require.ErrorIs(t, err, backup.ErrNotEmpty)
	_, err = backup.Restore(used, []string{file}, backup.RestoreOptions{Force: true})
	var locked *storage.LockedError
	require.ErrorAs(t, err, &locked, "a server has it")
	require.NoError(t, old.Close())
	before := contents(t, used, nil)
	done, err := backup.Restore(used, []string{file}, backup.RestoreOptions{Force: true})
	require.NoError(t, err)
	require.Equal(t, before, contents(t, done.Replaced, nil), "what was there stays")
	require.Contains(t, contents(t, used, nil), `"new"`)

	empty := t.TempDir()
	_, err = backup.Restore(empty, []string{file}, backup.RestoreOptions{Encryption: key})
	require.NoError(t, err)
	require.Contains(t, contents(t, empty, key), `"new"`, "with a key what is made is sealed")

	_, err = backup.ToFile(file, nil, func(io.Writer) error { return nil })
	require.ErrorContains(t, err, "is there already")
	failed := filepath.Join(t.TempDir(), "failed")
	_, err = backup.ToFile(failed, nil, func(io.Writer) error { return io.ErrClosedPipe })
	require.ErrorIs(t, err, io.ErrClosedPipe)
	left, err := os.ReadDir(filepath.Dir(failed))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestOverHTTP(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s"), nil)
	set(t, s, "k", "v")
	server := httptest.NewServer(backup.Handler(s, backup.HandlerOptions{Logger: slog.New(slog.DiscardHandler)}))
	defer server.Close()
	fetch := func(since backup.Info) (backup.Info, error) {
		var b bytes.Buffer
		if err := backup.Fetch(t.Context(), &b, server.URL+"/mcp", "", since); err != nil {
			return backup.Info{}, err
		}
		return backup.Check(&b, nil)
	}
	first, err := fetch(backup.Info{})
	require.NoError(t, err)
	set(t, s, "k", "w")
	second, err := fetch(first)
	require.NoError(t, err)
	require.Equal(t, []any{false, first.SHA256, first.Version}, []any{second.Full, second.Previous, second.Since})
	first.Store++
	_, err = fetch(first)
	require.ErrorContains(t, err, "another store")
	first.SHA256 = "x"
	_, err = fetch(first)
	require.ErrorContains(t, err, "400")
	require.NoError(t, s.Close())
	_, err = fetch(backup.Info{})
	require.Error(t, err, "what is cut off is no backup")
}
