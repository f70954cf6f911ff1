package enginetest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

func testRules(t *testing.T, open Opener) {
	t.Run("set and get", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		absent(t, s, "k")
		v1 := set(t, s, "k", "one", engine.SetOptions{})
		v2 := set(t, s, "k", "two", engine.SetOptions{})
		require.Greater(t, v2, v1)
		require.Equal(t, "two", value(t, s, "k"))
		set(t, s, "empty", "", engine.SetOptions{})
		e, err := s.Get("empty")
		require.NoError(t, err)
		require.True(t, e.Found())
		require.Empty(t, e.Value)
	})
	t.Run("values are copied in and out", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		in := []byte("abc")
		_, err := s.Set("k", in, engine.SetOptions{})
		require.NoError(t, err)
		_, err = s.SetMany([]engine.Item{{Key: "m", Value: in}})
		require.NoError(t, err)
		in[0] = 'X'
		e, err := s.Get("k")
		require.NoError(t, err)
		e.Value[1] = 'X'
		require.Equal(t, "abc", value(t, s, "k"))
		require.Equal(t, "abc", value(t, s, "m"))
	})
	t.Run("no keys at all", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		entries, err := s.GetMany(nil)
		require.NoError(t, err)
		require.Empty(t, entries)
		n, err := s.DeleteMany(nil)
		require.NoError(t, err)
		require.Zero(t, n)
		results, err := s.Batch(nil)
		require.NoError(t, err)
		require.Empty(t, results)
	})
	t.Run("conditions", func(t *testing.T) { testConditions(t, open) })
	t.Run("compare and swap", func(t *testing.T) { testCompareAndSwap(t, open) })
	t.Run("increment", func(t *testing.T) { testIncrement(t, open) })
	t.Run("batch", func(t *testing.T) { testBatch(t, open) })
	t.Run("clear", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		for _, key := range []string{"a/1", "a/2", "b/1"} {
			set(t, s, key, "v", engine.SetOptions{})
		}
		n, err := s.Clear("a/")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		absent(t, s, "a/1")
		require.Equal(t, "v", value(t, s, "b/1"))
		n, err = s.Clear("")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Zero(t, s.Stats().Bytes)
	})
	t.Run("closed", func(t *testing.T) { testClosed(t, open) })
}

func testConditions(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	v := set(t, s, "k", "one", engine.SetOptions{IfAbsent: true})

	_, err := s.Set("k", []byte("two"), engine.SetOptions{IfAbsent: true})
	var conflict *engine.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.ErrorIs(t, err, engine.ErrConflict)
	require.Equal(t, engine.ConflictError{Key: "k", Version: v}, *conflict)

	_, err = s.Set("k", []byte("two"), engine.SetOptions{IfVersion: v + 1})
	require.ErrorIs(t, err, engine.ErrConflict)
	_, err = s.Set("gone", []byte("two"), engine.SetOptions{IfVersion: v})
	require.ErrorIs(t, err, engine.ErrConflict)
	absent(t, s, "gone")
	require.Equal(t, "one", value(t, s, "k"))

	_, deleted, err := s.Delete("k", engine.DeleteOptions{IfVersion: v + 1})
	require.ErrorIs(t, err, engine.ErrConflict)
	require.False(t, deleted)
	removal, deleted, err := s.Delete("k", engine.DeleteOptions{IfVersion: v})
	require.NoError(t, err)
	require.True(t, deleted)
	require.Greater(t, removal, v)
	_, deleted, err = s.Delete("k", engine.DeleteOptions{})
	require.NoError(t, err)
	require.False(t, deleted)
	require.EqualValues(t, 4, s.Stats().Conflicts)
}

func testCompareAndSwap(t *testing.T, open Opener) {
	s, c := opened(t, open, engine.Options{})
	v1, swapped, err := s.CompareAndSwap("k", 0, []byte("one"))
	require.NoError(t, err)
	require.True(t, swapped)
	found, swapped, err := s.CompareAndSwap("k", 0, []byte("two"))
	require.NoError(t, err)
	require.False(t, swapped)
	require.Equal(t, v1, found)
	found, swapped, err = s.CompareAndSwap("absent", v1, []byte("two"))
	require.NoError(t, err)
	require.False(t, swapped)
	require.Zero(t, found)

	v2 := set(t, s, "ttl", "one", engine.SetOptions{TTL: time.Second})
	_, swapped, err = s.CompareAndSwap("ttl", v2, []byte("two"))
	require.NoError(t, err)
	require.True(t, swapped)
	c.millis += 1000
	absent(t, s, "ttl") // the swap kept the end
}

func testIncrement(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	for _, step := range []struct{ delta, sum int64 }{{5, 5}, {-7, -2}, {0, -2}, {math.MaxInt64, math.MaxInt64 - 2}, {2, math.MaxInt64}} {
		sum, version, err := s.Increment("n", step.delta)
		require.NoError(t, err)
		require.NotZero(t, version)
		require.Equal(t, step.sum, sum)
	}
	_, _, err := s.Increment("n", 1)
	require.ErrorIs(t, err, engine.ErrOverflow)
	require.Equal(t, "9223372036854775807", value(t, s, "n"))
	set(t, s, "n", "-9223372036854775808", engine.SetOptions{})
	_, _, err = s.Increment("n", -1)
	require.ErrorIs(t, err, engine.ErrOverflow)
	for _, bad := range []string{"", "x", "1.5", " 1", "1 ", "0x10", "1_000", "9223372036854775808"} {
		set(t, s, "bad", bad, engine.SetOptions{})
		_, _, err := s.Increment("bad", 1)
		require.ErrorIs(t, err, engine.ErrNotNumber, "value %q", bad)
		require.Equal(t, bad, value(t, s, "bad"))
	}
}

func testBatch(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	v := set(t, s, "a", "1", engine.SetOptions{})
	results, err := s.Batch([]engine.Op{
		{Kind: engine.OpIncrement, Key: "a", Delta: 4, IfVersion: v},
		{Kind: engine.OpSet, Key: "b", Value: []byte("new"), IfAbsent: true},
		{Kind: engine.OpDelete, Key: "none"},
		{Kind: engine.OpCheck, Key: "none2", IfAbsent: true},
	})
	require.NoError(t, err)
	require.EqualValues(t, 5, results[0].Number)
	require.True(t, results[0].Existed)
	require.False(t, results[1].Existed)
	require.Greater(t, results[1].Version, results[0].Version)
	require.Zero(t, results[2].Version)

	_, err = s.Batch([]engine.Op{
		{Kind: engine.OpSet, Key: "c", Value: []byte("x")},
		{Kind: engine.OpDelete, Key: "b"},
		{Kind: engine.OpCheck, Key: "a", IfVersion: v}, // a has moved on
	})
	var conflict *engine.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, 2, conflict.Index)
	absent(t, s, "c")
	require.Equal(t, "new", value(t, s, "b"))

	_, err = s.Batch([]engine.Op{{Kind: engine.OpSet, Key: "c"}, {Kind: engine.OpIncrement, Key: "b", Delta: 1}})
	require.ErrorIs(t, err, engine.ErrNotNumber)
	absent(t, s, "c")
	_, err = s.Batch([]engine.Op{{Kind: engine.OpSet, Key: "c"}, {Kind: engine.OpDelete, Key: "c"}})
	require.ErrorIs(t, err, engine.ErrDuplicateKey)
	_, err = s.Batch([]engine.Op{{Key: "c"}})
	require.ErrorIs(t, err, engine.ErrOptions)

	versions, err := s.SetMany([]engine.Item{{Key: "x", Value: []byte("1")}, {Key: "y", Value: []byte("2")}})
	require.NoError(t, err)
	require.Less(t, versions[0], versions[1])
	n, err := s.DeleteMany([]string{"x", "absent", "y"})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	absent(t, s, "x")
}

func testClosed(t *testing.T, open Opener) {
	s, err := open(engine.Options{})
	require.NoError(t, err)
	set(t, s, "k", "v", engine.SetOptions{})
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	calls := map[string]func() error{
		"get":       func() error { _, err := s.Get("k"); return err },
		"exists":    func() error { _, err := s.Exists("k"); return err },
		"stat":      func() error { _, _, err := s.Stat("k"); return err },
		"append":    func() error { _, _, err := s.AppendGet(nil, "k"); return err },
		"many":      func() error { _, err := s.GetMany([]string{"k"}); return err },
		"set":       func() error { _, err := s.Set("k", nil, engine.SetOptions{}); return err },
		"delete":    func() error { _, _, err := s.Delete("k", engine.DeleteOptions{}); return err },
		"increment": func() error { _, _, err := s.Increment("k", 1); return err },
		"swap":      func() error { _, _, err := s.CompareAndSwap("k", 0, nil); return err },
		"expire":    func() error { _, err := s.Expire("k", 0); return err },
		"batch":     func() error { _, err := s.Batch([]engine.Op{{Kind: engine.OpDelete, Key: "k"}}); return err },
		"list":      func() error { _, err := s.List(engine.ListOptions{}); return err },
		"clear":     func() error { _, err := s.Clear(""); return err },
		"watch":     func() error { _, err := s.Watch(engine.WatchOptions{}); return err },
		"snapshot":  func() error { return s.Snapshot(&strings.Builder{}) },
		"restore":   func() error { return s.Restore(strings.NewReader("")) },
		"budget":    func() error { return s.SetBudget("p", 1) },
	}
	for name, call := range calls {
		require.ErrorIs(t, call(), engine.ErrClosed, name)
	}
	require.Zero(t, s.Tick(0))
}

func testLimits(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{ValueBytesMax: 1000})
	longest := strings.Repeat("k", engine.KeyBytesMax)
	set(t, s, longest, "v", engine.SetOptions{})
	require.Equal(t, "v", value(t, s, longest))
	for _, key := range []string{"", longest + "k"} {
		_, err := s.Set(key, nil, engine.SetOptions{})
		require.ErrorIs(t, err, engine.ErrKeySize)
		_, err = s.Get(key)
		require.ErrorIs(t, err, engine.ErrKeySize)
		_, err = s.GetMany([]string{"k", key})
		require.ErrorIs(t, err, engine.ErrKeySize)
		_, _, err = s.Delete(key, engine.DeleteOptions{})
		require.ErrorIs(t, err, engine.ErrKeySize)
	}
	set(t, s, "k", strings.Repeat("v", 1000), engine.SetOptions{})
	_, err := s.Set("k", make([]byte, 1001), engine.SetOptions{})
	require.ErrorIs(t, err, engine.ErrValueSize)
	_, err = s.SetMany([]engine.Item{{Key: "new"}, {Key: "k", Value: make([]byte, 1001)}})
	require.ErrorIs(t, err, engine.ErrValueSize)
	require.ErrorContains(t, err, "operation 1 of the batch")
	absent(t, s, "new")
	for _, ttl := range []time.Duration{-1, engine.TTLMax + 1} {
		_, err = s.Set("k", nil, engine.SetOptions{TTL: ttl})
		require.ErrorIs(t, err, engine.ErrTTL)
		_, err = s.Expire("k", ttl)
		require.ErrorIs(t, err, engine.ErrTTL)
	}
	_, err = s.Set("k", nil, engine.SetOptions{IfAbsent: true, IfVersion: 1})
	require.ErrorIs(t, err, engine.ErrOptions)
	_, err = s.Set("k", nil, engine.SetOptions{KeepTTL: true, TTL: 1})
	require.ErrorIs(t, err, engine.ErrOptions)
	_, err = s.GetMany(make([]string, engine.BatchOpsMax+1))
	require.ErrorIs(t, err, engine.ErrBatchSize)
	_, err = s.Batch(make([]engine.Op, engine.BatchOpsMax+1))
	require.ErrorIs(t, err, engine.ErrBatchSize)

	for _, o := range []engine.Options{{BytesMax: -1}, {ValueBytesMax: -1}, {ValueBytesMax: engine.ValueBytesMax + 1}} {
		_, err := open(o)
		require.ErrorIs(t, err, engine.ErrOptions)
	}
}
