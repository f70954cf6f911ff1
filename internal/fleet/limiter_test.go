package fleet_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/fleet"
	"github.com/ingot-run/ingot/mcp/seal"
	"github.com/ingot-run/ingot/state"
)

// clocked is a store whose time a test sets.
func clocked(t *testing.T) (m state.Manager, now *atomic.Int64) {
	now = new(atomic.Int64)
	now.Store(1_800_000_000_000)
	m, err := state.Open(state.Options{Now: now.Load})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, now
}

func limiters(t *testing.T, m state.Manager, n int) (all []*fleet.Limiter) {
	for range n {
		l, err := fleet.NewLimiter(m, "test")
		require.NoError(t, err)
		all = append(all, l)
	}
	return all
}

// Several servers let in what one would: a burst, and then one in each interval.
func TestLimitersShareABucket(t *testing.T) {
	m, now := clocked(t)
	all := limiters(t, m, 3)
	const interval, burst = 100 * time.Millisecond, 6 // too few to take several at once
	take := func(i int, key string) time.Duration {
		wait, err := all[i%len(all)].Take(t.Context(), key, interval, burst*interval)
		require.NoError(t, err)
		return wait
	}
	for i := range burst {
		assert.Zero(t, take(i, "a"), i)
	}
	assert.Equal(t, interval, take(0, "a"))
	assert.Equal(t, interval, take(1, "a"))
	assert.Zero(t, take(1, "b"), "another bucket")
	now.Add(100)
	assert.Zero(t, take(2, "a"))
	assert.Positive(t, take(0, "a"))
	now.Add(10_000)
	for i := range burst {
		assert.Zero(t, take(i, "a"), i)
	}
	assert.Positive(t, take(0, "a"))
}

// With a large burst, servers take several tokens at once: never more in all than there
// are, and at least those that the others do not hold.
func TestLimitersTakeChunks(t *testing.T) {
	m, now := clocked(t)
	all := limiters(t, m, 3)
	const interval, burst = time.Millisecond, 1000
	var let, refused atomic.Int64
	var running sync.WaitGroup
	for i := range 6 {
		running.Go(func() {
			for range burst {
				wait, err := all[i%len(all)].Take(t.Context(), "a", interval, burst*interval)
				for err != nil && t.Context().Err() == nil { // the others were faster, or the machine is slow
					wait, err = all[i%len(all)].Take(t.Context(), "a", interval, burst*interval)
				}
				if wait > 0 {
					refused.Add(1)
				} else {
					let.Add(1)
				}
			}
		})
	}
	running.Wait()
	assert.LessOrEqual(t, let.Load(), int64(burst))
	assert.Greater(t, let.Load(), int64(burst-len(all)*burst/10))
	assert.Equal(t, int64(6*burst), let.Load()+refused.Load())
	stats, err := m.Stats(t.Context())
	require.NoError(t, err)
	assert.LessOrEqual(t, stats.Version, uint64(2*burst/10), "a round trip for a tenth of the burst")
	now.Add(50)
	wait, err := all[0].Take(t.Context(), "a", interval, burst*interval)
	require.NoError(t, err)
	assert.Zero(t, wait, "there are new ones")
}

// What a bucket of another rate left behind lets in no fewer than the new one.
func TestLimiterOfAnotherRate(t *testing.T) {
	m, _ := clocked(t)
	l := limiters(t, m, 2)
	_, err := l[0].Take(t.Context(), "a", time.Hour, time.Hour)
	require.NoError(t, err)
	wait, err := l[1].Take(t.Context(), "a", time.Second, time.Second)
	require.NoError(t, err)
	assert.Zero(t, wait)
}

func TestLimiterWithoutItsStore(t *testing.T) {
	m, err := state.Open(state.Options{})
	require.NoError(t, err)
	l := limiters(t, m, 1)[0]
	require.NoError(t, m.Close())
	_, err = l.Take(t.Context(), "a", time.Second, time.Second)
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = fleet.NewLimiter(m, "a/b/")
	require.NoError(t, err)
}

// All who ask get the key that the first one drew.
func TestKey(t *testing.T) {
	m, _ := clocked(t)
	keys := make([][]byte, 8)
	var running sync.WaitGroup
	for i := range keys {
		running.Go(func() {
			var err error
			keys[i], err = fleet.Key(t.Context(), m)
			assert.NoError(t, err)
		})
	}
	running.Wait()
	for _, k := range keys {
		assert.Equal(t, keys[0], k)
	}
	assert.Len(t, keys[0], seal.KeyBytes)
	_, err := state.Public(m).Get(t.Context(), "\x00ingot/seal/key")
	require.ErrorIs(t, err, state.ErrKey, "clients do not reach it")
}
