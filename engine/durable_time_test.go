package engine_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// What has ended stays so when the clock is set back while the store is closed, or
// after a crash.
func TestEndedStaysEndedAfterRestart(t *testing.T) {
	for _, closed := range []bool{true, false} {
		t.Run(fmt.Sprintf("closed=%v", closed), func(t *testing.T) {
			now := int64(1_700_000_000_000)
			dir := storage.Memory()
			o := engine.Options{Dir: dir, Now: func() int64 { return now }, BackgroundDisabled: true}
			s := openStore(t, o)
			_, err := s.Set("k", []byte("v"), engine.SetOptions{TTL: time.Minute})
			require.NoError(t, err)
			_, err = s.Set("stays", []byte("v"), engine.SetOptions{TTL: time.Hour})
			require.NoError(t, err)
			now += 2 * time.Minute.Milliseconds()
			found, err := s.Exists("k")
			require.NoError(t, err)
			require.False(t, found)
			if closed {
				require.NoError(t, s.Close())
			} else { // a write is what makes the time durable
				_, err = s.Set("other", nil, engine.SetOptions{})
				require.NoError(t, err)
				o.Dir = readFiles(t, dir).dir(t)
			}
			now -= 5 * time.Minute.Milliseconds()
			s = openStore(t, o)
			require.GreaterOrEqual(t, s.Now(), int64(1_700_000_000_000)+2*time.Minute.Milliseconds())
			found, err = s.Exists("k")
			require.NoError(t, err)
			require.False(t, found, "the clock went back and the entry with it")
			found, err = s.Exists("stays")
			require.NoError(t, err)
			require.True(t, found)
			require.NoError(t, s.Close())
		})
	}
}

// After a crash no version is given that somebody may have read before it.
func TestVersionsJumpAfterACrash(t *testing.T) {
	dir := storage.Memory()
	s := openStore(t, engine.Options{Dir: dir, Sync: engine.SyncNever, BackgroundDisabled: true})
	_, err := s.Set("k", []byte("durable"), engine.SetOptions{})
	require.NoError(t, err)
	require.NoError(t, s.Sync())
	lost, err := s.Set("k", []byte("lost"), engine.SetOptions{})
	require.NoError(t, err)
	crashed := readFiles(t, dir).dir(t) // what waits in memory is not in it

	after := openStore(t, engine.Options{Dir: crashed, BackgroundDisabled: true})
	require.False(t, after.LogStats().Recovered.Clean)
	e, err := after.Get("k")
	require.NoError(t, err)
	require.Equal(t, "durable", string(e.Value))
	next, err := after.Set("k", []byte("new"), engine.SetOptions{})
	require.NoError(t, err)
	require.Greater(t, next, lost)
	_, err = after.Set("k", nil, engine.SetOptions{IfVersion: lost})
	require.ErrorIs(t, err, engine.ErrConflict)
	require.NoError(t, after.Close())
	require.NoError(t, s.Close())
}

// Without the goroutine Tick syncs when it is time, and compacts.
func TestTickDoesTheBackgroundsWork(t *testing.T) {
	now := int64(1_700_000_000_000)
	s := openStore(t, engine.Options{
		Dir: storage.Memory(), SegmentBytes: 4096, BackgroundDisabled: true,
		Sync: engine.SyncInterval, SyncInterval: 100 * time.Millisecond, Now: func() int64 { return now },
	})
	_, err := s.Set("k", nil, engine.SetOptions{})
	require.NoError(t, err)
	s.Tick(0)
	before := s.LogStats().Syncs
	_, err = s.Set("k", nil, engine.SetOptions{})
	require.NoError(t, err)
	now += 50
	s.Tick(0)
	require.Equal(t, before, s.LogStats().Syncs, "it is not time yet")
	now += 50
	s.Tick(0)
	require.Equal(t, before+1, s.LogStats().Syncs)
	for i := range 1000 {
		_, err := s.Set(fmt.Sprint(i%10), make([]byte, 100), engine.SetOptions{})
		require.NoError(t, err)
		if i%50 == 0 {
			s.Tick(0)
		}
	}
	require.NoError(t, s.Sync())
	s.Tick(0)
	stats := s.LogStats()
	require.Positive(t, stats.Compactions)
	require.Less(t, stats.LogBytes, int64(4*4096))
	require.NoError(t, s.Close())
}

// The goroutine does so by itself.
func TestBackgroundSyncsAndCompacts(t *testing.T) {
	if runtime.GOARCH == "wasm" {
		t.Skip("there Tick does it: TestTickDoesTheBackgroundsWork")
	}
	s := openStore(t, engine.Options{Dir: storage.Memory(), SegmentBytes: 4096, Sync: engine.SyncInterval, SyncInterval: time.Millisecond})
	for i := range 1000 {
		_, err := s.Set(fmt.Sprint(i%10), make([]byte, 100), engine.SetOptions{})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		stats := s.LogStats()
		return stats.PendingBytes == 0 && stats.Syncs > 0 && stats.Compactions > 0
	}, time.Minute, time.Millisecond)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Sync(), engine.ErrClosed)
	require.ErrorIs(t, s.Compact(), engine.ErrClosed)
}

// Work compacts in pieces where no goroutine does, and leaves what has expired to Tick.
func TestWorkCompactsInPieces(t *testing.T) {
	now := int64(1000)
	dir := storage.Memory()
	s, err := engine.Open(engine.Options{Dir: dir, BackgroundDisabled: true, SegmentBytes: 1 << 20, Now: func() int64 { return now }})
	require.NoError(t, err)
	require.False(t, s.Work(), "there is nothing to do")
	_, err = s.Set("ends", nil, engine.SetOptions{TTL: time.Second})
	require.NoError(t, err)
	for i := range 100 {
		_, err := s.Set(fmt.Sprint("k", i%50), make([]byte, 64<<10), engine.SetOptions{})
		require.NoError(t, err)
	}
	now += 5000
	pieces := 1
	for s.Work() {
		pieces++
		_, err := s.Set("meanwhile", []byte(fmt.Sprint(pieces)), engine.SetOptions{})
		require.NoError(t, err)
	}
	require.Greater(t, pieces, 2)
	require.EqualValues(t, 1, s.LogStats().Compactions)
	require.EqualValues(t, 0, s.Stats().Expired)
	require.NoError(t, s.Close())
	require.False(t, s.Work())
	s, err = engine.Open(engine.Options{Dir: dir, BackgroundDisabled: true, Now: func() int64 { return now }})
	require.NoError(t, err)
	require.EqualValues(t, 51, s.Stats().Keys)
	require.NoError(t, s.Close())
	memory, err := engine.Open(engine.Options{})
	require.NoError(t, err)
	require.False(t, memory.Work())
	require.NoError(t, memory.Close())
}
