package enginetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// keysOf walks all pages of a list.
func keysOf(t testing.TB, s *engine.Store, o engine.ListOptions) (keys []string) {
	t.Helper()
	for {
		page, err := s.List(o)
		require.NoError(t, err)
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		if page.Next == "" {
			return keys
		}
		require.Len(t, page.Entries, max(o.Limit, 1), "a page with a next one is full")
		o.After = page.Next
	}
}

func testList(t *testing.T, open Opener) {
	s, c := opened(t, open, engine.Options{})
	require.Empty(t, keysOf(t, s, engine.ListOptions{Limit: 1}))
	all := []string{"a", "a\x00", "a/", "a/1", "a/2", "a0", "b", "é", "\xff", "\xff\xff"}
	for i := range all {
		set(t, s, all[len(all)-1-i], "v", engine.SetOptions{})
	}
	set(t, s, "a/expired", "v", engine.SetOptions{TTL: time.Millisecond})
	c.millis++
	for _, limit := range []int{1, 2, 3, 9, 10, 11} {
		require.Equal(t, all, keysOf(t, s, engine.ListOptions{Limit: limit}), "limit %d", limit)
	}
	for prefix, want := range map[string][]string{
		"a/": {"a/", "a/1", "a/2"}, "a": all[:6], "\xff": {"\xff", "\xff\xff"}, "zz": nil, "b": {"b"},
	} {
		require.Equal(t, want, keysOf(t, s, engine.ListOptions{Prefix: prefix, Limit: 2}), "prefix %q", prefix)
	}

	page, err := s.List(engine.ListOptions{Prefix: "b", Values: true})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Equal(t, "v", string(page.Entries[0].Value))
	require.Equal(t, 1, page.Entries[0].Size)
	require.NotZero(t, page.Entries[0].Version)

	// A cursor stays good when its key goes, and new keys behind it are seen.
	page, err = s.List(engine.ListOptions{Limit: 4})
	require.NoError(t, err)
	_, _, err = s.Delete(page.Next, engine.DeleteOptions{})
	require.NoError(t, err)
	set(t, s, "a/15", "v", engine.SetOptions{})
	require.Equal(t, []string{"a/15", "a/2", "a0"}, keysOf(t, s, engine.ListOptions{Prefix: "a", After: page.Next, Limit: 3}))

	for _, limit := range []int{-1, engine.ListLimitMax + 1} {
		_, err = s.List(engine.ListOptions{Limit: limit})
		require.ErrorIs(t, err, engine.ErrOptions)
	}
	_, err = s.List(engine.ListOptions{Prefix: strings.Repeat("p", engine.KeyBytesMax+1)})
	require.ErrorIs(t, err, engine.ErrOptions)
}

func testWatch(t *testing.T, open Opener) {
	t.Run("events in order", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		w, err := s.Watch(engine.WatchOptions{Prefix: "a", Values: true})
		require.NoError(t, err)
		require.Equal(t, 1, s.Stats().Watchers)
		set(t, s, "b", "unseen", engine.SetOptions{})
		v := set(t, s, "a1", "x", engine.SetOptions{TTL: time.Second})
		_, err = s.Expire("a1", 2*time.Second)
		require.NoError(t, err)
		_, _, err = s.Increment("a2", 3)
		require.NoError(t, err)
		_, _, err = s.Delete("a2", engine.DeleteOptions{})
		require.NoError(t, err)
		c.millis += 2000
		require.Equal(t, 1, s.Tick(0))
		var got []string
		last := v - 1
		for _, e := range w.Poll(nil, 0) {
			got = append(got, fmt.Sprintf("%s %s %s", e.Kind, e.Key, e.Value))
			require.Greater(t, e.Version, last)
			last = e.Version
		}
		require.Equal(t, []string{"set a1 x", "set a1 x", "set a2 3", "delete a2 ", "expire a1 "}, got)
		require.Empty(t, w.Poll(nil, 0))
	})
	t.Run("a slow reader is told what it lost", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		w, err := s.Watch(engine.WatchOptions{Buffer: 3})
		require.NoError(t, err)
		for i := range 10 {
			set(t, s, fmt.Sprint(i), "v", engine.SetOptions{})
		}
		events := w.Poll(nil, 2)
		require.Equal(t, engine.EventLagged, events[0].Kind)
		require.Equal(t, 7, events[0].Lost)
		require.Equal(t, "7", events[1].Key)
		require.Nil(t, events[1].Value, "values were not asked for")
		require.Len(t, w.Poll(nil, 0), 2)
	})
	t.Run("next waits, and ends", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		w, err := s.Watch(engine.WatchOptions{})
		require.NoError(t, err)
		got := make(chan engine.Event, 1)
		go func() {
			e, err := w.Next(context.Background())
			if err == nil {
				got <- e
			}
			close(got)
		}()
		set(t, s, "k", "v", engine.SetOptions{})
		require.Equal(t, "k", (<-got).Key)

		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = w.Next(cancelled)
		require.ErrorIs(t, err, context.Canceled)

		set(t, s, "k2", "v", engine.SetOptions{})
		w.Close()
		set(t, s, "unheard", "v", engine.SetOptions{})
		e, err := w.Next(context.Background())
		require.NoError(t, err)
		require.Equal(t, "k2", e.Key)
		_, err = w.Next(context.Background())
		require.ErrorIs(t, err, engine.ErrWatcherClosed)
		require.Zero(t, s.Stats().Watchers)
	})
	t.Run("closing the store ends the watcher", func(t *testing.T) {
		s, err := open(engine.Options{})
		require.NoError(t, err)
		w, err := s.Watch(engine.WatchOptions{})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = w.Next(context.Background())
		require.ErrorIs(t, err, engine.ErrWatcherClosed)
		w.Close()
	})
	t.Run("bad options", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		for _, buffer := range []int{-1, engine.WatchBufferMax + 1} {
			_, err := s.Watch(engine.WatchOptions{Buffer: buffer})
			require.ErrorIs(t, err, engine.ErrOptions)
		}
	})
}
