package guest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withState gives one test a stand-in host with an empty state.
func withState(t *testing.T) {
	t.Helper()
	clear(standIn.values)
	t.Cleanup(func() { clear(standIn.values) })
}

func TestState(t *testing.T) {
	withState(t)
	_, err := StateGet("a/1")
	require.ErrorIs(t, err, ErrNotFound)
	require.NotErrorIs(t, err, ErrConflict)
	require.ErrorContains(t, err, `"a/1"`)

	first, err := StateSet("a/1", []byte("one"), SetOptions{IfAbsent: true, TTL: time.Minute})
	require.NoError(t, err)
	_, err = StateSet("a/1", []byte("two"), SetOptions{IfAbsent: true})
	require.ErrorIs(t, err, ErrConflict)
	second, err := StateSet("a/1", []byte("two"), SetOptions{IfVersion: first})
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	_, err = StateSet("a/1", nil, SetOptions{IfVersion: first})
	require.ErrorIs(t, err, ErrConflict)
	_, err = StateSet("a/1", nil, SetOptions{IfVersion: first, IfAbsent: true})
	require.ErrorIs(t, err, ErrInvalid)
	e, err := StateGet("a/1")
	require.NoError(t, err)
	require.Equal(t, Entry{[]byte("two"), second}, e)

	require.ErrorIs(t, StateDelete("a/1", first), ErrConflict)
	require.NoError(t, StateDelete("a/1", second))
	require.ErrorIs(t, StateDelete("a/1", 0), ErrNotFound)
}

func TestStateIncrement(t *testing.T) {
	withState(t)
	for _, want := range []int64{-3, -6} {
		sum, err := StateIncrement("n", -3, 0)
		require.NoError(t, err)
		require.Equal(t, want, sum)
	}
	_, err := StateIncrement("n", -1<<63, 0)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = StateSet("n", []byte("word"), SetOptions{})
	require.NoError(t, err)
	_, err = StateIncrement("n", 1, 0)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestStateList(t *testing.T) {
	withState(t)
	for _, key := range []string{"b", "a/2", "a/", "a/1", "a"} {
		_, err := StateSet(key, nil, SetOptions{})
		require.NoError(t, err)
	}
	var all []string
	for keys, err := StateList("a/", "", 2); len(keys) > 0; keys, err = StateList("a/", keys[len(keys)-1], 2) {
		require.NoError(t, err)
		require.LessOrEqual(t, len(keys), 2)
		all = append(all, keys...)
	}
	require.Equal(t, []string{"a/", "a/1", "a/2"}, all)
	_, err := StateList("a/", "", 0)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestHTTPNatively(t *testing.T) {
	_, err := HTTP(Request{URL: "http://localhost/"})
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestUnknownCodeOfAHost(t *testing.T) {
	require.ErrorContains(t, hostError(99, "news"), "code 99")
	require.Equal(t, `the state is full`, hostError(3, "the state is full").Error())
	require.Equal(t, "limit", ErrLimit.Error())
}
