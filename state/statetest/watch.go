package statetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

// next is the next event, which must come.
func next(t testing.TB, w state.Watcher) state.Event {
	t.Helper()
	e, err := w.Next(background)
	require.NoError(t, err)
	require.NotEmpty(t, e.Token)
	return e
}

func watching(t testing.TB, m state.Manager, o state.WatchOptions) state.Watcher {
	t.Helper()
	w, err := m.Watch(background, o)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

func testWatch(t *testing.T, open Opener) {
	t.Run("events", func(t *testing.T) { testEvents(t, open) })
	t.Run("values only where asked for", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		w := watching(t, m, state.WatchOptions{})
		set(t, m, "k", "v", state.SetOptions{})
		require.Nil(t, next(t, w).Value)
	})
	t.Run("a slow reader is told what it lost", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		w := watching(t, m, state.WatchOptions{Buffer: 3})
		for i := range 10 {
			set(t, m, together(m, fmt.Sprint(i)), "v", state.SetOptions{})
		}
		settle(t, m)
		e := next(t, w)
		require.Equal(t, state.EventLagged, e.Kind)
		require.Contains(t, []int{0, 7}, e.Lost, "7, or nobody knows")
		for i := 7; i < 10; i++ {
			require.Equal(t, together(m, fmt.Sprint(i)), next(t, w).Key)
		}
	})
	t.Run("resume", func(t *testing.T) { testResume(t, open) })
	t.Run("ends", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		w := watching(t, m, state.WatchOptions{})
		ctx, cancel := context.WithCancel(background)
		cancel()
		_, err := w.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
		set(t, m, "k", "v", state.SetOptions{})
		require.Equal(t, "k", next(t, w).Key, "a context that ended lost nothing")
		for _, buffer := range []int{-1, 1<<20 + 1} {
			_, err := m.Watch(background, state.WatchOptions{Buffer: buffer})
			require.ErrorIs(t, err, state.ErrOptions)
		}
	})
	t.Run("order under writers", func(t *testing.T) { testWatchOrder(t, open) })
}

// testResume reads on behind an event: either everything comes that was missed, or
// the reader is told that something is missing.
func testResume(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	w := watching(t, m, state.WatchOptions{Prefix: "k"})
	set(t, m, "k1", "v", state.SetOptions{})
	token := next(t, w).Token
	w.Close()
	set(t, m, "k2", "v", state.SetOptions{})
	w = watching(t, m, state.WatchOptions{Prefix: "k", Resume: token})
	set(t, m, "k3", "v", state.SetOptions{})
	e := next(t, w)
	if e.Kind != state.EventLagged {
		require.Equal(t, "k2", e.Key)
	}
	require.Equal(t, "k3", next(t, w).Key)
	_, err := m.Watch(background, state.WatchOptions{Resume: "no token at all"})
	require.ErrorIs(t, err, state.ErrOptions)
}

// testWatchOrder has writers on few keys while a reader mirrors them: the events of
// a key come in the order of its versions, and the mirror ends as the store is.
func testWatchOrder(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	const writers, steps, names = 3, 300, 5
	w := watching(t, m, state.WatchOptions{Values: true, Buffer: writers * steps})
	rng := seeded(t)
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		wg.Go(func() {
			for range steps {
				key := together(m, fmt.Sprint("k", own.IntN(names)))
				var err error
				switch own.IntN(4) {
				case 0:
					_, _, err = m.Delete(background, key, state.DeleteOptions{})
				case 1:
					_, _, err = m.Increment(background, key, state.IncrementOptions{Delta: 1})
				default:
					_, err = m.Set(background, key, fmt.Append(nil, own.IntN(100)), state.SetOptions{})
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	end := together(m, "end")
	last := set(t, m, end, "", state.SetOptions{})
	mirror, versions := map[string]string{}, map[string]uint64{}
	for e := next(t, w); e.Key != end; e = next(t, w) {
		require.Greater(t, e.Version, versions[e.Key], "key %s", e.Key)
		require.Less(t, e.Version, last)
		versions[e.Key] = e.Version
		if e.Kind == state.EventSet {
			mirror[e.Key] = string(e.Value)
		} else {
			delete(mirror, e.Key)
		}
	}
	for key, v := range mirror {
		require.Equal(t, v, value(t, m, key))
	}
	require.Len(t, keys(t, m, state.ListOptions{Prefix: together(m, "k")}), len(mirror))
}

func testEvents(t *testing.T, open Opener) {
	m, c := opened(t, open, Options{})
	a, a1, a2, a3 := together(m, "a"), together(m, "a1"), together(m, "a2"), together(m, "a3")
	w := watching(t, m, state.WatchOptions{Prefix: a, Values: true})
	set(t, m, "b", "unseen", state.SetOptions{})
	v1 := set(t, m, a1, "x", state.SetOptions{TTL: time.Second})
	e := next(t, w)
	require.Equal(t, state.EventSet, e.Kind)
	require.Equal(t, a1, e.Key)
	require.Equal(t, "x", string(e.Value))
	require.Equal(t, v1, e.Version)
	require.Equal(t, m.Now()+1000, e.ExpiresAt)
	_, _, err := m.Increment(background, a2, state.IncrementOptions{Delta: 3})
	require.NoError(t, err)
	e = next(t, w)
	require.Equal(t, a2+" 3", e.Key+" "+string(e.Value))
	require.Greater(t, e.Version, v1)
	_, _, err = m.Delete(background, a2, state.DeleteOptions{})
	require.NoError(t, err)
	e = next(t, w)
	require.Equal(t, state.EventDelete, e.Kind)
	require.Equal(t, a2, e.Key)
	_, err = m.SetMany(background, []state.Item{{Key: a3}, {Key: together(m, "c")}})
	require.NoError(t, err)
	require.Equal(t, a3, next(t, w).Key)
	c.pass(1000)
	set(t, m, a1, "again", state.SetOptions{}) // a write to a key whose time is over tells of that first
	e = next(t, w)
	require.Equal(t, state.EventExpire, e.Kind)
	require.Equal(t, a1, e.Key)
	require.Equal(t, "again", string(next(t, w).Value))
	_, err = m.Clear(background, a)
	require.NoError(t, err)
	require.Equal(t, state.EventDelete, next(t, w).Kind)
}
