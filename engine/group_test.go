package engine_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// gatedDir holds every sync of a file while its gate is shut.
type gatedDir struct {
	storage.Dir
	gate    sync.RWMutex // held for writing: shut
	waiting atomic.Int64
}

type gatedFile struct {
	storage.File
	dir *gatedDir
}

func (d *gatedDir) Create(name string) (storage.File, error) {
	f, err := d.Dir.Create(name)
	return gatedFile{f, d}, err
}

func (d *gatedDir) OpenWrite(name string) (storage.File, error) {
	f, err := d.Dir.OpenWrite(name)
	return gatedFile{f, d}, err
}

func (f gatedFile) Sync() error {
	f.dir.waiting.Add(1)
	f.dir.gate.RLock()
	defer f.dir.gate.RUnlock()
	return f.File.Sync()
}

// TestWritersShareASync holds the first writer's sync until fifteen more have written:
// all of those are on the disk with the next one.
func TestWritersShareASync(t *testing.T) {
	dir := &gatedDir{Dir: storage.Memory()}
	s := openStore(t, engine.Options{Dir: dir, BackgroundDisabled: true})
	before := s.LogStats().Syncs
	dir.gate.Lock()
	dir.waiting.Store(0)
	var wg sync.WaitGroup
	write := func(i int) {
		_, err := s.Set(fmt.Sprint("key-", i), []byte("value"), engine.SetOptions{})
		require.NoError(t, err)
	}
	wg.Go(func() { write(0) })
	for dir.waiting.Load() == 0 {
		runtime.Gosched()
	}
	for i := 1; i < 16; i++ {
		wg.Go(func() { write(i) })
	}
	for s.Stats().Sets < 16 {
		runtime.Gosched()
	}
	dir.gate.Unlock()
	wg.Wait()
	require.Equal(t, before+2, s.LogStats().Syncs)
	require.NoError(t, s.Close())
}
