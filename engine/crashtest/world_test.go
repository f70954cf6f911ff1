package crashtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/simdir"
)

// tally counts what a test has done.
type tally struct {
	workloads, operations, cuts, reopenings, killed, recoveryCuts int
	refused, increments, wholes                                   int
	evicted                                                       int64
}

func (c *tally) String() string {
	return fmt.Sprintf("%d workloads, %d operations, %d cuts, %d of them during recovery, %d kills of the process alone, %d reopenings, "+
		"%d writes refused by a budget, %d entries evicted, copies made by %d increments and %d whole snapshots",
		c.workloads, c.operations, c.cuts, c.recoveryCuts, c.killed, c.reopenings, c.refused, c.evicted, c.increments, c.wholes)
}

// cut is a disk as a power failure may have left it.
type cut struct {
	disk *simdir.Dir
	at   string // the call that it came before
	// acked is the last state that was acknowledged by then, begun the one that was
	// under way, which came to be only if the operation did something.
	// durable is the last one that was synced: under SyncAlways it is acked.
	acked, begun, durable int
	now                   int64
	copied                copied
	lost                  int64 // entries that openings of the disk have evicted since
}

// world is one workload: a store on a simulated disk, the states that it went
// through, and the disks that failures left on the way.
type world struct {
	t       testing.TB
	seed    uint64
	rng     *rand.Rand
	tally   *tally
	options engine.Options

	disk  *simdir.Dir
	store *engine.Store
	clock atomic.Int64 // moved by hand
	// states are the contents after each operation since the store was opened, and
	// evicted the keys that were evicted on the way to each.
	states    []state
	evicted   [][]string
	watcher   *engine.Watcher  // of a store that evicts
	budgets   map[string]int64 // by prefix
	copied    copied
	source    *engine.Store // of which the store is a copy, or nil
	since     uint64        // the source's version that the store has
	version   uint64        // the largest that was ever returned or seen
	time      int64         // of the last acknowledged write
	saved     []byte        // a snapshot, and
	savedOf   state         // what it holds
	operation string
	faulty    bool // operations may fail
	readOnly  bool // one did, and nothing can be written until the store is reopened
	// maybe is what a Restore would have led to that failed so late that only the
	// disk knows; the store is read-only then.
	maybe     state
	rate      int // the percentage of calls that are cut at
	syncDraws int // how many disks are drawn before a sync, where most can happen

	mu      sync.Mutex
	luck    *rand.Rand // decides where cuts are: calls may come from other goroutines
	acked   int        // the last state that was acknowledged
	durable int        // the last one that must survive
	begun   int        // the state that the operation under way leads to
	cuts    []cut
}

const epoch = 1_700_000_000_000

// newWorld draws the options of a store and opens it on an empty disk.
func newWorld(t testing.TB, seed uint64, c *tally, policy engine.SyncPolicy) *world {
	w := drawWorld(t, seed, c, policy)
	w.open()
	return w
}

// drawWorld draws the options of a store.
func drawWorld(t testing.TB, seed uint64, c *tally, policy engine.SyncPolicy) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 99)), luck: rand.New(rand.NewPCG(seed, 100)), tally: c, rate: 100, syncDraws: 1}
	w.clock.Store(epoch)
	w.options = engine.Options{
		Now:              w.clock.Load,
		Sync:             policy,
		SegmentBytes:     []int64{1 << 10, 2 << 10, 5 << 10, 20 << 10}[w.rng.IntN(4)],
		CompressBytesMin: []int{0, 0, 100}[w.rng.IntN(3)],
		// What runs in the background makes a workload's calls differ from run to run.
		BackgroundDisabled: w.rng.IntN(4) > 0,
	}
	if w.rng.IntN(4) == 0 {
		w.options.Encryption = seal.AES256GCM(seal.Key{ID: 1, Secret: [seal.KeyBytes]byte{1}})
	}
	w.disk = simdir.New(seed)
	w.disk.SetStale(w.rng.IntN(2) == 0)
	if w.rng.IntN(4) == 0 {
		w.options.BytesMax = pick(w.rng, int64(3000), 12_000)
	}
	w.tally.workloads++
	w.begins(state{})
	return w
}

// begins makes a state the first of a life.
func (w *world) begins(s state) { w.states, w.evicted = []state{s}, [][]string{nil} }

// passes adds the state after an operation.
func (w *world) passes(s state, evicted []string) {
	w.states, w.evicted = append(w.states, s), append(w.evicted, evicted)
}

// fatalf ends the test with what is needed to run it again.
func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("INGOT_TEST_SEED=%d, operation %d (%s): %s", w.seed, len(w.states), w.operation, fmt.Sprintf(format, args...))
}

func (w *world) must(err error, what string) {
	w.t.Helper()
	if err != nil {
		w.fatalf("%s: %v", what, err)
	}
}

// openOn opens a store on a disk. A full one gets room when that is what it needs.
func (w *world) openOn(disk *simdir.Dir) (*engine.Store, error) {
	o := w.options
	o.Dir = disk
	w.tally.reopenings++
	store, err := engine.Open(o)
	if errors.Is(err, storage.ErrSpace) && disk.Free() >= 0 {
		disk.SetSpace(-1)
		store, err = engine.Open(o)
	}
	return store, err
}

// open opens the store, whose contents are the only state so far, on w.disk.
func (w *world) open() {
	store, err := w.openOn(w.disk)
	w.must(err, "opening")
	w.store = store
	w.budgets = map[string]int64{"": w.options.BytesMax}
	w.watchEvictions()
	w.mu.Lock()
	w.acked, w.begun, w.durable = 0, 0, 0
	w.mu.Unlock()
	w.readOnly, w.maybe = false, nil
	w.time = 0
	w.disk.Before(w.cutBefore)
}

// cutBefore takes a cut before a call.
func (w *world) cutBefore(e simdir.Event) {
	if !e.Op.Changes() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	draws := 1
	if e.Op == simdir.OpSync {
		draws = w.syncDraws
	}
	for range draws {
		if w.luck.IntN(100) < w.rate {
			w.cutLocked(w.disk.Crash(w.luck), e.String())
		}
	}
	if w.luck.IntN(2000) < w.rate {
		w.tally.killed++
		w.cutLocked(w.disk.Kill(), "kill before "+e.String())
	}
}

func (w *world) cutLocked(disk *simdir.Dir, at string) {
	w.cuts = append(w.cuts, cut{disk: disk, at: at, acked: w.acked, begun: w.begun, durable: w.durable, now: w.clock.Load(), copied: w.copied})
}

// last is the last state.
func (w *world) last() state { return w.states[len(w.states)-1] }

// begin is a copy of the last state, for the next operation to work on.
func (w *world) begin() state {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = len(w.states)
	return w.last().live(w.store.Now())
}

// promise is what the success of an operation says of the disk.
type promise int

const (
	nothing promise = iota // it may be lost
	itself                 // what it changed is durable, and all before that
	all                    // everything is durable
)

// done ends an operation that should lead to the state next, in which what was
// written has no version yet.
func (w *world) done(err error, next state, promised promise) {
	w.t.Helper()
	now := w.store.Now()
	if errors.Is(err, engine.ErrFull) {
		w.exceeds(next.live(now))
		err, next, promised = nil, w.last(), nothing
	}
	if err != nil && !w.faulty {
		w.fatalf("%v", err)
	}
	shown, readErr := contents(w.store)
	w.must(readErr, "reading the contents")
	evicted := w.evictions()
	before := w.last().live(now).without(evicted)
	next = next.live(now).withoutOld(evicted)
	if err == nil || !equal(shown, before) {
		next = w.versioned(next, shown, before)
	}
	w.tally.operations++
	switch {
	case err != nil:
		w.failed(err, shown, before, next, evicted)
	default:
		w.same(shown, next, "in memory")
		changed := !equal(before, next)
		w.keepsBudgets(before, next)
		w.passes(next.withGhosts(w.last(), now), evicted)
		durable := promised == all || promised == itself && changed
		if durable && changed {
			w.time = now
		}
		w.mu.Lock()
		if w.acked == len(w.states)-2 && len(evicted) == 0 || durable {
			w.acked = len(w.states) - 1 // what failed before came to be after all
		}
		if durable {
			w.durable = w.acked
		}
		w.mu.Unlock()
	}
	w.version = max(w.version, w.store.Stats().Version)
	w.mu.Lock()
	w.begun = len(w.states) - 1
	w.mu.Unlock()
	w.lookAtCuts()
}

// versioned gives what an operation wrote the versions that the store shows.
func (w *world) versioned(next, shown, before state) state {
	w.t.Helper()
	for key, e := range next {
		got, ok := shown[key]
		if e.version != 0 || !ok {
			continue
		}
		if got.version <= before[key].version || got.version <= w.version && before[key] != got {
			w.fatalf("the write of %q got version %d, though the store was at %d", key, got.version, w.version)
		}
		e.version = got.version
		next[key] = e
	}
	return next
}

// failed notes that an operation failed: the store then shows all that it did or
// nothing, and says what it takes to go on.
func (w *world) failed(err error, shown, before, next state, evicted []string) {
	w.t.Helper()
	readOnly := errors.Is(err, engine.ErrReadOnly)
	// What works on a file of its own leaves the store as it was.
	harmless := w.operation == "compact" || w.operation == "restore" || w.operation == "copy"
	if !readOnly && !harmless && !errors.Is(err, engine.ErrDegraded) {
		w.fatalf("it failed, and neither with ErrReadOnly nor with ErrDegraded: %v", err)
	}
	switch {
	case equal(shown, before):
	case equal(shown, next) && !w.readOnly:
		w.passes(next.withGhosts(w.last(), w.store.Now()), evicted)
	default:
		w.fatalf("it failed (%v), and the store shows%v\nafter%v\nand was to show%v", err, shown, before, next)
	}
	if w.operation == "restore" && readOnly && !w.readOnly && equal(shown, before) {
		w.maybe = next
	}
	w.readOnly = w.readOnly || readOnly
}

// same fails unless the contents are as they should be.
func (w *world) same(got, want state, where string) {
	w.t.Helper()
	if !equal(got, want) {
		w.fatalf("%s the store has%v\nand should have%v", where, got, want)
	}
}

func equal(a, b state) bool {
	if len(a) != len(b) {
		return false
	}
	for key, e := range a {
		if b[key] != e {
			return false
		}
	}
	return true
}

// lookAtCuts opens the disks of all cuts so far, and one of this moment.
func (w *world) lookAtCuts() {
	w.t.Helper()
	w.mu.Lock()
	if w.luck.IntN(100) < w.rate {
		w.cutLocked(w.disk.Crash(w.luck), "the end of the operation")
	}
	cuts := w.cuts
	w.cuts = nil
	w.mu.Unlock()
	for _, c := range cuts {
		w.look(c)
	}
}

// allowed are the numbers of the states that a cut may have left: first is what
// was acknowledged as durable, last what was under way.
func (w *world) allowed(c cut) (first, last int) {
	last = min(c.begun, len(w.states)-1)
	if w.options.Sync == engine.SyncAlways {
		return c.acked, last
	}
	return c.durable, last
}

// look opens the disk of a cut and compares.
func (w *world) look(c cut) {
	w.t.Helper()
	w.tally.cuts++
	defer w.clock.Store(w.clock.Load())
	w.clock.Store(c.now)
	if w.rng.IntN(8) == 0 {
		w.clock.Add(-w.rng.Int64N(2000)) // it was set back meanwhile
	}
	inRecovery := w.rng.IntN(40) == 0
	var during []cut
	if inRecovery {
		c.disk.Before(func(e simdir.Event) {
			if e.Op.Changes() {
				again := c
				again.disk, again.at = c.disk.Crash(w.rng), "in the recovery from "+c.at+": "+e.String()
				during = append(during, again)
			}
		})
	}
	if w.rng.IntN(10) == 0 {
		c.lost += w.openFails(c)
	}
	store, err := w.openOn(c.disk)
	if err != nil {
		w.fatalf("a cut at %s: opening: %v\nwith %v\n%s", c.at, err, files(c.disk), lastCalls(w.disk))
	}
	c.disk.Before(nil)
	c.disk.SetSpace(-1)
	found := w.matches(store, c)
	c.lost += store.Stats().Evicted
	w.segmentsEnd(c)
	for _, again := range during {
		again.lost = c.lost
		w.tally.recoveryCuts++
		w.tally.cuts++
		second, err := w.openOn(again.disk)
		if err != nil {
			w.fatalf("a cut at %s: opening: %v\nwith %v\n%s\nand before that\n%s", again.at, err, files(again.disk), lastCalls(c.disk), lastCalls(w.disk))
		}
		w.matches(second, again)
		w.must(second.Close(), "closing")
	}
	switch w.rng.IntN(16) {
	case 0, 1:
		w.isDurable(store, c, found, "after a recovery from "+c.at)
	case 2, 3:
		w.writesOn(store, c)
	case 4:
		w.countsRight(store, c)
	case 5:
		w.overBudget(store, c)
	case 6, 7:
		w.feedsCopies(store, c)
	default:
		w.must(store.Close(), "closing")
	}
}

// matches fails unless a store that was opened after a cut holds one of the states
// that are allowed then. It returns which.
func (w *world) matches(store *engine.Store, c cut) state {
	w.t.Helper()
	got, err := contents(store)
	w.must(err, "reading")
	now := store.Now()
	if w.options.Sync == engine.SyncAlways && c.acked == w.acked && now < w.time {
		w.fatalf("a cut at %s: the time went back from %d to %d\n%s", c.at, w.time, now, lastCalls(w.disk))
	}
	first, last := w.allowed(c)
	lost := c.lost + store.Stats().Evicted
	for i := last; i >= first; i-- {
		var evicted []string // by the operation after it, which may have got no further
		if i < last {
			evicted = w.evicted[i+1]
		}
		if w.states[i].recovered(got, now, evicted, lost) {
			w.versionsGrow(store, w.states[i], c)
			return w.states[i]
		}
	}
	if w.maybe != nil && w.maybe.recovered(got, now, nil, lost) {
		return w.maybe
	}
	w.fatalf("a cut at %s (%d calls so far, time %d): the store has%v\nand should be at one of the states %d to %d: %v%v\n%s",
		c.at, len(w.disk.Trace()), now, got, first, last, w.states[first].live(now), w.states[last].live(now), lastCalls(w.disk))
	return nil
}

// versionsGrow fails when the store may give out a version again.
func (w *world) versionsGrow(store *engine.Store, s state, c cut) {
	w.t.Helper()
	version := store.Stats().Version
	for key, e := range s.live(store.Now()) {
		if e.version > version {
			w.fatalf("a cut at %s: the store is at version %d and %q at %d: %v", c.at, version, key, e.version, s)
		}
	}
	if w.options.Sync == engine.SyncAlways && version < w.version && c.acked == w.acked {
		w.fatalf("a cut at %s: the version went back from %d to %d (recovered: %+v)\n%s", c.at, w.version, version, store.LogStats().Recovered, lastCalls(w.disk))
	}
}

// isDurable fails unless what a reopened store shows survives the next failure.
func (w *world) isDurable(store *engine.Store, c cut, found state, where string) {
	w.t.Helper()
	shown, err := contents(store)
	w.must(err, "reading")
	now := store.Now()
	again, err := w.openOn(c.disk.Crash(w.rng))
	if err != nil {
		w.fatalf("%s: opening after a second failure: %v", where, err)
	}
	got, err := contents(again)
	w.must(err, "reading")
	now = max(now, again.Now())
	if lost := c.lost + again.Stats().Evicted; lost == 0 {
		w.same(got.live(now), shown.live(now), where+", after a second failure,")
	} else if _, last := w.allowed(c); !found.recovered(got, now, slices.Concat(w.evicted[:last+1]...), lost) {
		w.fatalf("%s, after a second failure, the store has%v\nof%v", where, got, found)
	}
	w.must(again.Close(), "closing")
	w.must(store.Close(), "closing")
}

// writesOn writes to a recovered store, closes it and opens it again.
func (w *world) writesOn(store *engine.Store, c cut) {
	w.t.Helper()
	want, err := contents(store)
	w.must(err, "reading")
	old := store.Stats().Version
	w.waitForRoom(store)
	version, err := store.Set("after", []byte("recovery"), engine.SetOptions{})
	if errors.Is(err, engine.ErrFull) && w.options.BytesMax > 0 {
		w.must(store.Close(), "closing")
		return
	}
	w.must(err, "writing after a recovery")
	if version <= old {
		w.fatalf("a cut at %s: version %d came after %d", c.at, version, old)
	}
	if w.options.Evict {
		left, err := contents(store)
		w.must(err, "reading")
		maps.DeleteFunc(want, func(key string, _ entry) bool { _, there := left[key]; return !there })
	}
	want["after"] = entry{value: "recovery", version: version}
	if w.rng.IntN(2) == 0 {
		w.must(store.Close(), "closing")
	} else {
		w.must(store.Sync(), "syncing")
		c.disk = c.disk.Crash(w.rng)
	}
	again, err := w.openOn(c.disk)
	w.must(err, "opening once more")
	got, err := contents(again)
	w.must(err, "reading")
	now := again.Now()
	if !want.recovered(got, now, nil, again.Stats().Evicted) {
		w.fatalf("after a recovery from %s and a write the store has%v\nand should have%v", c.at, got, want)
	}
	w.must(again.Close(), "closing")
}

// next goes on with one of the disks that a failure leaves now: the workload's
// next life.
func (w *world) next() {
	w.t.Helper()
	w.operation = "the end of a life"
	c := cut{at: w.operation, acked: w.acked, begun: w.begun, durable: w.durable, now: w.clock.Load(), copied: w.copied}
	end := w.rng.IntN(3)
	if end == 0 {
		if err := w.store.Close(); err == nil {
			c.durable = c.acked
		} else if !w.faulty {
			w.fatalf("closing: %v", err)
		}
		w.lookAtCuts()
	}
	w.disk.Before(nil)
	switch end {
	case 0:
		c.disk = w.disk.Crash(w.rng)
	case 1:
		c.disk = w.disk.Kill()
		w.tally.killed++
	default:
		c.disk = w.disk.Crash(w.rng)
	}
	old := w.store
	store, err := w.openOn(c.disk)
	if err != nil {
		w.fatalf("opening for the next life: %v\n%s", err, lastCalls(w.disk))
	}
	found := w.shownOf(store, w.matches(store, c))
	w.must(store.Close(), "closing")
	w.disk.CrashAt(1)
	_ = old.Close() // its disk is gone: it must only give its memory free
	w.disk = c.disk
	w.begins(found)
	if w.options.Sync != engine.SyncAlways {
		w.since = 0 // it may have gone back
	}
	w.cuts = nil
	w.open()
}

// run does n operations in each of several lives.
func (w *world) run(lives, n int) {
	for life := range lives {
		if life > 0 {
			w.next()
		}
		for range n {
			w.step()
		}
	}
	w.next()
	w.must(w.store.Close(), "closing")
	w.lookAtCuts()
}
