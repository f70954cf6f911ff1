package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// files are the contents of a directory.
type files map[string][]byte

func readFiles(t testing.TB, dir storage.Dir) files {
	t.Helper()
	all := files{}
	names, err := dir.List()
	require.NoError(t, err)
	for _, name := range names {
		f, err := dir.Open(name)
		require.NoError(t, err)
		size, err := f.Size()
		require.NoError(t, err)
		all[name] = make([]byte, size)
		if size > 0 {
			_, err = f.ReadAt(all[name], 0)
			require.NoError(t, err)
		}
		require.NoError(t, f.Close())
	}
	return all
}

// dir is a directory in memory with these files.
func (all files) dir(t testing.TB) storage.Dir {
	t.Helper()
	dir := storage.Memory()
	for name, b := range all {
		f, err := dir.Create(name)
		require.NoError(t, err)
		_, err = f.WriteAt(b, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	return dir
}

// with is the files with one of them changed.
func (all files) with(name string, b []byte) files {
	changed := files{}
	for n, c := range all {
		changed[n] = c
	}
	changed[name] = b
	return changed
}

// damageable is a closed store with a snapshot and a log of a few segments, and
// what it held after each change since the snapshot.
func damageable(t testing.TB) (all files, history []string) {
	dir := storage.Memory()
	o := engine.Options{Dir: dir, SegmentBytes: 768, BackgroundDisabled: true}
	s := openStore(t, o)
	for i := range 12 {
		_, err := s.Set(fmt.Sprintf("old-%d", i), []byte(strings.Repeat("o", 10*i)), engine.SetOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, s.Compact())
	history = append(history, contents(t, s))
	for i := range 12 {
		_, err := s.SetMany([]engine.Item{{Key: fmt.Sprintf("new-%d", i), Value: []byte(strings.Repeat("n", 10*i))}, {Key: "both", Value: []byte(fmt.Sprint(i))}})
		require.NoError(t, err)
		history = append(history, contents(t, s))
		_, _, err = s.Delete(fmt.Sprintf("old-%d", i%5), engine.DeleteOptions{})
		require.NoError(t, err)
		history = append(history, contents(t, s))
	}
	require.NoError(t, s.Close())
	return readFiles(t, dir), history
}

// checkDamaged opens files of which the one named was damaged: what is wrong is
// found and named, or does not matter. Only where the log ends it may look like what
// a crash leaves: then the store is as it was at some moment. When deep, Verify
// says the same, and Repair makes a store that opens.
func checkDamaged(t *testing.T, all files, name string, history []string, deep bool) (found bool) {
	t.Helper()
	s, err := engine.Open(engine.Options{Dir: all.dir(t), BackgroundDisabled: true})
	if err == nil {
		if name == lastLog(all) {
			require.Contains(t, history, contents(t, s))
		} else {
			require.Equal(t, history[len(history)-1], contents(t, s))
		}
		require.NoError(t, s.Close())
		if !deep {
			return false
		}
		v, err := engine.Verify(engine.Options{Dir: all.dir(t)})
		require.NoError(t, err)
		require.Empty(t, v.Damage)
		return false
	}
	if !strings.Contains(err.Error(), "newer") {
		require.ErrorIs(t, err, engine.ErrCorrupt)
	} else {
		require.ErrorIs(t, err, engine.ErrFormatVersion)
		return true
	}
	if !deep {
		return true
	}
	dir := all.dir(t)
	v, repaired, err := engine.Repair(engine.Options{Dir: dir}, func(v *engine.Verification) bool { return true })
	require.NoError(t, err)
	require.NotEmpty(t, v.Damage)
	require.True(t, repaired)
	s, err = engine.Open(engine.Options{Dir: dir, BackgroundDisabled: true})
	require.NoError(t, err)
	require.EqualValues(t, v.Entries, s.Stats().Keys)
	require.NoError(t, s.Close())
	return true
}

// lastLog is the name of the last segment.
func lastLog(all files) (last string) {
	for name := range all {
		if strings.HasPrefix(name, "log-") {
			last = max(last, name)
		}
	}
	return last
}

// slow says that these tests, which open a store for every damage, would take minutes.
const slow = raced || runtime.GOARCH == "wasm"

func TestEveryFlippedByte(t *testing.T) {
	all, history := damageable(t)
	require.Greater(t, len(all), 3)
	flipped, found := 0, 0
	for name, b := range all {
		for i := range b {
			if slow && i%8 != 0 {
				continue
			}
			changed := bytes.Clone(b)
			changed[i] ^= 1 << (i % 8)
			t.Run("", func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("%s, byte %d", name, i)
					}
				}()
				if checkDamaged(t, all.with(name, changed), name, history, i%16 == 5) {
					found++
				}
			})
			flipped++
		}
	}
	t.Logf("%d bytes flipped, %d found, the others did not matter", flipped, found)
	require.Greater(t, found*10, flipped*8)
}

func TestCutSwappedZeroed(t *testing.T) {
	all, history := damageable(t)
	rng := rand.New(rand.NewPCG(11, 12))
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	rounds := 200
	if slow {
		rounds = 40
	}
	for range rounds {
		name := names[rng.IntN(len(names))]
		b := bytes.Clone(all[name])
		from := rng.IntN(len(b))
		n := 1 + rng.IntN(len(b)-from)
		what := rng.IntN(5)
		switch what {
		case 0:
			b = b[:from]
		case 1:
			clear(b[from : from+n])
		case 2: // a run of bytes twice
			b = append(b[:from+n:from+n], b[from:]...)
		case 3: // a run moved
			copy(b[from:], b[rng.IntN(len(b)-n+1):][:n])
		case 4: // the contents of another file
			b = all[names[rng.IntN(len(names))]]
		}
		t.Run("", func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("%s, damage %d at %d, %d bytes", name, what, from, n)
				}
			}()
			checkDamaged(t, all.with(name, b), name, history, true)
		})
	}
	for _, name := range names {
		less := all.with(name, nil)
		delete(less, name)
		if name != lastLog(all) { // that it was there only its own blocks say
			t.Run("without "+name, func(t *testing.T) { require.True(t, checkDamaged(t, less, name, history, true)) })
		}
	}
}
