package engine_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// A long log is read in bounded memory: what Open takes above what it leaves is at
// most 256 MiB. INGOT_LOG_MIB sets the length; 2048 is what the design names.
func TestRecoveryInBoundedMemory(t *testing.T) {
	mib := 96
	if runtime.GOARCH == "wasm" {
		mib = 16 // one thread, and it compiles to slower code
	}
	if text := os.Getenv("INGOT_LOG_MIB"); text != "" {
		var err error
		mib, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	dir := openDir(t, t.TempDir())
	o := engine.Options{Dir: dir, Sync: engine.SyncNever, BackgroundDisabled: true}
	s := openStore(t, o)
	value := make([]byte, 1024)
	for i := range mib << 10 {
		_, err := s.Set(fmt.Sprintf("key-%d", i%50_000), value[:i%1024], engine.SetOptions{})
		require.NoError(t, err)
	}
	batch := make([]engine.Item, 16) // a change that is many blocks
	for i := range batch {
		batch[i] = engine.Item{Key: fmt.Sprintf("large-%d", i), Value: make([]byte, 1<<20)}
	}
	_, err := s.SetMany(batch)
	require.NoError(t, err)
	logBytes := s.LogStats().LogBytes
	require.NoError(t, s.Close())
	s = nil
	runtime.GC()

	var peak uint64
	var m runtime.MemStats
	calls := 0
	o.Progress = func(p engine.Progress) {
		require.LessOrEqual(t, p.Done, p.Total)
		if calls++; calls%16 == 0 {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
	}
	s = openStore(t, o)
	require.Equal(t, logBytes/1000, s.LogStats().Recovered.LogBytes/1000)
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("log of %d MiB: %d MiB at the peak, %d MiB after", logBytes>>20, peak>>20, m.HeapInuse>>20)
	require.Less(t, peak, m.HeapInuse+256<<20)
	require.NotZero(t, peak)
	require.NoError(t, s.Close())
}
