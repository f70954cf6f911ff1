package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// withTTL is a store on a hand-moved clock, its n keys all ending within a
// minute, and the keys shuffled.
func withTTL(b *testing.B, n int, clock *atomic.Int64) (*engine.Store, []string) {
	b.Helper()
	clock.Store(1_700_000_000_000)
	s, err := engine.Open(engine.Options{Now: clock.Load})
	if err != nil {
		b.Fatal(err)
	}
	keys := benchKeys(n)
	value := make([]byte, 64)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, key := range keys {
		ttl := time.Duration(1+rng.IntN(60_000)) * time.Millisecond
		if _, err := s.Set(key, value, engine.SetOptions{TTL: ttl}); err != nil {
			b.Fatal(err)
		}
	}
	rng.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	runtime.GC()
	return s, keys
}

// BenchmarkSetTTL overwrites keys of a million with a new time to live.
func BenchmarkSetTTL(b *testing.B) {
	var clock atomic.Int64
	const n = 1_000_000
	s, keys := withTTL(b, n, &clock)
	defer s.Close()
	value := make([]byte, 64)
	i := 0
	for b.Loop() {
		s.Set(keys[i], value, engine.SetOptions{TTL: time.Duration(1+i%60_000) * time.Millisecond})
		if i++; i == n {
			i = 0
		}
	}
}

// BenchmarkTick removes a million keys: all that ended at once, and what ends
// in each of 600 steps of 100 ms.
func BenchmarkTick(b *testing.B) {
	const n = 1_000_000
	for name, steps := range map[string]int{"at once": 1, "in 600 steps": 600} {
		b.Run(name, func(b *testing.B) {
			var clock atomic.Int64
			for range b.N {
				b.StopTimer()
				s, _ := withTTL(b, n, &clock)
				b.StartTimer()
				expired := 0
				for range steps {
					clock.Add(60_000 / int64(steps))
					expired += s.Tick(0)
				}
				b.StopTimer()
				if expired != n {
					b.Fatalf("%d of %d expired", expired, n)
				}
				s.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
		})
	}
}

// BenchmarkMassExpiry reports how long a call takes at worst, in microseconds,
// while a million keys that end at once are removed by one Tick, and while as long
// nothing else happens: what the machine adds is in both. The calls are sets of
// keys that have ended, gets of such keys, which wait for the lock, and gets of
// keys that have not.
func BenchmarkMassExpiry(b *testing.B) {
	calls := map[string]func(s *engine.Store, ended, stays string){
		"set":       func(s *engine.Store, ended, _ string) { s.Set(ended, make([]byte, 64), engine.SetOptions{}) },
		"get ended": func(s *engine.Store, ended, _ string) { s.AppendGet(nil, ended) },
		"get":       func(s *engine.Store, _, stays string) { s.AppendGet(nil, stays) },
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		for _, ticking := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/tick=%v", name, ticking), func(b *testing.B) {
				var took []time.Duration
				for range b.N {
					took = append(took, duringExpiry(b, ticking, calls[name])...)
				}
				slices.Sort(took)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(took[len(took)-1].Nanoseconds())/1e3, "worst-us")
				b.ReportMetric(float64(took[len(took)*9999/10000].Nanoseconds())/1e3, "p99.99-us")
				b.ReportMetric(float64(took[len(took)*999/1000].Nanoseconds())/1e3, "p99.9-us")
			})
		}
	}
}

// duringExpiry times a call over and over while a million keys are removed, or for
// as long as that may take.
func duringExpiry(b *testing.B, ticking bool, call func(s *engine.Store, ended, stays string)) (took []time.Duration) {
	const others = 100_000
	var clock atomic.Int64
	s, keys := withTTL(b, 1_000_000, &clock)
	defer s.Close()
	stay := make([]string, others)
	for i := range stay {
		stay[i] = fmt.Sprint("stays/", i)
		if _, err := s.Set(stay[i], make([]byte, 64), engine.SetOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	clock.Add(60_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !ticking {
			time.Sleep(400 * time.Millisecond) // the calls have the machine to themselves
			return
		}
		s.Tick(0)
	}()
	for i := 0; ; i++ {
		begin := time.Now()
		call(s, keys[i%len(keys)], stay[i%others])
		took = append(took, time.Since(begin))
		select {
		case <-done:
			return took
		default:
		}
	}
}
