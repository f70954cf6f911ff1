package engine

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// What a compaction does under a shard's lock is bounded by slots and by bytes: that is
// what keeps the writers' wait below 5 ms on a machine that copies 100 MB in a second.
func TestCompactionHoldsAreBounded(t *testing.T) {
	s, err := Open(Options{Dir: storage.Memory(), Sync: SyncNever, BackgroundDisabled: true, Seed: 1})
	require.NoError(t, err)
	sizes := []int{0, 64, 1000, 30_000, compactBytes, compactBytes + 1, 3 << 20}
	for i := range 20_000 {
		size := sizes[i%2]
		if i%400 == 0 {
			size = sizes[i/400%len(sizes)]
		}
		_, err := s.Set(fmt.Sprint("key", i), make([]byte, size), SetOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, s.log.syncNow())
	w, err := s.log.newSnapshotFile(1 << 20)
	require.NoError(t, err)
	holds, total := 0, 0
	for i := range s.shards {
		sh := &s.shards[i]
		for slots := sh.table.slots(); len(slots) > 0; holds++ {
			before, entries := len(w.buffer.bytes), w.count+uint64(len(w.large))
			done := w.addSlots(sh, slots[:min(compactSlotsMax, len(slots))], 0)
			require.Positive(t, done)
			// The last entry may go over, with the head of a block and of a record.
			require.LessOrEqual(t, len(w.buffer.bytes)-before, 2*compactBytes+200)
			slots = slots[done:]
			total += int(w.count+uint64(len(w.large))) - int(entries)
		}
		require.NoError(t, w.addLarge())
		require.Empty(t, w.large)
		require.NoError(t, w.flush(1))
	}
	require.Equal(t, 20_000, total)
	require.EqualValues(t, 20_000, w.count)
	require.Greater(t, holds, len(s.shards))
	w.drop()
	require.NoError(t, s.Close())
}

// A table that is replaced under the walk has it begin anew, by longer pieces, but
// never by longer ones than compactSlotsMax.
func TestCompactionOfGrowingShards(t *testing.T) {
	dir := storage.Memory()
	s, err := Open(Options{Dir: dir, Sync: SyncNever, BackgroundDisabled: true})
	require.NoError(t, err)
	set := func(from, to int) {
		for i := from; i < to; i++ {
			_, err := s.Set(fmt.Sprint(i), bytes.Repeat([]byte{byte(i)}, i%50), SetOptions{})
			require.NoError(t, err)
		}
	}
	set(0, 20_000)
	var wait sync.WaitGroup
	wait.Go(func() { set(20_000, 60_000) })
	for range 3 {
		require.NoError(t, s.Compact())
	}
	wait.Wait()
	require.NoError(t, s.Compact())
	require.NoError(t, s.Close())
	s, err = Open(Options{Dir: dir, BackgroundDisabled: true})
	require.NoError(t, err)
	require.EqualValues(t, 60_000, s.Stats().Keys)
	for i := range 60_000 {
		e, err := s.Get(fmt.Sprint(i))
		require.NoError(t, err)
		require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(i)}, i%50), e.Value), i)
	}
	require.NoError(t, s.Close())
}

// syncSpy notes how much of the log each sync had before it that the token's holder,
// for whom writers may wait, has asked for.
type syncSpy struct {
	storage.Dir
	log  **wal
	most int64 // bytes
	all  int64
}

func (d *syncSpy) OpenWrite(name string) (storage.File, error) {
	f, err := d.Dir.OpenWrite(name)
	return &spiedFile{File: f, spy: d, log: strings.HasPrefix(name, logPrefix)}, err
}

type spiedFile struct {
	storage.File
	spy      *syncSpy
	log      bool
	unsynced int64
}

func (f *spiedFile) WriteAt(b []byte, offset int64) (int, error) {
	f.unsynced += int64(len(b))
	return f.File.WriteAt(b, offset)
}

func (f *spiedFile) Sync() error {
	if l := *f.spy.log; f.log && l != nil {
		f.spy.all += f.unsynced
		if len(l.token) > 0 {
			f.spy.most = max(f.spy.most, f.unsynced)
		}
	}
	f.unsynced = 0
	return f.File.Sync()
}

// With SyncNever a compaction finds much that is not synced. Nobody waits for that.
func TestCompactionSyncsWithoutTheToken(t *testing.T) {
	var log *wal
	dir := &syncSpy{Dir: storage.Memory(), log: &log}
	s, err := Open(Options{Dir: dir, Sync: SyncNever, BackgroundDisabled: true})
	require.NoError(t, err)
	log = s.log
	for i := range 20_000 {
		_, err := s.Set(fmt.Sprint(i), make([]byte, 1000), SetOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, s.Compact())
	require.Greater(t, dir.all, int64(19_000_000))
	require.Less(t, dir.most, int64(syncAheadBytes))
	require.LessOrEqual(t, s.LogStats().Segments, int64(1))
	require.NoError(t, s.Close())
}
