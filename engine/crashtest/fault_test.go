package crashtest

import (
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

// TestFailures has calls on the disk fail under workloads that are cut as well:
// what was acknowledged survives, what failed did so whole, and after a failed
// write or sync nothing more is acknowledged until the store is reopened.
func TestFailures(t *testing.T) {
	var c tally
	failed := 0
	for seed := range seeds(t, 60, 5000) {
		w := newWorld(t, seed, &c, engine.SyncAlways)
		w.faulty, w.rate = true, 30
		for range 4 {
			op := pick(w.rng, simdir.OpSync, simdir.OpSync, simdir.OpWrite, simdir.OpWrite, simdir.OpCreate, simdir.OpRename,
				simdir.OpSyncDir, simdir.OpRemove, simdir.OpOpen, simdir.OpTruncate, simdir.OpPreallocate, simdir.OpClose, simdir.OpRead)
			w.disk.FailAt(1+w.rng.IntN(20), op, errDisk)
			for range 15 {
				w.step()
			}
			if w.readOnly {
				failed++
				w.refusesWrites()
			}
			w.next()
		}
		w.must(w.store.Close(), "closing")
	}
	t.Logf("%v, %d stores that a failure made read-only", c.String(), failed)
	require.True(t, failed > 0 || c.workloads == 1)
}

// refusesWrites fails unless the store says that it is read-only, and is.
func (w *world) refusesWrites() {
	w.t.Helper()
	if err := w.store.LogStats().Degraded; !errors.Is(err, engine.ErrReadOnly) {
		w.fatalf("the store is read-only and says %v", err)
	}
	_, err := w.store.Set("x", nil, engine.SetOptions{})
	if !errors.Is(err, engine.ErrReadOnly) || !errors.Is(err, errDisk) {
		w.fatalf("a write to a store that is read-only: %v", err)
	}
	if e, err := w.store.Get("x"); err != nil || e.Found() {
		w.fatalf("the refused write is there: %v, %v", e, err)
	}
}

// TestFullDisk fills the disk under workloads: writes are refused, reads go on,
// and when there is room again so do writes. Nothing that was acknowledged is
// lost on the way.
func TestFullDisk(t *testing.T) {
	var c tally
	refused := 0
	for seed := range seeds(t, 30, 3000) {
		w := newWorld(t, seed, &c, engine.SyncAlways)
		w.faulty, w.rate = true, 30
		for range 4 {
			for range 5 {
				w.step()
			}
			w.disk.SetSpace(w.disk.Used() + w.rng.Int64N(4<<10))
			for range 15 {
				w.step()
			}
			if err := w.store.LogStats().Degraded; err != nil {
				if !errors.Is(err, engine.ErrDegraded) || errors.Is(err, engine.ErrReadOnly) {
					w.fatalf("a full disk: %v", err)
				}
				refused++
			}
			w.disk.SetSpace(-1)
			if w.rng.IntN(3) == 0 {
				w.next()
			}
			w.mends()
		}
		w.faulty = false
		w.next()
		w.must(w.store.Close(), "closing")
	}
	t.Logf("%v, %d times refused", c.String(), refused)
	require.True(t, refused > 0 || c.workloads == 1)
}

// mends fails unless the store writes again now that there is room.
func (w *world) mends() {
	w.t.Helper()
	w.operation = "set, after there is room again"
	w.waitForRoom(w.store)
	w.set()
	if err := w.store.LogStats().Degraded; err != nil {
		w.fatalf("there is room again, and the store says %v", err)
	}
}

// waitForRoom has a store find out that there is room. What runs in the background
// may hold the log meanwhile, or notice only now what it met before.
func (w *world) waitForRoom(s *engine.Store) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); s.LogStats().Degraded != nil; runtime.Gosched() {
		if err := s.Sync(); time.Now().After(deadline) {
			w.fatalf("there is room again, and the store says %v, and when it syncs %v", s.LogStats().Degraded, err)
		}
	}
}

// openFails has a call fail while the store is opened: that says so, or does not
// matter, and takes nothing away.
// It returns how many entries were evicted.
func (w *world) openFails(c cut) (evicted int64) {
	w.t.Helper()
	op := pick(w.rng, simdir.OpRead, simdir.OpRead, simdir.OpOpen, simdir.OpList, simdir.OpLock, simdir.OpCreate, simdir.OpWrite,
		simdir.OpSync, simdir.OpSyncDir, simdir.OpRename, simdir.OpRemove, simdir.OpTruncate, simdir.OpPreallocate, simdir.OpSize, simdir.OpClose)
	failure := pick(w.rng, errDisk, storage.ErrSpace)
	if op == simdir.OpRead {
		failure = pick(w.rng, errDisk, io.EOF)
	}
	c.disk.FailAt(1+w.rng.IntN(4), op, failure)
	store, err := w.openOn(c.disk)
	if err != nil {
		c.disk.Heal()
		if damage := (*engine.CorruptError)(nil); errors.As(err, &damage) {
			w.fatalf("a failing %s while opening, with %v, passed for damage: %v", op, failure, err)
		}
		return 0
	}
	c.disk.Heal()
	w.matches(store, c)
	evicted = store.Stats().Evicted
	// What runs in the background may have met the failure.
	if err := store.Close(); err != nil && !errors.Is(err, failure) {
		w.fatalf("closing after %v: %v", failure, err)
	}
	return evicted
}

// errDisk is what a broken disk answers.
var errDisk = errors.New("input/output error")
