package statetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

func testList(t *testing.T, open Opener) {
	t.Run("pages", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		var want []string
		for i := range 250 {
			want = append(want, fmt.Sprintf("a/%03d", i))
		}
		for _, i := range seeded(t).Perm(len(want)) {
			set(t, m, want[i], want[i], state.SetOptions{TTL: time.Hour})
		}
		set(t, m, "a", "", state.SetOptions{})
		set(t, m, "b", "", state.SetOptions{})
		for _, limit := range []int{0, 1, 3, 250, 10_000} {
			require.Equal(t, want, keys(t, m, state.ListOptions{Prefix: "a/", Limit: limit}), "limit %d", limit)
		}
		page, err := m.List(background, state.ListOptions{Prefix: "a/"})
		require.NoError(t, err)
		require.Len(t, page.Entries, 100, "the page when nobody says")
		first := page.Entries[0]
		require.Equal(t, 5, first.Size)
		require.NotZero(t, first.Version)
		require.NotZero(t, first.ExpiresAt)
		require.Nil(t, first.Value)
		page, err = m.List(background, state.ListOptions{Prefix: "a/", Limit: 1, Values: true})
		require.NoError(t, err)
		require.Equal(t, "a/000", string(page.Entries[0].Value))
		require.Empty(t, keys(t, m, state.ListOptions{Prefix: "a/x"}))
		require.Equal(t, slices.Concat([]string{"a"}, want, []string{"b"}), keys(t, m, state.ListOptions{Limit: 7}))
	})
	t.Run("bytes sort as bytes", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		want := []string{"\x01", "A", "a", "a\x00", "a\x00\x00", "a\x01", "aa", "é", "\xff", "\xff\xff"}
		for _, key := range slices.Backward(want) {
			set(t, m, key, "", state.SetOptions{})
		}
		require.Equal(t, want, keys(t, m, state.ListOptions{Limit: 1}))
	})
	t.Run("a cursor outlives its key", func(t *testing.T) {
		m, _ := opened(t, open, Options{})
		for _, key := range []string{"a", "b", "c", "d"} {
			set(t, m, key, "", state.SetOptions{})
		}
		page, err := m.List(background, state.ListOptions{Limit: 2})
		require.NoError(t, err)
		for _, key := range []string{"a", "b"} {
			_, _, err := m.Delete(background, key, state.DeleteOptions{})
			require.NoError(t, err)
		}
		require.Equal(t, []string{"c", "d"}, keys(t, m, state.ListOptions{Cursor: page.Next, Limit: 1}))
	})
	t.Run("under changes", func(t *testing.T) { testListConcurrent(t, open) })
}

// testListConcurrent walks while keys are inserted and deleted: what is there all
// the time is listed once, in order.
func testListConcurrent(t *testing.T, open Opener) {
	m, _ := opened(t, open, Options{})
	const staying = 500
	for i := range staying {
		set(t, m, fmt.Sprintf("s/%04d", i), "v", state.SetOptions{})
	}
	var done atomic.Bool
	var writers sync.WaitGroup
	seeds := seeded(t)
	errs := make([]error, 2)
	for w := range errs {
		rng := rand.New(rand.NewPCG(seeds.Uint64(), 0))
		writers.Go(func() {
			for !done.Load() && errs[w] == nil {
				runtime.Gosched()
				key := fmt.Sprintf("s/%04d/%d", rng.IntN(staying), w)
				if _, errs[w] = m.Set(background, key, nil, state.SetOptions{}); errs[w] == nil && rng.IntN(2) == 0 {
					_, _, errs[w] = m.Delete(background, key, state.DeleteOptions{})
				}
			}
		})
	}
	var problem error
	for range 10 {
		if problem = walk(m, staying, 20+seeds.IntN(80)); problem != nil {
			break
		}
	}
	done.Store(true)
	writers.Wait()
	require.NoError(t, problem)
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// walk compares all pages with the keys that stay.
func walk(m state.Manager, staying, limit int) error {
	last, found := "", 0
	for o := (state.ListOptions{Prefix: "s/", Limit: limit}); ; {
		page, err := m.List(background, o)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if e.Key <= last {
				return fmt.Errorf("%q stands behind %q", e.Key, last)
			}
			last = e.Key
			if len(e.Key) == len("s/0000") {
				if want := fmt.Sprintf("s/%04d", found); e.Key != want {
					return fmt.Errorf("%q comes where %q should", e.Key, want)
				}
				found++
			}
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			break
		}
	}
	if found != staying {
		return fmt.Errorf("%d of %d keys were listed", found, staying)
	}
	return nil
}
