package crashtest

import (
	"bytes"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// copied is a copy of the store as of a version, which increments made.
type copied struct {
	version  uint64
	snapshot []byte // of the copy; nil: empty
}

// openCopy makes a store in memory of a copy.
func (w *world) openCopy(c copied) *engine.Store {
	w.t.Helper()
	s, err := engine.Open(engine.Options{Now: w.clock.Load})
	w.must(err, "opening a copy")
	if c.snapshot != nil {
		w.must(s.Restore(bytes.NewReader(c.snapshot)), "restoring a copy")
	}
	return s
}

// follow brings a copy up to a store by an increment, and compares them.
func (w *world) follow(store *engine.Store, c copied, where string) (copied, error) {
	w.t.Helper()
	var stream, snapshot bytes.Buffer
	version, full, err := store.SnapshotSince(&stream, c.version)
	if err != nil {
		return c, err
	}
	if full {
		w.tally.wholes++
	} else {
		w.tally.increments++
	}
	to := w.openCopy(c)
	if err := to.RestoreSince(&stream); err != nil {
		w.fatalf("%s: an increment since version %d: %v", where, c.version, err)
	}
	got, err := contents(to)
	w.must(err, "reading a copy")
	want, err := contents(store)
	w.must(err, "reading")
	now := max(store.Now(), to.Now())
	w.same(got.live(now), want.live(now), where+": after an increment, the copy of")
	w.must(to.Snapshot(&snapshot), "a snapshot of a copy")
	w.must(to.Close(), "closing a copy")
	return copied{version: version, snapshot: snapshot.Bytes()}, nil
}

// copy brings the workload's copy up to date. What it holds then is durable: a copy
// must not have what the store may lose.
func (w *world) copy() {
	next := w.begin()
	c, err := w.follow(w.store, w.copied, "in memory")
	w.done(err, next, all)
	w.mu.Lock()
	w.copied = c
	w.mu.Unlock()
}

// feedsCopies fails unless a copy that was made before a failure can follow the
// recovered store.
func (w *world) feedsCopies(store *engine.Store, c cut) {
	w.t.Helper()
	if w.source == nil { // copies of a copy are not to be made
		_, err := w.follow(store, c.copied, "a cut at "+c.at)
		w.must(err, "an increment after a recovery")
	}
	w.must(store.Close(), "closing")
}

// TestPowerFailuresOfCopies cuts stores that are copies: they change by the
// increments of another one, all of each or nothing.
func TestPowerFailuresOfCopies(t *testing.T) {
	var c tally
	for seed := range seeds(t, 20, 2000) {
		policy := engine.SyncAlways
		if seed%3 == 0 {
			policy = engine.SyncNever
		}
		w := newWorldOf(t, seed, &c, policy, func(w *world) {
			var err error
			w.source, err = engine.Open(engine.Options{Now: w.clock.Load, Dir: storage.Memory(), SegmentBytes: 4 << 10, BackgroundDisabled: true})
			w.must(err, "opening the source")
		})
		w.run(3, 10)
		w.must(w.source.Close(), "closing the source")
	}
	t.Log(c.String())
	if c.workloads > 1 && (c.increments == 0 || c.wholes == 0) {
		t.Fatal("no increments were made, or no whole snapshots")
	}
}

// copySteps are what is done to a copy.
func (w *world) copySteps() []step {
	return []step{
		{30, "increment of a copy", w.incrementCopy},
		{4, "tick", w.tick},
		{5, "compact", w.compact},
		{5, "sync", w.sync},
		{2, "snapshot", w.snapshot},
	}
}

// incrementCopy changes the source and restores the increment.
func (w *world) incrementCopy() {
	for range w.rng.IntN(8) {
		w.changeSource()
	}
	since := w.since
	if w.rng.IntN(8) == 0 {
		since = 0
	}
	var stream bytes.Buffer
	version, full, err := w.source.SnapshotSince(&stream, since)
	w.must(err, "an increment of the source")
	next, err := contents(w.source)
	w.must(err, "reading the source")
	promised := w.wrote()
	if full {
		w.tally.wholes++
		promised = all
	} else {
		w.tally.increments++
	}
	w.begin()
	err = w.store.RestoreSince(&stream)
	w.done(err, next, promised)
	w.since = version
}

// changeSource does a random operation on the source of the copy.
func (w *world) changeSource() {
	var err error
	key := pick(w.rng, keys...)
	switch w.rng.IntN(12) {
	case 0, 1:
		_, _, err = w.source.Delete(key, engine.DeleteOptions{})
	case 2:
		_, _, err = w.source.Increment(pick(w.rng, "number", "number/2"), 1)
	case 3:
		_, err = w.source.Expire(key, pick(w.rng, ttls...))
	case 4:
		_, err = w.source.Clear(pick(w.rng, "a", "b/", "none"))
	case 5:
		if w.rng.IntN(3) == 0 {
			err = w.source.Compact() // the next increment is a whole snapshot
		}
	default:
		_, err = w.source.Set(key, []byte(someValue(w.rng)), engine.SetOptions{TTL: pick(w.rng, ttls...)})
	}
	w.must(err, "changing the source")
}

// newWorldOf is newWorld with options of the test's own.
func newWorldOf(t testing.TB, seed uint64, c *tally, policy engine.SyncPolicy, change func(w *world)) *world {
	w := drawWorld(t, seed, c, policy)
	w.options.BytesMax = 0
	change(w)
	w.open()
	return w
}
