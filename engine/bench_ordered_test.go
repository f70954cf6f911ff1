package engine_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// BenchmarkInsertOrdered inserts up to a million new keys into a store that has
// been listed, with the order and without it, and deletes them again. A round takes a block of one
// after a block of the other, till both have all keys, and sums them: the blocks
// in which the logs are settled count. It reports the medians of the rounds, which
// are to be at least three (-benchtime 3x): compare no times of different runs.
func BenchmarkInsertOrdered(b *testing.B) {
	shapes := map[string]func(n int) []string{
		"random": benchKeys,
		"paths": func(n int) []string { // long common beginnings, in no order
			keys := make([]string, n)
			for i := range keys {
				keys[i] = fmt.Sprintf("user/%08d/s", uint32(i)*2654435761%100_000_000)
			}
			return keys
		},
		"rising": func(n int) []string {
			keys := make([]string, n)
			for i := range keys {
				keys[i] = fmt.Sprintf("log/%016d", i)
			}
			return keys
		},
	}
	for name, make := range shapes {
		b.Run(name, func(b *testing.B) { benchInsertOrdered(b, make(1_000_000)) })
	}
}

func benchInsertOrdered(b *testing.B, keys []string) {
	const block = 10_000
	value := make([]byte, 64)
	var times [2][]float64 // off, on: nanoseconds per insert
	var ratios, deletes []float64
	for range b.N {
		var round [2]float64
		var stores [2]*engine.Store
		for i := range stores {
			s, err := engine.Open(engine.Options{OrderDisabled: i == 0})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.List(engine.ListOptions{}); err != nil {
				b.Fatal(err)
			}
			stores[i] = s
		}
		for at := 0; at < len(keys); at += block {
			for i, s := range stores {
				round[i] += timePer(b, keys[at:at+block], func(key string) error {
					_, err := s.Set(key, value, engine.SetOptions{})
					return err
				})
			}
		}
		blocks := float64(len(keys) / block)
		for i := range times {
			times[i] = append(times[i], round[i]/blocks)
		}
		ratios = append(ratios, round[1]/round[0])
		b.ReportMetric(float64(stores[1].Stats().OrderBytes)/float64(len(keys)), "orderB/key")
		var removal [2]float64
		for at := 0; at < len(keys); at += block {
			for i, s := range stores {
				removal[i] += timePer(b, keys[at:at+block], func(key string) error {
					_, _, err := s.Delete(key, engine.DeleteOptions{})
					return err
				})
			}
		}
		deletes = append(deletes, removal[1]/removal[0])
		for _, s := range stores {
			s.Close()
		}
		runtime.GC()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(times[0]), "off-ns/insert")
	b.ReportMetric(median(times[1]), "on-ns/insert")
	b.ReportMetric(median(ratios), "on/off")
	b.ReportMetric(median(deletes), "delete-on/off")
}

// timePer calls f for each key and returns the nanoseconds for one.
func timePer(b *testing.B, keys []string, f func(key string) error) float64 {
	start := time.Now()
	for _, key := range keys {
		if err := f(key); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(start)) / float64(len(keys))
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// BenchmarkListPage lists pages of 100 of a million keys; first is the list that
// builds the order.
func BenchmarkListPage(b *testing.B) {
	for _, values := range []bool{false, true} {
		b.Run(fmt.Sprintf("values=%v", values), func(b *testing.B) {
			s, keys := filled(b, 1_000_000)
			start := time.Now()
			if _, err := s.List(engine.ListOptions{}); err != nil {
				b.Fatal(err)
			}
			first := time.Since(start)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				page, err := s.List(engine.ListOptions{After: keys[i%len(keys)], Values: values})
				if err != nil || len(page.Entries) > 100 {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(first.Seconds()*1e3, "first-ms")
		})
	}
}
