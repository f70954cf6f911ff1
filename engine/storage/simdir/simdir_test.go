package simdir_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

const sector = 512

// draws is how many crashes of one moment the tests look at.
const draws = 400

func create(t testing.TB, d storage.Dir, name, text string) storage.File {
	t.Helper()
	f, err := d.Create(name)
	require.NoError(t, err)
	write(t, f, text, 0)
	return f
}

func write(t testing.TB, f storage.File, text string, offset int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(text), offset)
	require.NoError(t, err)
}

// outcomes is what the disk may hold after a crash, each as text.
func outcomes(d *simdir.Dir) []string {
	seen := map[string]bool{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range draws {
		seen[describe(d.Crash(rng))] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// describe is a disk's contents: repeated bytes as one.
func describe(d *simdir.Dir) string {
	names, _ := d.List()
	var parts []string
	for _, name := range names {
		parts = append(parts, name+"="+squeeze(d.Bytes(name)))
	}
	return strings.Join(parts, " ")
}

func squeeze(b []byte) string {
	var out []byte
	for _, s := range bytes.ReplaceAll(b, []byte{0}, []byte("_")) {
		if len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	return string(out)
}

// full is n sectors of one letter each.
func full(letters string) string {
	var text strings.Builder
	for _, c := range letters {
		text.WriteString(strings.Repeat(string(c), sector))
	}
	return text.String()
}

func TestCrashLosesNames(t *testing.T) {
	d := simdir.New(1)
	f := create(t, d, "a", "x")
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"", "a=x"}, outcomes(d), "a created file may be gone, however synced")
	require.NoError(t, d.Sync())
	require.Equal(t, []string{"a=x"}, outcomes(d))

	require.NoError(t, d.Rename("a", "b"))
	require.Equal(t, []string{"a=x", "b=x"}, outcomes(d), "a rename is one step")
	g := create(t, d, "a", "y")
	require.NoError(t, g.Sync())
	require.Equal(t, []string{"a=x", "a=y b=x", "b=x"}, outcomes(d), "what concerns one name is in order")
	require.NoError(t, d.Sync())

	require.NoError(t, d.Remove("a"))
	require.NoError(t, d.Remove("b"))
	require.Equal(t, []string{"", "a=y", "a=y b=x", "b=x"}, outcomes(d), "apart from that it is not")
	require.NoError(t, d.Sync())
	require.Equal(t, []string{""}, outcomes(d))
}

func TestCrashReplacesOrNot(t *testing.T) {
	d := simdir.New(1)
	require.NoError(t, create(t, d, "a", "old").Sync())
	require.NoError(t, create(t, d, "new", "n").Sync())
	require.NoError(t, d.Sync())
	require.NoError(t, d.Rename("new", "a"))
	require.Equal(t, []string{"a=n", "a=old new=n"}, outcomes(d))
}

func TestCrashTearsAndReordersWrites(t *testing.T) {
	d := simdir.New(1)
	f := create(t, d, "a", full("abc"))
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	write(t, f, full("AB"), 0)
	write(t, f, full("C"), 2*sector)
	var want []string
	for i := range 8 {
		letters := []byte("abc")
		for s := range letters {
			if i>>s&1 == 1 {
				letters[s] -= 'a' - 'A'
			}
		}
		want = append(want, "a="+string(letters))
	}
	slices.Sort(want)
	require.Equal(t, want, outcomes(d))
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"a=ABC"}, outcomes(d))

	write(t, f, full("1"), 0)
	write(t, f, "2", 0)
	require.Equal(t, []string{"a=1BC", "a=21BC", "a=ABC"}, outcomes(d), "a sector holds what it held at some moment")
}

func TestCrashCutsALongWriteShort(t *testing.T) {
	d := simdir.New(1)
	const long = 1000 // sectors: that half of them survive by chance is out of reach
	f := create(t, d, "a", strings.Repeat("a", long*sector))
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	write(t, f, strings.Repeat("A", long*sector), 0)
	require.Contains(t, outcomes(d), "a=Aa")
}

func TestCrashLosesLengths(t *testing.T) {
	d := simdir.New(1)
	f := create(t, d, "a", full("a"))
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	write(t, f, full("b"), sector)
	require.Equal(t, []string{"a=a", "a=a_", "a=ab"}, outcomes(d), "it may grow by zeros")
	require.NoError(t, f.Sync())
	require.NoError(t, f.Truncate(sector))
	require.Equal(t, []string{"a=a", "a=ab"}, outcomes(d))
	require.NoError(t, f.Truncate(2*sector))
	require.Equal(t, []string{"a=a", "a=a_", "a=ab"}, outcomes(d), "what was cut off may be there, or zeros")
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"a=a_"}, outcomes(d))
}

func TestCrashFindsStaleSectors(t *testing.T) {
	d := simdir.New(1)
	old := create(t, d, "old", full("123"))
	require.NoError(t, old.Sync())
	require.NoError(t, d.Remove("old"))
	f := create(t, d, "a", full("a"))
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	write(t, f, full("b"), sector)
	require.NotContains(t, outcomes(d), "a=a2")
	d.SetStale(true)
	require.Equal(t, []string{"a=a", "a=a2", "a=a_", "a=ab"}, outcomes(d))
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"a=ab"}, outcomes(d))
}

// TestCrashIsLegal compares each sector after a crash with all that it held
// since the last sync, and each length likewise, on random calls.
func TestCrashIsLegal(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 7))
		d := simdir.New(seed)
		f := create(t, d, "a", "")
		require.NoError(t, f.Sync())
		require.NoError(t, d.Sync())
		history := [][]byte{nil} // the contents after each change since the last sync
		for range 30 {
			switch size, err := f.Size(); rng.IntN(8) {
			case 0:
				require.NoError(t, err)
				require.NoError(t, f.Truncate(rng.Int64N(size+300)))
			case 1:
				require.NoError(t, f.Preallocate(size+rng.Int64N(2000)))
			case 2:
				require.NoError(t, f.Sync())
				history = nil
			default:
				write(t, f, strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(1500)), rng.Int64N(3000))
			}
			history = append(history, d.Bytes("a"))
			for range 10 {
				judge(t, history, d.Crash(rng).Bytes("a"), seed)
			}
		}
	}
}

// judge asserts that got can be what a crash left of a file that went through
// these contents.
func judge(t *testing.T, history [][]byte, got []byte, seed uint64) {
	t.Helper()
	require.True(t, slices.ContainsFunc(history, func(h []byte) bool { return len(h) == len(got) }), "seed %d: length %d", seed, len(got))
	for begin := 0; begin < len(got); begin += sector {
		part := got[begin:min(begin+sector, len(got))]
		require.True(t, slices.ContainsFunc(history, func(h []byte) bool {
			was := make([]byte, len(part)) // zeros where it was shorter
			if begin < len(h) {
				copy(was, h[begin:])
			}
			return bytes.Equal(was, part)
		}), "seed %d: sector at %d", seed, begin)
	}
}

func TestKillKeepsEverythingThatWasWritten(t *testing.T) {
	d := simdir.New(1)
	_, err := d.Lock()
	require.NoError(t, err)
	f := create(t, d, "a", "one")
	killed := d.Kill()
	require.Equal(t, "a=one", describe(killed))
	_, err = killed.Lock()
	require.NoError(t, err)
	require.Equal(t, []string{"", "a=", "a=_", "a=one"}, outcomes(killed), "but a power failure may still take it")
	write(t, f, "two", 0)
	require.Equal(t, "a=one", describe(killed), "the disks part")
	g, err := killed.OpenWrite("a")
	require.NoError(t, err)
	require.NoError(t, g.Sync())
	require.NoError(t, killed.Sync())
	require.Equal(t, []string{"a=one"}, outcomes(killed))
}

func TestCrashAt(t *testing.T) {
	d := simdir.New(1)
	d.CrashAt(3)
	f, err := d.Create("a")
	require.NoError(t, err)
	write(t, f, "one", 0)
	require.ErrorIs(t, f.Sync(), simdir.ErrCrashed)
	_, err = d.List()
	require.ErrorIs(t, err, simdir.ErrCrashed)
	_, err = f.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, simdir.ErrCrashed)
	require.ErrorIs(t, f.Close(), simdir.ErrCrashed)
	require.Contains(t, outcomes(d), "", "the sync did nothing")

	events := d.Trace()
	require.Equal(t, "write a, 3 bytes at 0", events[1].String())
	require.Equal(t, "sync a (the power is off)", events[2].String())
}

func TestBeforeSeesEachMoment(t *testing.T) {
	d := simdir.New(1)
	var seen []string
	d.Before(func(e simdir.Event) { seen = append(seen, fmt.Sprintf("%s: %s", e, describeQuietly(d))) })
	f := create(t, d, "a", "one")
	require.NoError(t, f.Close())
	require.NoError(t, d.Rename("a", "b"))
	d.Before(nil)
	require.NoError(t, d.Remove("b"))
	require.Equal(t, []string{"create a: ", "write a, 3 bytes at 0: a=", "close a: a=one", "rename a to b: a=one"}, seen)
}

// describeQuietly describes without a call on d.
func describeQuietly(d *simdir.Dir) string { return describe(d.Kill()) }

var errCable = errors.New("cable cut")

func TestFailAt(t *testing.T) {
	d := simdir.New(1)
	f := create(t, d, "a", "0123456789")
	d.FailAt(2, simdir.OpRead, errCable)
	b := make([]byte, 10)
	_, err := f.ReadAt(b, 0)
	require.NoError(t, err)
	n, err := f.ReadAt(b, 0)
	require.ErrorIs(t, err, errCable)
	require.Less(t, n, 10)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)

	d.FailAt(1, simdir.OpRead, io.ErrUnexpectedEOF)
	_, err = f.ReadAt(b, 0)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	d.FailAt(1, simdir.OpWrite, errCable)
	n, err = f.WriteAt([]byte("abcdefghij"), 0)
	require.ErrorIs(t, err, errCable)
	require.Equal(t, "abcdefghij"[:n]+"0123456789"[n:], string(d.Bytes("a")))

	for op, call := range map[simdir.Op]func() error{
		simdir.OpCreate:      func() error { _, err := d.Create("b"); return err },
		simdir.OpOpen:        func() error { _, err := d.Open("a"); return err },
		simdir.OpList:        func() error { _, err := d.List(); return err },
		simdir.OpLock:        func() error { _, err := d.Lock(); return err },
		simdir.OpSize:        func() error { _, err := f.Size(); return err },
		simdir.OpRename:      func() error { return d.Rename("a", "b") },
		simdir.OpRemove:      func() error { return d.Remove("a") },
		simdir.OpSyncDir:     d.Sync,
		simdir.OpSync:        f.Sync,
		simdir.OpClose:       f.Close,
		simdir.OpTruncate:    func() error { return f.Truncate(1) },
		simdir.OpPreallocate: func() error { return f.Preallocate(100) },
	} {
		d.FailAt(1, op, errCable)
		require.ErrorIs(t, call(), errCable, op)
	}
	require.Equal(t, []string{"a"}, must(d.List()))
	require.Len(t, d.Bytes("a"), 10)
	d.FailAt(1, simdir.OpSync, errCable)
	d.Heal()
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// After a failed sync the system shows what the disk does not hold.
func TestFailedSyncLosesData(t *testing.T) {
	lost := 0
	for seed := range uint64(50) {
		d := simdir.New(seed)
		f := create(t, d, "a", full("a"))
		require.NoError(t, f.Sync())
		require.NoError(t, d.Sync())
		write(t, f, full("b"), 0)
		d.FailAt(1, simdir.OpSync, errCable)
		require.ErrorIs(t, f.Sync(), errCable)
		require.NoError(t, f.Sync(), "the next one succeeds")
		require.Equal(t, "b", squeeze(d.Bytes("a")))
		after := outcomes(d)
		require.Len(t, after, 1)
		if after[0] == "a=a" {
			lost++
		}
		write(t, f, full("b"), 0)
		require.NoError(t, f.Sync())
		require.Equal(t, []string{"a=b"}, outcomes(d), "writing it again is what helps")
	}
	require.Positive(t, lost)
}

func TestSpace(t *testing.T) {
	d := simdir.New(1)
	f := create(t, d, "a", "0123456789")
	d.SetSpace(15)
	n, err := f.WriteAt([]byte("abcdefgh"), 10)
	require.ErrorIs(t, err, storage.ErrSpace)
	require.Equal(t, 5, n)
	require.Equal(t, int64(15), d.Used())
	_, err = d.Create("b")
	require.ErrorIs(t, err, storage.ErrSpace)
	require.ErrorIs(t, f.Truncate(16), storage.ErrSpace)
	require.ErrorIs(t, f.Preallocate(16), storage.ErrSpace)
	write(t, f, "overwriting", 0)
	require.NoError(t, f.Truncate(2))
	g := create(t, d, "b", "0123456789")
	require.NoError(t, d.Remove("b"))
	require.Equal(t, int64(12), d.Used(), "an open file keeps its space")
	require.NoError(t, g.Close())
	require.Equal(t, int64(2), d.Used())
	d.SetSpace(-1)
	write(t, f, full("aaaa"), 0)
}

func TestReadOnly(t *testing.T) {
	d := simdir.New(1)
	f := create(t, d, "a", "one")
	d.SetReadOnly(true)
	_, err := f.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, storage.ErrReadOnly)
	require.ErrorIs(t, f.Sync(), storage.ErrReadOnly)
	_, err = d.OpenWrite("a")
	require.ErrorIs(t, err, storage.ErrReadOnly)
	_, err = d.Create("b")
	require.ErrorIs(t, err, storage.ErrReadOnly)
	_, err = d.Lock()
	require.ErrorIs(t, err, storage.ErrReadOnly)
	require.ErrorIs(t, d.Rename("a", "b"), storage.ErrReadOnly)
	require.ErrorIs(t, d.Remove("a"), storage.ErrReadOnly)
	g, err := d.Open("a")
	require.NoError(t, err)
	b := make([]byte, 3)
	_, err = g.ReadAt(b, 0)
	require.NoError(t, err)
	require.Equal(t, "one", string(b))
}

func TestCorrupt(t *testing.T) {
	d := simdir.New(1)
	d.Put("a", []byte("one"))
	d.Corrupt("a", 1, 0x01)
	require.Equal(t, "ooe", string(d.Bytes("a")))
	require.Equal(t, []string{"a=oe"}, outcomes(d))
	require.Panics(t, func() { d.Corrupt("a", 3, 1) })
	require.Panics(t, func() { d.Corrupt("b", 0, 1) })
	require.Nil(t, d.Bytes("b"))
}
