package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// contents is everything that a store holds, by key.
func contents(t testing.TB, s *engine.Store) map[string]engine.Entry {
	t.Helper()
	all := make(map[string]engine.Entry)
	o := engine.ListOptions{Values: true, Limit: engine.ListLimitMax}
	for {
		page, err := s.List(o)
		require.NoError(t, err)
		for _, e := range page.Entries {
			all[e.Key] = e.Entry
		}
		if page.Next == "" {
			return all
		}
		o.After = page.Next
	}
}

// snapshotOf is the store's snapshot as bytes.
func snapshotOf(t testing.TB, s *engine.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.Snapshot(&b))
	return b.Bytes()
}

func testSnapshot(t *testing.T, open Opener) {
	t.Run("round trip", func(t *testing.T) { testSnapshotRoundTrip(t, open) })
	t.Run("damage", func(t *testing.T) { testSnapshotDamage(t, open) })
	t.Run("under writes", func(t *testing.T) { testSnapshotUnderWrites(t, open) })
	t.Run("failing streams", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		set(t, s, "k", "v", engine.SetOptions{})
		broken := errors.New("cable cut")
		require.ErrorIs(t, s.Restore(iotest.ErrReader(broken)), broken)
		require.ErrorIs(t, s.Snapshot(failingWriter{broken}), broken)
		require.Equal(t, "v", value(t, s, "k"))
		require.NoError(t, s.Restore(iotest.OneByteReader(bytes.NewReader(snapshotOf(t, s)))))
	})
	t.Run("over budget", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		set(t, s, "k", strings.Repeat("v", 5000), engine.SetOptions{})
		small, _ := opened(t, open, engine.Options{BytesMax: 1000})
		set(t, small, "mine", "v", engine.SetOptions{})
		require.ErrorIs(t, small.Restore(bytes.NewReader(snapshotOf(t, s))), engine.ErrFull)
		require.Equal(t, "v", value(t, small, "mine"))
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func testSnapshotRoundTrip(t *testing.T, open Opener) {
	s, c := opened(t, open, engine.Options{})
	for i := range 3000 {
		set(t, s, fmt.Sprintf("key-%d", i), strings.Repeat("v", i%200), engine.SetOptions{})
	}
	set(t, s, "large", strings.Repeat("L", 300_000), engine.SetOptions{})
	set(t, s, "ttl", "v", engine.SetOptions{TTL: time.Second})
	set(t, s, "over", "v", engine.SetOptions{TTL: time.Millisecond})
	c.millis++
	snapshot := snapshotOf(t, s)

	other, otherClock := opened(t, open, engine.Options{})
	otherClock.millis = c.millis
	set(t, other, "was here", "v", engine.SetOptions{})
	w, err := other.Watch(engine.WatchOptions{Prefix: "zzz"})
	require.NoError(t, err)
	require.NoError(t, other.Restore(bytes.NewReader(snapshot)))
	require.Equal(t, contents(t, s), contents(t, other))
	absent(t, other, "was here")
	absent(t, other, "over")
	events := w.Poll(nil, 0)
	require.Len(t, events, 1)
	require.Equal(t, engine.EventReset, events[0].Kind)

	next := set(t, other, "new", "v", engine.SetOptions{})
	require.Greater(t, next, s.Stats().Version, "versions never go back")
	otherClock.millis += 1000
	absent(t, other, "ttl")
	require.Equal(t, 1, other.Tick(0))
	_, _, err = other.Delete("new", engine.DeleteOptions{})
	require.NoError(t, err)
	_, err = other.Clear("")
	require.NoError(t, err)
	require.Zero(t, other.Stats().Bytes)
	require.Zero(t, other.Stats().Keys)
}

// testSnapshotDamage flips every bit position of a small snapshot once per
// byte, cuts it at every length and adds to it: each must be refused, and leave
// the store as it was.
func testSnapshotDamage(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	set(t, s, "a", "1", engine.SetOptions{})
	set(t, s, "b", "22", engine.SetOptions{TTL: time.Hour})
	good := snapshotOf(t, s)
	before := contents(t, s)
	refused := func(what string, damaged []byte) {
		t.Helper()
		err := s.Restore(bytes.NewReader(damaged))
		require.ErrorIs(t, err, engine.ErrSnapshot, what)
		require.ErrorContains(t, err, "at byte", what)
	}
	for i := range good {
		damaged := bytes.Clone(good)
		damaged[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("byte %d flipped", i), damaged)
		refused(fmt.Sprintf("cut at %d", i), good[:i])
	}
	refused("a byte more", append(bytes.Clone(good), 0))
	refused("twice", append(bytes.Clone(good), good...))
	require.Equal(t, before, contents(t, s))
	require.NoError(t, s.Restore(io.LimitReader(bytes.NewReader(good), int64(len(good)))))
	require.Equal(t, before, contents(t, s))
}
