package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drain takes out of the wheel what is over by now, and counts the looks.
func drain(w *wheel, now int64) (versions []uint64, looks int) {
	for i := w.next(now); i != 0; i = w.next(now) {
		looks++
		if item := w.items[i-1]; item.at > now {
			w.unlink(i)
			w.place(i)
		} else {
			w.remove(i)
			versions = append(versions, item.version)
		}
	}
	return versions, looks
}

// TestWheel puts items into a wheel, takes some out again, and lets time pass in
// steps of a millisecond up to centuries: what leaves is what a map says.
func TestWheel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		w := wheel{now: rng.Int64N(1 << 41)}
		now := w.now
		ends := map[uint64]int64{}
		version := uint64(0)
		for range 400 {
			for range rng.IntN(20) {
				version++
				ends[version] = now + rng.Int64N(1<<rng.IntN(44)) - 1 // some are over when they come
				w.add(ends[version], version, version)
			}
			for range rng.IntN(5) { // as the search for stale items does
				if len(w.items) > 0 {
					i := rng.IntN(len(w.items))
					delete(ends, w.items[i].version)
					w.remove(uint32(i + 1))
				}
			}
			if rng.IntN(3) > 0 {
				now += rng.Int64N(1 << rng.IntN(43))
			}
			left, _ := drain(&w, now)
			for _, v := range left {
				require.LessOrEqual(t, ends[v], now)
				require.Contains(t, ends, v)
				delete(ends, v)
			}
			for v, at := range ends {
				require.Greater(t, at, now, "item %d", v)
			}
			require.Len(t, w.items, len(ends))
		}
		left, _ := drain(&w, 1<<62+1<<61)
		require.Len(t, left, len(ends))
		require.Zero(t, w.filled)
	}
}

// TestWheelJumps counts the looks of a lone item: one for each level that it
// comes down, whatever lies between.
func TestWheelJumps(t *testing.T) {
	const start = 1_700_000_000_000
	for _, ttl := range []time.Duration{time.Millisecond, time.Hour, 24 * time.Hour, TTLMax} {
		w := wheel{now: start}
		end := start + ttl.Milliseconds()
		w.add(end, 1, 1)
		left, looks := drain(&w, end-1)
		require.Empty(t, left, "a millisecond early")
		require.LessOrEqual(t, looks, wheelLevels)
		left, _ = drain(&w, end-1000)
		require.Empty(t, left, "a clock that goes back")
		left, looks = drain(&w, end+TTLMax.Milliseconds())
		require.Equal(t, []uint64{1}, left)
		require.Equal(t, 1, looks)
	}
	w := wheel{now: start}
	for v := range uint64(1000) {
		w.add(1<<62, v, v)
	}
	_, looks := drain(&w, 1<<62)
	require.Equal(t, 1000, looks, "what is over leaves without coming down")
}

// TestWheelStale overwrites and deletes what ends, beside many entries that do
// not: the wheel follows those that do.
func TestWheelStale(t *testing.T) {
	s, err := Open(Options{})
	require.NoError(t, err)
	defer s.Close()
	items := func() (n int) {
		for i := range s.shards {
			n += len(s.shards[i].expiry.items)
		}
		return n
	}
	for i := range 20_000 {
		key := string([]byte{'p', byte(i), byte(i >> 8)})
		_, err := s.Set(key, nil, SetOptions{})
		require.NoError(t, err)
	}
	for range 50_000 {
		_, err := s.Set("k", nil, SetOptions{TTL: time.Hour})
		require.NoError(t, err)
	}
	require.Less(t, items(), 2*wheelItemsMin+8)
	for i := range 20_000 {
		_, err := s.Set(string([]byte{'p', byte(i), byte(i >> 8)}), nil, SetOptions{TTL: time.Hour})
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, items(), 20_000)
	_, err = s.Clear("p")
	require.NoError(t, err)
	for range 20_000 / wheelLocked {
		s.Tick(0)
	}
	require.LessOrEqual(t, items(), 2*wheelItemsMin*len(s.shards))
}

// TestTickHolds lets many entries of one shard end at once, some of which were
// written over before, and counts what each hold of the shard's lock removes: what
// others wait for is bounded in entries.
func TestTickHolds(t *testing.T) {
	now := int64(1_700_000_000_000)
	// One shard holds them all.
	s, err := Open(Options{Evict: true, BytesMax: evictShardBytes, Now: func() int64 { return now }})
	require.NoError(t, err)
	defer s.Close()
	s.budget.bytesMax.Store(1 << 40)
	const count = 20_000
	for i := range count {
		key := string([]byte{byte(i), byte(i >> 8)})
		for range 1 + i%3 {
			_, err := s.Set(key, make([]byte, i%100), SetOptions{TTL: time.Duration(1+i%5000) * time.Millisecond})
			require.NoError(t, err)
		}
	}
	now += 5000
	sh := &s.shards[0]
	require.Len(t, s.shards, 1)
	removed, holds := 0, 0
	for more := true; more; holds++ {
		live, items := sh.table.live, len(sh.expiry.items)
		var n int
		n, more = s.tickShard(sh, now, 0, false)
		removed += n
		require.LessOrEqual(t, live-sh.table.live, wheelLocked)
		require.LessOrEqual(t, items-len(sh.expiry.items), 2*wheelLocked, "the sweep for stale items included")
	}
	require.Equal(t, count, removed)
	require.GreaterOrEqual(t, holds, count/wheelLocked)
	require.Empty(t, sh.expiry.items)
}
