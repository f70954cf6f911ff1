package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
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

// withoutOrder opens stores whose List walks over all keys.
func withoutOrder(open Opener) Opener {
	return func(o engine.Options) (*engine.Store, error) {
		o.OrderDisabled = true
		return open(o)
	}
}

func testListBoth(t *testing.T, open Opener) {
	t.Run("pages", func(t *testing.T) { testList(t, open) })
	t.Run("pages without order", func(t *testing.T) { testList(t, withoutOrder(open)) })
	t.Run("many keys", func(t *testing.T) { testListMany(t, open) })
	t.Run("many keys without order", func(t *testing.T) { testListMany(t, withoutOrder(open)) })
	t.Run("memory follows the keys", func(t *testing.T) { testListMemory(t, open) })
	t.Run("contents replaced", func(t *testing.T) { testListReplaced(t, open) })
	t.Run("while keys come and go", func(t *testing.T) { testListConcurrent(t, open) })
	t.Run("while the contents are replaced", func(t *testing.T) { testListRestore(t, open) })
}

// listKey draws a key of one of the shapes that a sorted structure may get wrong:
// short ones, rising ones, long common beginnings, 0xff, and very long ones.
func listKey(rng *rand.Rand) string {
	b := make([]byte, 1+rng.IntN(4))
	for i := range b {
		b[i] = []byte{0, 1, 'a', 'b', 0xfe, 0xff}[rng.IntN(6)]
	}
	switch rng.IntN(40) {
	case 0:
		return strings.Repeat("\xff", 1+rng.IntN(300)) + string(b)
	case 1:
		return strings.Repeat("l", []int{2000, 4090, 4096, 4100, engine.KeyBytesMax - 4}[rng.IntN(5)]) + string(b)
	case 2, 3, 4, 5, 6, 7, 8, 9:
		return string(b)
	default:
		return fmt.Sprintf("user/%06d/%s", rng.IntN(20_000), b)
	}
}

// testListMany compares lists of some thousand keys with a sorted map, while the
// store grows, is overwritten and shrinks.
func testListMany(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	rng := seeded(t)
	keys := map[string]bool{}
	check := func() {
		want := slices.Sorted(maps.Keys(keys))
		require.True(t, slices.Equal(want, keysOf(t, s, engine.ListOptions{Limit: 1 + rng.IntN(3000)})))
		for range 20 {
			o := engine.ListOptions{Limit: 1 + rng.IntN(200), After: listKey(rng)}
			if rng.IntN(2) == 0 {
				o.Prefix = listKey(rng)
				o.Prefix = o.Prefix[:rng.IntN(len(o.Prefix)+1)]
			}
			var rest []string
			for _, key := range want[sort.SearchStrings(want, o.After):] {
				if strings.HasPrefix(key, o.Prefix) && key != o.After {
					rest = append(rest, key)
				}
			}
			page, err := s.List(o)
			require.NoError(t, err)
			require.Equal(t, len(rest) > o.Limit, page.Next != "")
			rest = rest[:min(len(rest), o.Limit)]
			require.Len(t, page.Entries, len(rest))
			for i, e := range page.Entries {
				require.True(t, rest[i] == e.Key, "prefix %.40q after %.40q: entry %d is %.40q, not %.40q", o.Prefix, o.After, i, e.Key, rest[i])
			}
		}
	}
	for _, deletes := range []int{0, 20, 50, 80, 95, 10, 100} { // percent
		for range 3000 {
			key := listKey(rng)
			if rng.IntN(100) >= deletes {
				set(t, s, key, "v", engine.SetOptions{})
				keys[key] = true
				continue
			}
			for key = range keys { // any key, and those around it are the next
				break
			}
			_, deleted, err := s.Delete(key, engine.DeleteOptions{})
			require.NoError(t, err)
			require.Equal(t, keys[key], deleted)
			delete(keys, key)
		}
		check()
	}
}

// testListMemory asks that the order costs nothing before the first list, little
// beyond the keys after it, and nothing to speak of when they are gone.
func testListMemory(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	const count, keyBytes = 20_000, 24
	key := func(i int) string { return fmt.Sprintf("%0*d", keyBytes, i*7919%count) }
	for i := range count {
		set(t, s, key(i), "v", engine.SetOptions{})
	}
	require.Zero(t, s.Stats().OrderBytes, "nobody has listed")
	require.Len(t, keysOf(t, s, engine.ListOptions{Limit: 1000}), count)
	full := s.Stats().OrderBytes
	require.Greater(t, full, int64(count*keyBytes))
	require.Less(t, full, int64(3*count*keyBytes))

	set(t, s, key(0), "another", engine.SetOptions{})
	require.Equal(t, full, s.Stats().OrderBytes, "an overwrite does not touch the order")

	var left []string
	for i := range count {
		if i%20 == 0 {
			left = append(left, key(i))
			continue
		}
		_, deleted, err := s.Delete(key(i), engine.DeleteOptions{})
		require.NoError(t, err)
		require.True(t, deleted)
	}
	slices.Sort(left)
	require.Equal(t, left, keysOf(t, s, engine.ListOptions{Limit: 1000}))
	require.Less(t, s.Stats().OrderBytes, full/5, "a twentieth of the keys is left")
	n, err := s.DeleteMany(left)
	require.NoError(t, err)
	require.Equal(t, len(left), n)
	require.Empty(t, keysOf(t, s, engine.ListOptions{Limit: 1000}))
	require.Less(t, s.Stats().OrderBytes, int64(16<<10))
}

// testListReplaced lists after each way of changing everything at once.
func testListReplaced(t *testing.T, open Opener) {
	s, c := opened(t, open, engine.Options{})
	for i := range 100 {
		set(t, s, fmt.Sprintf("old/%02d", i), "v", engine.SetOptions{})
	}
	var snapshot bytes.Buffer
	require.NoError(t, s.Snapshot(&snapshot))
	old := keysOf(t, s, engine.ListOptions{Limit: 7})
	require.Len(t, old, 100)

	n, err := s.Clear("")
	require.NoError(t, err)
	require.Equal(t, 100, n)
	require.Empty(t, keysOf(t, s, engine.ListOptions{Limit: 7}))
	set(t, s, "new", "v", engine.SetOptions{TTL: time.Millisecond})
	require.Equal(t, []string{"new"}, keysOf(t, s, engine.ListOptions{Limit: 7}))
	c.millis++
	require.Equal(t, 1, s.Tick(0))
	require.Empty(t, keysOf(t, s, engine.ListOptions{Limit: 7}))

	set(t, s, "gone", "v", engine.SetOptions{})
	require.NoError(t, s.Restore(&snapshot))
	require.Equal(t, old, keysOf(t, s, engine.ListOptions{Limit: 7}))
	n, err = s.Clear("old/1")
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, slices.Concat(old[:10], old[20:]), keysOf(t, s, engine.ListOptions{Limit: 7}))

	// Few and many keys below a prefix, beside others.
	for i := range 3000 {
		set(t, s, fmt.Sprintf("%d/%04d", i%10/9, i), "v", engine.SetOptions{})
	}
	for prefix, want := range map[string]int{"1/": 300, "0/": 2700, "none": 0} {
		n, err = s.Clear(prefix)
		require.NoError(t, err)
		require.Equal(t, want, n)
		require.Empty(t, keysOf(t, s, engine.ListOptions{Prefix: prefix, Limit: 7}))
	}
	require.Equal(t, slices.Concat(old[:10], old[20:]), keysOf(t, s, engine.ListOptions{Limit: 7}))
}

// testListConcurrent walks, from before the order is built, while keys are
// inserted and deleted: what is there all the time is listed once, in order.
func testListConcurrent(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	var stay []string
	for i := range 2000 {
		stay = append(stay, fmt.Sprintf("stay/%05d", i))
		set(t, s, stay[i], "v", engine.SetOptions{})
	}
	var done atomic.Bool
	var writers, listers sync.WaitGroup
	errs := make(chan error, 8)
	// Drawn, and so logged, before a goroutine runs: under GOOS=js a log waits for
	// the event loop, which writers that never block do not let in.
	seeds := seeded(t)
	limits := [2]int{}
	for i := range limits {
		limits[i] = 50 + seeds.IntN(350) // shorter pages take minutes on wasm
	}
	for w := range 2 {
		rng := rand.New(rand.NewPCG(seeds.Uint64(), 0))
		writers.Go(func() {
			for !done.Load() {
				runtime.Gosched()                                                     // wasm has one thread, and takes it from nobody
				key := fmt.Sprintf("stay/%05d/%d/%d", rng.IntN(2000), w, rng.IntN(4)) // among those that stay
				_, err := s.Set(key, []byte("v"), engine.SetOptions{})
				if err == nil && rng.IntN(2) == 0 {
					_, _, err = s.Delete(key, engine.DeleteOptions{})
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for _, limit := range limits {
		listers.Go(func() {
			for range 5 {
				runtime.Gosched()
				if err := walkKeeps(s, stay, limit); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	listers.Wait()
	done.Store(true)
	writers.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// walkKeeps walks over all pages and compares them with the keys that stay.
func walkKeeps(s *engine.Store, stay []string, limit int) error {
	last, found := "", 0
	for o := (engine.ListOptions{Limit: limit}); ; o.After = last {
		page, err := s.List(o)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if e.Key <= last {
				return fmt.Errorf("%q stands behind %q", e.Key, last)
			}
			last = e.Key
			if found < len(stay) && e.Key > stay[found] {
				return fmt.Errorf("%q is missing before %q", stay[found], e.Key)
			}
			if found < len(stay) && e.Key == stay[found] {
				found++
			}
		}
		if page.Next == "" {
			break
		}
		runtime.Gosched()
	}
	if found != len(stay) {
		return fmt.Errorf("%d of %d keys were listed", found, len(stay))
	}
	return nil
}

// testListRestore lists while snapshots with the same keys replace the contents:
// they are there all the time.
func testListRestore(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	var stay []string
	for i := range 500 {
		stay = append(stay, fmt.Sprintf("stay/%05d", i))
		set(t, s, stay[i], "v", engine.SetOptions{})
	}
	var snapshot bytes.Buffer
	require.NoError(t, s.Snapshot(&snapshot))
	var done atomic.Bool
	restored := make(chan error, 1)
	go func() {
		for !done.Load() {
			runtime.Gosched()
			if err := s.Restore(bytes.NewReader(snapshot.Bytes())); err != nil {
				restored <- err
				return
			}
		}
		restored <- nil
	}()
	var err error
	for range 20 {
		runtime.Gosched()
		if err = walkKeeps(s, stay, 100); err != nil {
			break
		}
	}
	done.Store(true)
	require.NoError(t, <-restored)
	require.NoError(t, err)
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
