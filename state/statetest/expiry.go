package statetest

import (
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

func testExpiry(t *testing.T, open Opener) {
	t.Run("exact at the millisecond", func(t *testing.T) { testExact(t, open) })
	t.Run("parts of a millisecond round up", func(t *testing.T) {
		m, c := opened(t, open, Options{})
		set(t, m, "k", "v", state.SetOptions{TTL: time.Nanosecond})
		require.Equal(t, "v", value(t, m, "k"))
		c.pass(1)
		absent(t, m, "k")
	})
	t.Run("writes decide the end", func(t *testing.T) { testEnds(t, open) })
	t.Run("a counter of a window ends with it", func(t *testing.T) { testWindow(t, open) })
	t.Run("nothing comes back", func(t *testing.T) { testNothingBack(t, open) })
	t.Run("of a batch", func(t *testing.T) { testBatchEnds(t, open) })
}

func testExact(t *testing.T, open Opener) {
	m, c := opened(t, open, Options{})
	set(t, m, "k", "v", state.SetOptions{TTL: 100 * time.Millisecond})
	e, err := m.Get(background, "k")
	require.NoError(t, err)
	require.Equal(t, m.Now()+100, e.ExpiresAt)
	c.pass(99)
	require.Equal(t, "v", value(t, m, "k"))
	require.Equal(t, []string{"k"}, keys(t, m, state.ListOptions{}))
	c.pass(1)
	absent(t, m, "k")
	require.Empty(t, keys(t, m, state.ListOptions{}))
	_, deleted, err := m.Delete(background, "k", state.DeleteOptions{})
	require.NoError(t, err)
	require.False(t, deleted)
}

func testEnds(t *testing.T, open Opener) {
	m, c := opened(t, open, Options{})
	for _, key := range []string{"plain", "kept", "swapped", "longer", "saved"} {
		set(t, m, key, "v", state.SetOptions{TTL: time.Second})
	}
	set(t, m, "plain", "w", state.SetOptions{}) // no TTL: for ever
	v := set(t, m, "kept", "w", state.SetOptions{KeepTTL: true})
	require.NotZero(t, v)
	e, err := m.Get(background, "swapped")
	require.NoError(t, err)
	_, swapped, err := m.CompareAndSwap(background, "swapped", e.Version, []byte("w"))
	require.NoError(t, err)
	require.True(t, swapped)
	e, err = m.Get(background, "longer")
	require.NoError(t, err)
	version, err := m.Expire(background, "longer", time.Minute)
	require.NoError(t, err)
	require.Greater(t, version, e.Version)
	_, err = m.Expire(background, "saved", 0)
	require.NoError(t, err)
	c.pass(1000)
	absent(t, m, "kept")
	absent(t, m, "swapped")
	for _, key := range []string{"plain", "longer", "saved"} {
		require.NotEmpty(t, value(t, m, key))
	}
	c.pass(60_000)
	absent(t, m, "longer")
}

func testWindow(t *testing.T, open Opener) {
	m, c := opened(t, open, Options{})
	step := state.IncrementOptions{Delta: 1, TTL: time.Second}
	for want := int64(1); want <= 3; want++ {
		sum, _, err := m.Increment(background, "hits", step)
		require.NoError(t, err)
		require.Equal(t, want, sum)
		c.pass(300) // later steps do not make it live longer
	}
	c.pass(100)
	absent(t, m, "hits")
	results, err := m.Batch(background, []state.Op{{Kind: state.OpIncrement, Key: "hits", Delta: 1, TTL: time.Second}})
	require.NoError(t, err)
	require.EqualValues(t, 1, results[0].Number)
	c.pass(1000)
	absent(t, m, "hits")
}

func testNothingBack(t *testing.T, open Opener) {
	m, c := opened(t, open, Options{})
	v := set(t, m, "k", "5", state.SetOptions{TTL: time.Second})
	c.pass(1000)
	_, err := m.Set(background, "k", nil, state.SetOptions{IfVersion: v})
	conflict(t, err, "k", 0, 0)
	_, swapped, err := m.CompareAndSwap(background, "k", v, nil)
	require.NoError(t, err)
	require.False(t, swapped)
	sum, _, err := m.Increment(background, "k", state.IncrementOptions{Delta: 1})
	require.NoError(t, err)
	require.EqualValues(t, 1, sum)
	require.Equal(t, "1", value(t, m, "k"))
}

func testBatchEnds(t *testing.T, open Opener) {
	m, c := opened(t, open, Options{})
	_, err := m.SetMany(background, []state.Item{{Key: together(m, "a"), TTL: time.Second}, {Key: together(m, "b")}})
	require.NoError(t, err)
	_, err = m.Batch(background, []state.Op{
		{Kind: state.OpSet, Key: together(m, "c"), TTL: time.Second}, {Kind: state.OpExpire, Key: together(m, "b"), TTL: time.Minute},
	})
	require.NoError(t, err)
	c.pass(1000)
	require.Equal(t, []string{together(m, "b")}, keys(t, m, state.ListOptions{}))
	c.pass(60_000)
	require.Empty(t, keys(t, m, state.ListOptions{}))
}
