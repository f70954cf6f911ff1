package engine_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// BenchmarkDurableSet sets keys of 16 bytes to values of 64, on files.
func BenchmarkDurableSet(b *testing.B) {
	for _, policy := range []engine.SyncPolicy{engine.SyncAlways, engine.SyncNever} {
		for _, writers := range []int{1, 2, 64} {
			b.Run(fmt.Sprintf("%s/%d", map[engine.SyncPolicy]string{engine.SyncAlways: "always", engine.SyncNever: "never"}[policy], writers), func(b *testing.B) {
				s := benchStore(b, engine.Options{Sync: policy})
				var next atomic.Int64
				var wg sync.WaitGroup
				value := make([]byte, 64)
				b.ResetTimer()
				for range writers {
					wg.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							_, err := s.Set(fmt.Sprintf("key-%012d", i%1_000_000), value, engine.SetOptions{})
							if err != nil { // require.NoError would cost as much as the write
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(s.LogStats().Syncs)/float64(b.N), "syncs/op")
			})
		}
	}
}

// BenchmarkOpen opens a million entries, from a snapshot and from a log.
func BenchmarkOpen(b *testing.B) {
	for _, compacted := range []bool{true, false} {
		b.Run(fmt.Sprintf("compacted=%v", compacted), func(b *testing.B) {
			dir := openDir(b, b.TempDir())
			s := openStore(b, engine.Options{Dir: dir, Sync: engine.SyncNever, BackgroundDisabled: true})
			for i := range 1_000_000 {
				_, err := s.Set(fmt.Sprintf("key-%012d", i), make([]byte, 64), engine.SetOptions{})
				require.NoError(b, err)
			}
			if compacted {
				require.NoError(b, s.Compact())
			}
			require.NoError(b, s.Close())
			for b.Loop() {
				s := openStore(b, engine.Options{Dir: dir, Sync: engine.SyncNever, BackgroundDisabled: true})
				b.StopTimer()
				require.NoError(b, s.Close())
				b.StartTimer()
			}
		})
	}
}

func benchStore(b *testing.B, o engine.Options) *engine.Store {
	o.Dir = openDir(b, b.TempDir())
	s := openStore(b, o)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}
