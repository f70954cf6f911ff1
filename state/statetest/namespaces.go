package statetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func testNamespaces(t *testing.T, open Opener) {
	t.Run("rules", func(t *testing.T) { testScope(t, open) })
	t.Run("nobody leaves", func(t *testing.T) { testIsolation(t, open) })
	t.Run("system and public", func(t *testing.T) { testPublic(t, open) })
}

func scoped(t testing.TB, m state.Manager, n state.Namespace) *state.Scoped {
	t.Helper()
	s, err := state.Scope(m, n)
	require.NoError(t, err)
	return s
}

func testScope(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	for _, prefix := range []string{"", "/", "a", "a/b", strings.Repeat("p", state.KeyBytesMax) + "/"} {
		_, err := state.Scope(m, state.Namespace{Prefix: prefix})
		require.ErrorIs(t, err, state.ErrOptions, "prefix %.20q", prefix)
	}
	a, ab := scoped(t, m, state.Namespace{Prefix: "a/"}), scoped(t, m, state.Namespace{Prefix: "ab/"})
	set(t, a, "k", "of a", state.SetOptions{})
	set(t, ab, "k", "of ab", state.SetOptions{})
	set(t, m, "a/", "the prefix itself is no key of the namespace", state.SetOptions{})
	require.Equal(t, "of a", value(t, a, "k"))
	require.Equal(t, "of a", value(t, m, "a/k"))
	require.Equal(t, []string{"k"}, keys(t, a, state.ListOptions{}))
	_, err := a.Set(background, "k", nil, state.SetOptions{IfVersion: 1 << 60})
	e, getErr := a.Get(background, "k")
	require.NoError(t, getErr)
	conflict(t, err, "k", 0, e.Version)
	require.NotContains(t, err.Error(), "a/k")

	readOnly := scoped(t, m, state.Namespace{Prefix: "a/", ReadOnly: true})
	require.Equal(t, "of a", value(t, readOnly, "k"))
	_, err = readOnly.Set(background, "k", nil, state.SetOptions{})
	require.ErrorIs(t, err, state.ErrReadOnly)
	_, err = readOnly.SetMany(background, []state.Item{{Key: "k"}, {Key: "l"}})
	require.ErrorIs(t, err, state.ErrReadOnly)
	_, _, err = readOnly.Delete(background, "k", state.DeleteOptions{})
	require.ErrorIs(t, err, state.ErrReadOnly)
	_, err = readOnly.Batch(background, []state.Op{{Kind: state.OpCheck, Key: "k"}})
	require.ErrorIs(t, err, state.ErrReadOnly)
	_, err = readOnly.Clear(background, "")
	require.ErrorIs(t, err, state.ErrReadOnly)
	s, err := readOnly.Stats(background)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Keys)
	require.EqualValues(t, []int64{1, 6, 6}, []int64{s.Reads, s.Writes, s.Refused})

	bounded := scoped(t, m, state.Namespace{Prefix: "b/", BytesMax: 10_000})
	_, err = bounded.Set(background, "k", make([]byte, 11_000), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrFull)
	inner := scoped(t, bounded, state.Namespace{Prefix: "c/", BytesMax: 1000})
	_, err = inner.Set(background, "k", make([]byte, 2000), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrFull)
	set(t, bounded, "k", strings.Repeat("v", 2000), state.SetOptions{})
	set(t, m, "large", strings.Repeat("v", 20_000), state.SetOptions{})
	s, err = bounded.Stats(background)
	require.NoError(t, err)
	require.EqualValues(t, 10_000, s.BytesMax)
	require.Greater(t, s.Bytes, int64(2000))
	require.Less(t, s.Bytes, int64(3000))
	require.EqualValues(t, 2, s.Refused, "one of its own, and one of the namespace inside it")
	_, err = state.Scope(m, state.Namespace{Prefix: "b/"}) // none takes it away
	require.NoError(t, err)
	set(t, bounded, "k", strings.Repeat("v", 20_000), state.SetOptions{})

	require.NoError(t, a.Close())
	_, err = a.Get(background, "k")
	require.ErrorIs(t, err, state.ErrClosed)
	require.Equal(t, "of a", value(t, m, "a/k"), "the store stays open")
}

// testIsolation does anything in one namespace, with keys, prefixes and cursors as
// an attacker would choose them: what lies outside stays as it was and is never seen.
func testIsolation(t *testing.T, open Opener) {
	piece := rapid.SampledFrom([]string{"/", "..", "a", "own/", "own", "other/", "\x00", "\xff", "k", "c", "*", "o", "%2e", ""})
	text := rapid.Custom(func(rt *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(rt, "pieces"), "") })
	rapid.Check(t, func(rt *rapid.T) {
		m := open(t, Options{Now: func() int64 { return 1 }})
		defer m.Close()
		outside := map[string]string{}
		for _, key := range []string{"own", "own.", "own0", "ow", "other/own/", "other/k", "\x00", "\xff", "a", "k", "c"} {
			outside[key] = "outside"
			set(t, m, key, "outside", state.SetOptions{})
		}
		own := scoped(t, m, state.Namespace{Prefix: "own/"})
		_, groups := m.(Grouper)
		w, err := own.Watch(background, state.WatchOptions{Prefix: text.Draw(rt, "watched"), Buffer: 1000})
		require.NoError(t, err)
		defer w.Close()
		for range 12 {
			attack(rt, own, text, groups)
		}
		set(t, m, "other/k", "outside", state.SetOptions{}) // is not heard inside
		_, err = own.Clear(background, text.Draw(rt, "cleared"))
		require.NoError(t, err)
		left := map[string]string{}
		for _, key := range keys(t, m, state.ListOptions{}) {
			if !strings.HasPrefix(key, "own/") {
				left[key] = value(t, m, key)
			}
		}
		require.Equal(t, outside, left)
		w.Close()
		for {
			e, err := w.Next(background)
			if err != nil {
				require.ErrorIs(t, err, state.ErrClosed)
				break
			}
			require.NotEqual(t, "outside", string(e.Value))
			require.NotContains(t, []string{"other/k"}, e.Key+"|"+fmt.Sprint(e.Version))
		}
	})
}

// attack makes one call with hostile arguments, and checks that nothing of the
// outside comes back. Where keys go in groups, a batch may be refused.
func attack(rt *rapid.T, own state.Manager, text *rapid.Generator[string], groups bool) {
	key := text.Draw(rt, "key")
	var err error
	var values [][]byte
	switch rapid.IntRange(0, 8).Draw(rt, "call") {
	case 0:
		var e state.Entry
		e, err = own.Get(background, key)
		values = append(values, e.Value)
	case 1:
		_, err = own.Set(background, key, []byte("inside"), state.SetOptions{})
	case 2:
		_, _, err = own.Delete(background, key, state.DeleteOptions{})
	case 3:
		_, _, err = own.CompareAndSwap(background, key, 0, []byte("inside"))
	case 4:
		_, err = own.Expire(background, key, time.Hour)
	case 5:
		_, err = own.Batch(background, []state.Op{{Kind: state.OpSet, Key: key, Value: []byte("inside")}, {Kind: state.OpDelete, Key: key + "x"}})
	case 6:
		var page state.Page
		page, err = own.List(background, state.ListOptions{Prefix: key, Cursor: text.Draw(rt, "cursor"), Values: true})
		for _, e := range page.Entries {
			values = append(values, e.Value)
			require.True(rt, strings.HasPrefix(e.Key, key))
		}
		require.NotContains(rt, page.Next, "own/own/own/own/own/")
	case 7:
		var many []state.Entry
		many, err = own.GetMany(background, []string{key, key + "/"})
		for _, e := range many {
			values = append(values, e.Value)
		}
	case 8:
		_, _, err = own.Increment(background, key, state.IncrementOptions{Delta: 1})
	}
	for _, v := range values {
		require.NotEqual(rt, "outside", string(v))
	}
	allowed := []error{state.ErrNotFound, state.ErrKey, state.ErrOptions, state.ErrNotNumber}
	if groups {
		allowed = append(allowed, state.ErrBatch)
	}
	if err != nil && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
		rt.Fatalf("key %q: %v", key, err)
	}
}

func testPublic(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	_, err := state.System(m, "a/b")
	require.ErrorIs(t, err, state.ErrOptions)
	system, err := state.System(m, "secrets")
	if errors.Is(err, state.ErrKey) {
		return // the Manager under test is the public part of another
	}
	require.NoError(t, err)
	public := state.Public(m)
	secret := map[string]string{}
	for i := range 250 { // more than a page
		set(t, system, fmt.Sprintf("s%03d", i), "secret", state.SetOptions{})
	}
	for _, key := range keys(t, m, state.ListOptions{}) {
		secret[key] = "secret"
	}
	want := []string{"\x00", "\x00in", "\x00ingot", "\x00ingot.", "\x00ingot0", "a", "b"}
	for _, key := range want {
		set(t, public, key, "v", state.SetOptions{})
	}
	for _, limit := range []int{1, 3, 100} {
		require.Equal(t, want, keys(t, public, state.ListOptions{Limit: limit}))
		require.Equal(t, want[:5], keys(t, public, state.ListOptions{Prefix: "\x00", Limit: limit}))
	}
	w, err := public.Watch(background, state.WatchOptions{})
	require.NoError(t, err)
	defer w.Close()
	for key := range secret {
		require.Empty(t, keys(t, public, state.ListOptions{Prefix: key[:len(key)-1]}))
		_, err := public.Get(background, key)
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = public.AppendGet(background, nil, key)
		require.ErrorIs(t, err, state.ErrKey)
		_, err = public.Exists(background, key)
		require.ErrorIs(t, err, state.ErrKey)
		_, err = public.GetMany(background, []string{"a", key})
		require.ErrorIs(t, err, state.ErrKey)
		_, err = public.Set(background, key, nil, state.SetOptions{})
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = public.Delete(background, key, state.DeleteOptions{})
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = public.CompareAndSwap(background, key, 0, nil)
		require.ErrorIs(t, err, state.ErrKey)
		_, _, err = public.Increment(background, key, state.IncrementOptions{})
		require.ErrorIs(t, err, state.ErrKey)
		_, err = public.Expire(background, key, 0)
		require.ErrorIs(t, err, state.ErrKey)
		_, err = public.SetMany(background, []state.Item{{Key: key}})
		require.ErrorIs(t, err, state.ErrKey)
		_, err = public.Batch(background, []state.Op{{Kind: state.OpCheck, Key: key}})
		require.ErrorIs(t, err, state.ErrKey)
		break
	}
	_, err = state.Scope(public, state.Namespace{Prefix: "\x00ingot/secrets/", BytesMax: 10})
	require.ErrorIs(t, err, state.ErrKey)
	_, err = state.System(public, "secrets")
	require.ErrorIs(t, err, state.ErrKey)

	set(t, system, "s000", "secret", state.SetOptions{})
	deleted, err := public.Clear(background, "")
	require.NoError(t, err)
	require.Equal(t, len(want), deleted)
	require.ElementsMatch(t, want, heard(t, w, len(want)), "the write to s000 is not heard, and events are in order for each key alone")
	left := map[string]string{}
	for _, key := range keys(t, m, state.ListOptions{}) {
		left[key] = value(t, m, key)
	}
	require.Equal(t, slices.Sorted(maps.Keys(secret)), slices.Sorted(maps.Keys(left)))
}

// heard are the keys of the next n events.
func heard(t *testing.T, w state.Watcher, n int) (all []string) {
	for range n {
		all = append(all, next(t, w).Key)
	}
	return all
}
