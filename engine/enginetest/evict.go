package enginetest

import (
	"container/list"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

func testEviction(t *testing.T, open Opener) {
	t.Run("rules", func(t *testing.T) { testEvictionRules(t, open) })
	t.Run("hit ratio", func(t *testing.T) { testHitRatio(t, open) })
	t.Run("stress", func(t *testing.T) { testEvictionStress(t, open) })
}

// evicting is a store that evicts, with a budget of so many bytes.
func evicting(t testing.TB, open Opener, bytesMax int64) (*engine.Store, *clock) {
	t.Helper()
	return opened(t, open, engine.Options{BytesMax: bytesMax, Evict: true, Seed: 1})
}

func testEvictionRules(t *testing.T, open Opener) {
	_, err := open(engine.Options{Evict: true})
	require.ErrorIs(t, err, engine.ErrOptions)

	t.Run("new keys push out others", func(t *testing.T) {
		s, _ := evicting(t, open, 100_000)
		w, err := s.Watch(engine.WatchOptions{Buffer: 10_000})
		require.NoError(t, err)
		for i := range 2000 {
			set(t, s, fmt.Sprint(i), strings.Repeat("v", 100), engine.SetOptions{TTL: time.Duration(i%2) * time.Hour})
			require.Equal(t, 100, len(value(t, s, fmt.Sprint(i))), "what was just written is there")
			require.LessOrEqual(t, s.Stats().Bytes, int64(100_000))
		}
		stats := s.Stats()
		require.EqualValues(t, 2000, stats.Keys+stats.Evicted)
		require.Greater(t, stats.Bytes, int64(90_000), "no more is evicted than has to be")
		told, last := 0, uint64(0)
		for _, e := range w.Poll(nil, 0) {
			require.Greater(t, e.Version, last)
			last = e.Version
			if e.Kind == engine.EventEvict {
				told++
				require.Equal(t, "evict", e.Kind.String())
				absent(t, s, e.Key)
			}
		}
		require.EqualValues(t, stats.Evicted, told)
	})
	t.Run("what cannot fit is refused and evicts nothing", func(t *testing.T) {
		s, _ := evicting(t, open, 10_000)
		for i := range 20 {
			set(t, s, fmt.Sprint(i), "v", engine.SetOptions{})
		}
		before := s.Stats()
		_, err := s.Set("large", make([]byte, 10_000), engine.SetOptions{})
		require.ErrorIs(t, err, engine.ErrFull)
		_, err = s.Set("0", make([]byte, 10_000), engine.SetOptions{})
		require.ErrorIs(t, err, engine.ErrFull)
		_, err = s.SetMany([]engine.Item{{Key: "0", Value: make([]byte, 5000)}, {Key: "b", Value: make([]byte, 5000)}})
		require.ErrorIs(t, err, engine.ErrFull)
		require.Equal(t, before, s.Stats())
	})
	t.Run("one key may take all the room", func(t *testing.T) {
		s, _ := evicting(t, open, charged(1, 9199, false, true))
		for i := range 50 {
			set(t, s, fmt.Sprint(i), "v", engine.SetOptions{})
		}
		for _, n := range []int{9000, 9150, 1, 9199} {
			set(t, s, "0", strings.Repeat("v", n), engine.SetOptions{})
			require.Len(t, value(t, s, "0"), n)
		}
		require.EqualValues(t, 1, s.Stats().Keys)
		_, err := s.SetMany([]engine.Item{{Key: "a", Value: make([]byte, 4000)}, {Key: "b", Value: make([]byte, 4000)}})
		require.NoError(t, err)
		require.Len(t, value(t, s, "a")+value(t, s, "b"), 8000)
	})
	t.Run("budgets", func(t *testing.T) {
		s, _ := evicting(t, open, 100_000)
		for i := range 500 {
			set(t, s, fmt.Sprint(i), strings.Repeat("v", 100), engine.SetOptions{})
		}
		require.ErrorIs(t, s.SetBudget("", 0), engine.ErrOptions)
		require.NoError(t, s.SetBudget("", 5000))
		require.LessOrEqual(t, s.Stats().Bytes, int64(5000))
		require.NotZero(t, s.Stats().Keys)
		require.NoError(t, s.SetBudget("ns/", 1000))
		set(t, s, "ns/a", strings.Repeat("v", 600), engine.SetOptions{})
		_, err := s.Set("ns/b", make([]byte, 600), engine.SetOptions{})
		require.ErrorIs(t, err, engine.ErrFull, "a prefix's budget does not evict")
	})
}

// trace is the keys that a cache is asked for, by number.
type trace func(rng *rand.Rand, step int) int

// zipf draws numbers below n, number i in proportion to 1/(i+1)^exponent.
func zipf(n int, exponent float64) func(*rand.Rand) int {
	sums := make([]float64, n)
	sum := 0.0
	for i := range sums {
		sum += math.Pow(float64(i+1), -exponent)
		sums[i] = sum
	}
	return func(rng *rand.Rand) int {
		i, _ := slices.BinarySearch(sums, rng.Float64()*sum)
		return min(i, n-1)
	}
}

// testHitRatio asks a store and a plain LRU list of the same bytes for the keys of
// a trace and stores what is missing. All of it follows from fixed seeds.
func testHitRatio(t *testing.T, open Opener) {
	const keys, steps = 50_000, 300_000
	skewed := zipf(keys, 0.99)
	scanned := 0
	traces := []struct {
		name string
		next trace
	}{
		{"zipf 0.99", func(rng *rand.Rand, _ int) int { return skewed(rng) }},
		{"zipf 0.99 with scans", func(rng *rand.Rand, step int) int {
			if step%20_000 < 5_000 { // a quarter reads keys once, in order
				scanned++
				return keys + scanned
			}
			return skewed(rng)
		}},
		{"zipf 0.99, shifting", func(rng *rand.Rand, step int) int { return (skewed(rng) + step/50_000*500) % keys }},
	}
	for _, tr := range traces {
		for _, share := range []int{1, 10} { // percent of the keys' bytes
			bytesMax := keys * charged(8, 100, false, true) * int64(share) / 100
			s, _ := evicting(t, open, bytesMax)
			ref := lru{bytesMax: bytesMax}
			rng := rand.New(rand.NewPCG(7, 8))
			hits := 0
			for step := range steps {
				n := tr.next(rng, step)
				key := fmt.Sprint("key", n)
				e, err := s.Get(key)
				require.NoError(t, err)
				size := 20 + n*31%160 // fixed for a key, 100 at the mean
				if e.Found() {
					hits++
					require.Len(t, e.Value, size)
				} else {
					set(t, s, key, strings.Repeat("v", size), engine.SetOptions{})
				}
				ref.ask(key, charged(len(key), size, false, true))
			}
			require.LessOrEqual(t, s.Stats().Bytes, bytesMax)
			t.Logf("%s, room for %d%%: %.4f of the gets hit, LRU %.4f", tr.name, share, float64(hits)/steps, float64(ref.hits)/steps)
			require.GreaterOrEqual(t, hits, ref.hits, "%s, room for %d%%", tr.name, share)
		}
	}
}

// lru is a plain least-recently-used cache that only counts.
type lru struct {
	bytesMax, used int64
	order          list.List // of lruEntry, the last used in front
	at             map[string]*list.Element
	hits           int
}

type lruEntry struct {
	key   string
	bytes int64
}

func (c *lru) ask(key string, bytes int64) {
	if c.at == nil {
		c.at = map[string]*list.Element{}
	}
	if e := c.at[key]; e != nil {
		c.hits++
		c.order.MoveToFront(e)
		return
	}
	for c.used+bytes > c.bytesMax {
		oldest := c.order.Remove(c.order.Back()).(lruEntry)
		delete(c.at, oldest.key)
		c.used -= oldest.bytes
	}
	c.at[key] = c.order.PushFront(lruEntry{key, bytes})
	c.used += bytes
}

// testEvictionStress writes from many goroutines more than fits, while another
// looks: at no time is the budget exceeded, and at the end the books are right.
func testEvictionStress(t *testing.T, open Opener) {
	const bytesMax, writers, steps = 200_000, 4, 5000
	s, _ := evicting(t, open, bytesMax)
	rng := seeded(t)
	seeds := make([]uint64, writers)
	for i := range seeds {
		seeds[i] = rng.Uint64()
	}
	stop := make(chan struct{})
	var most int64
	var watch, write sync.WaitGroup
	watch.Go(func() {
		for {
			most = max(most, s.Stats().Bytes)
			runtime.Gosched() // wasm has one thread and never takes it away
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	errs := make([]error, writers)
	for w := range writers {
		write.Go(func() { errs[w] = writeAtRandom(s, rand.New(rand.NewPCG(seeds[w], 0)), steps) })
	}
	write.Wait()
	close(stop)
	watch.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.LessOrEqual(t, most, int64(bytesMax))
	var sum int64
	for key, e := range contents(t, s) {
		sum += charged(len(key), len(e.Value), e.ExpiresAt != 0, true)
	}
	require.Equal(t, sum, s.Stats().Bytes)
	require.NotZero(t, s.Stats().Evicted)
	_, err := s.Clear("")
	require.NoError(t, err)
	require.Zero(t, s.Stats().Bytes)
}

// writeAtRandom sets, gets, deletes and batches; nothing of it may fail.
func writeAtRandom(s *engine.Store, rng *rand.Rand, steps int) error {
	for range steps {
		key := fmt.Sprint("key", rng.IntN(5000))
		var err error
		switch rng.IntN(10) {
		case 0:
			_, _, err = s.Delete(key, engine.DeleteOptions{})
		case 1:
			_, err = s.SetMany([]engine.Item{{Key: key, Value: make([]byte, rng.IntN(2000))}, {Key: key + "'", Value: make([]byte, rng.IntN(2000))}})
		case 2, 3, 4:
			_, err = s.Get(key)
		case 5:
			_, err = s.Set(key, make([]byte, rng.IntN(20_000)), engine.SetOptions{})
		default:
			_, err = s.Set(key, make([]byte, rng.IntN(200)), engine.SetOptions{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
