package statetest

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

func testRules(t *testing.T, open Opener) {
	t.Run("an entry", func(t *testing.T) { testEntry(t, open) })
	t.Run("keys and values are bytes", func(t *testing.T) { testBytes(t, open) })
	t.Run("conditions", func(t *testing.T) { testConditions(t, open) })
	t.Run("compare and swap", func(t *testing.T) { testSwap(t, open) })
	t.Run("increment", func(t *testing.T) { testIncrement(t, open) })
	t.Run("clear", func(t *testing.T) { testClear(t, open) })
	t.Run("stats", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		v := set(t, m, "a", "v", state.SetOptions{})
		s, err := m.Stats(background)
		require.NoError(t, err)
		require.NotEmpty(t, s.Backend)
		require.EqualValues(t, 1, s.Keys)
		require.Positive(t, s.Bytes)
		require.GreaterOrEqual(t, s.Version, v)
	})
}

// conflict asserts that a write met a version, or an absence, that it did not want.
func conflict(t testing.TB, err error, key string, index int, version uint64) {
	t.Helper()
	require.ErrorIs(t, err, state.ErrConflict)
	var c *state.ConflictError
	require.ErrorAs(t, err, &c)
	require.Equal(t, state.ConflictError{Key: key, Index: index, Version: version}, *c)
}

func testConditions(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	_, err := m.Set(background, "k", nil, state.SetOptions{IfVersion: 5})
	conflict(t, err, "k", 0, 0)
	v1 := set(t, m, "k", "a", state.SetOptions{IfAbsent: true})
	_, err = m.Set(background, "k", nil, state.SetOptions{IfAbsent: true})
	conflict(t, err, "k", 0, v1)
	_, err = m.Set(background, "k", nil, state.SetOptions{IfVersion: v1 + 1})
	conflict(t, err, "k", 0, v1)
	require.Equal(t, "a", value(t, m, "k"))
	v2 := set(t, m, "k", "b", state.SetOptions{IfVersion: v1})
	_, _, err = m.Delete(background, "k", state.DeleteOptions{IfVersion: v1})
	conflict(t, err, "k", 0, v2)
	_, deleted, err := m.Delete(background, "k", state.DeleteOptions{IfVersion: v2})
	require.NoError(t, err)
	require.True(t, deleted)
	_, _, err = m.Delete(background, "k", state.DeleteOptions{IfVersion: v2})
	conflict(t, err, "k", 0, 0)
}

func testIncrement(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	sum, v1, err := m.Increment(background, "n", state.IncrementOptions{Delta: 5})
	require.NoError(t, err)
	require.EqualValues(t, 5, sum)
	sum, v2, err := m.Increment(background, "n", state.IncrementOptions{Delta: -7})
	require.NoError(t, err)
	require.EqualValues(t, -2, sum)
	require.Greater(t, v2, v1)
	require.Equal(t, "-2", value(t, m, "n"), "a counter is decimal text")
	set(t, m, "text", "5 apples", state.SetOptions{})
	_, _, err = m.Increment(background, "text", state.IncrementOptions{Delta: 1})
	require.ErrorIs(t, err, state.ErrNotNumber)
	set(t, m, "top", strconv.Itoa(math.MaxInt64), state.SetOptions{})
	_, _, err = m.Increment(background, "top", state.IncrementOptions{Delta: 1})
	require.ErrorIs(t, err, state.ErrOverflow)
	_, _, err = m.Increment(background, "n", state.IncrementOptions{Delta: math.MinInt64})
	require.ErrorIs(t, err, state.ErrOverflow)
	require.Equal(t, "-2", value(t, m, "n"))
}

func testBatch(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	key := func(name string) string { return together(m, name) }
	v := set(t, m, key("a"), "1", state.SetOptions{})
	set(t, m, key("gone"), "x", state.SetOptions{})
	results, err := m.Batch(background, []state.Op{
		{Kind: state.OpIncrement, Key: key("a"), Delta: 4, IfVersion: v},
		{Kind: state.OpSet, Key: key("b"), Value: []byte("new"), IfAbsent: true},
		{Kind: state.OpDelete, Key: key("gone")},
		{Kind: state.OpDelete, Key: key("none")},
		{Kind: state.OpCheck, Key: key("never"), IfAbsent: true},
		{Kind: state.OpExpire, Key: key("nobody"), TTL: time.Hour},
	})
	require.NoError(t, err)
	require.Len(t, results, 6)
	require.EqualValues(t, 5, results[0].Number)
	require.True(t, results[0].Existed)
	require.False(t, results[1].Existed)
	require.True(t, results[2].Existed)
	require.False(t, results[3].Existed)
	require.Equal(t, "5", value(t, m, key("a")))
	require.Equal(t, "new", value(t, m, key("b")))
	absent(t, m, key("gone"))

	before := keys(t, m, state.ListOptions{})
	e, err := m.Get(background, key("a"))
	require.NoError(t, err)
	for name, refused := range map[string]struct {
		last state.Op
		is   error
	}{
		"a condition":    {state.Op{Kind: state.OpCheck, Key: key("a"), IfVersion: e.Version + 100}, state.ErrConflict},
		"no number":      {state.Op{Kind: state.OpIncrement, Key: key("b"), Delta: 1}, state.ErrNotNumber},
		"a key twice":    {state.Op{Kind: state.OpSet, Key: key("c")}, state.ErrBatch},
		"no key":         {state.Op{Kind: state.OpSet}, state.ErrKey},
		"a negative TTL": {state.Op{Kind: state.OpSet, Key: key("d"), TTL: -1}, state.ErrTTL},
		"contradiction":  {state.Op{Kind: state.OpSet, Key: key("d"), IfAbsent: true, IfVersion: 1}, state.ErrOptions},
	} {
		_, err := m.Batch(background, []state.Op{{Kind: state.OpSet, Key: key("c"), Value: []byte("c")}, {Kind: state.OpDelete, Key: key("b0")}, refused.last})
		require.ErrorIs(t, err, refused.is, name)
		if refused.is == state.ErrConflict {
			conflict(t, err, key("a"), 2, e.Version)
		}
		require.Equal(t, before, keys(t, m, state.ListOptions{}), "%s: all or nothing", name)
	}
	versions, err := m.SetMany(background, []state.Item{{Key: key("x"), Value: []byte("1")}, {Key: key("y"), Value: []byte("2")}})
	require.NoError(t, err)
	many, err := m.GetMany(background, []string{key("x"), key("y")})
	require.NoError(t, err)
	require.Equal(t, versions, []uint64{many[0].Version, many[1].Version})
	_, err = m.SetMany(background, []state.Item{{Key: key("x")}, {Key: key("x")}})
	require.ErrorIs(t, err, state.ErrBatch)
	empty, err := m.Batch(background, nil)
	require.NoError(t, err)
	require.Empty(t, empty)
}

func testLimits(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	for _, key := range []string{"", strings.Repeat("k", state.KeyBytesMax+1)} {
		_, err := m.Get(background, key)
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = m.AppendGet(background, nil, key)
		require.ErrorIs(t, err, state.ErrKey)
		_, err = m.Exists(background, key)
		require.ErrorIs(t, err, state.ErrKey)
		_, err = m.GetMany(background, []string{"a", key})
		require.ErrorIs(t, err, state.ErrKey)
		_, err = m.Set(background, key, nil, state.SetOptions{})
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = m.Delete(background, key, state.DeleteOptions{})
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = m.CompareAndSwap(background, key, 0, nil)
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = m.Increment(background, key, state.IncrementOptions{})
		require.ErrorIs(t, err, state.ErrKey)
		_, err = m.Expire(background, key, 0)
		require.ErrorIs(t, err, state.ErrKey)
		_, err = m.SetMany(background, []state.Item{{Key: key}})
		require.ErrorIs(t, err, state.ErrKey)
	}
	for _, ttl := range []time.Duration{-1, state.TTLMax + 1} {
		_, err := m.Set(background, "k", nil, state.SetOptions{TTL: ttl})
		require.ErrorIs(t, err, state.ErrTTL)
		_, err = m.SetMany(background, []state.Item{{Key: "k", TTL: ttl}})
		require.ErrorIs(t, err, state.ErrTTL)
		_, _, err = m.Increment(background, "k", state.IncrementOptions{Delta: 1, TTL: ttl})
		require.ErrorIs(t, err, state.ErrTTL)
	}
	_, err := m.Set(background, "k", nil, state.SetOptions{TTL: 1, KeepTTL: true})
	require.ErrorIs(t, err, state.ErrOptions)
	_, err = m.Set(background, "k", nil, state.SetOptions{IfVersion: 1, IfAbsent: true})
	require.ErrorIs(t, err, state.ErrOptions)
	_, err = m.Set(background, "k", make([]byte, state.ValueBytesMax+1), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrValueSize)
	for _, o := range []state.ListOptions{{Limit: -1}, {Limit: state.ListLimitMax + 1}, {Prefix: strings.Repeat("p", state.KeyBytesMax+1)}} {
		_, err := m.List(background, o)
		require.ErrorIs(t, err, state.ErrOptions)
	}
	require.Empty(t, keys(t, m, state.ListOptions{}))
}

func testBudget(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{BytesMax: 100_000})
	set(t, m, "a", "small", state.SetOptions{})
	_, err := m.Set(background, "large", make([]byte, 100_000), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrFull)
	_, err = m.SetMany(background, []state.Item{{Key: together(m, "b"), Value: make([]byte, 60_000)}, {Key: together(m, "c"), Value: make([]byte, 60_000)}})
	require.ErrorIs(t, err, state.ErrFull)
	require.Equal(t, []string{"a"}, keys(t, m, state.ListOptions{}))
	set(t, m, "fits", strings.Repeat("v", 60_000), state.SetOptions{})
	_, err = m.Set(background, "more", make([]byte, 60_000), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrFull)
	_, _, err = m.Delete(background, "fits", state.DeleteOptions{})
	require.NoError(t, err)
	set(t, m, "more", strings.Repeat("v", 60_000), state.SetOptions{})
}

func testClosed(t *testing.T, open Opener) {
	c := clock{}
	m := open(t, Options{Now: c.millis.Load})
	w, err := m.Watch(background, state.WatchOptions{})
	require.NoError(t, err)
	w.Close()
	_, err = w.Next(background)
	require.ErrorIs(t, err, state.ErrClosed)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	_, err = m.Get(background, "k")
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = m.GetMany(background, []string{"k"})
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = m.List(background, state.ListOptions{})
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = m.Set(background, "k", nil, state.SetOptions{})
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = m.SetMany(background, []state.Item{{Key: "k"}})
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = m.Clear(background, "")
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = m.Watch(background, state.WatchOptions{})
	require.ErrorIs(t, err, state.ErrClosed)
}

func testEntry(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	absent(t, m, "k")
	given := []byte("value")
	v1, err := m.Set(background, "k", given, state.SetOptions{})
	require.NoError(t, err)
	given[0] = 'X'
	require.Equal(t, "value", value(t, m, "k"), "what is stored is a copy")
	e, err := m.Get(background, "k")
	require.NoError(t, err)
	require.Equal(t, state.Meta{Version: v1}, e.Meta)
	e.Value[0] = 'X'
	require.Equal(t, "value", value(t, m, "k"), "what is read is a copy")
	out, meta, err := m.AppendGet(background, []byte("the "), "k")
	require.NoError(t, err)
	require.Equal(t, "the value", string(out))
	require.Equal(t, v1, meta.Version)
	v2 := set(t, m, "other", "", state.SetOptions{})
	require.Greater(t, v2, v1, "versions are the store's")
	require.Equal(t, "", value(t, m, "other"))
	exists, err := m.Exists(background, "other")
	require.NoError(t, err)
	require.True(t, exists)
	many, err := m.GetMany(background, []string{"other", "none", "k", "k"})
	require.NoError(t, err)
	require.Len(t, many, 4)
	require.Equal(t, []uint64{v2, 0, v1, v1}, []uint64{many[0].Version, many[1].Version, many[2].Version, many[3].Version})
	require.Equal(t, "value", string(many[2].Value))
	v3, deleted, err := m.Delete(background, "k", state.DeleteOptions{})
	require.NoError(t, err)
	require.True(t, deleted)
	require.Greater(t, v3, v2)
	absent(t, m, "k")
	version, deleted, err := m.Delete(background, "k", state.DeleteOptions{})
	require.NoError(t, err)
	require.False(t, deleted)
	require.Zero(t, version)
}

func testBytes(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	odd := []string{"\xff\xfe", "a\x00b", "a", "a\x00", "{}", "*", "a:b", "ключ", " ", "\n", "%2F", "../../x"}
	for i, key := range odd {
		set(t, m, key, key+strconv.Itoa(i), state.SetOptions{})
	}
	for i, key := range odd {
		require.Equal(t, key+strconv.Itoa(i), value(t, m, key))
	}
	require.Len(t, keys(t, m, state.ListOptions{}), len(odd))
}

func testSwap(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	current, swapped, err := m.CompareAndSwap(background, "k", 7, []byte("a"))
	require.NoError(t, err)
	require.False(t, swapped)
	require.Zero(t, current)
	v1, swapped, err := m.CompareAndSwap(background, "k", 0, []byte("a"))
	require.NoError(t, err)
	require.True(t, swapped)
	current, swapped, err = m.CompareAndSwap(background, "k", 0, []byte("b"))
	require.NoError(t, err)
	require.False(t, swapped)
	require.Equal(t, v1, current)
	v2, swapped, err := m.CompareAndSwap(background, "k", v1, []byte("b"))
	require.NoError(t, err)
	require.True(t, swapped)
	require.Greater(t, v2, v1)
	require.Equal(t, "b", value(t, m, "k"))
}

func testClear(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	for _, key := range []string{"a/1", "a/2", "a", "b/1"} {
		set(t, m, key, "v", state.SetOptions{})
	}
	deleted, err := m.Clear(background, "a/")
	require.NoError(t, err)
	require.Equal(t, 2, deleted)
	require.Equal(t, []string{"a", "b/1"}, keys(t, m, state.ListOptions{}))
	deleted, err = m.Clear(background, "")
	require.NoError(t, err)
	require.Equal(t, 2, deleted)
	require.Empty(t, keys(t, m, state.ListOptions{}))
}
