package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// soakFor is how long the soak test goes on, from the environment variable
// INGOT_SOAK (a duration such as 10m). Without it the test runs a few small rounds.
func soakFor(t testing.TB) (length time.Duration, long bool) {
	text := os.Getenv("INGOT_SOAK")
	if text == "" {
		return 0, false
	}
	length, err := time.ParseDuration(text)
	require.NoError(t, err, "INGOT_SOAK")
	return length, true
}

// soakProfile is what a round does: how large its values are and how its
// operations are mixed.
type soakProfile struct {
	name     string
	sizeMax  int // values are up to so large, most of them far smaller
	deletes  int // percent of the operations
	ttls     int // percent of the sets
	keyShare int // percent of the keys that are used
}

var soakProfiles = []soakProfile{
	{name: "small values", sizeMax: 100, deletes: 10, ttls: 5, keyShare: 100},
	{name: "all sizes", sizeMax: 200_000, deletes: 15, ttls: 10, keyShare: 100},
	{name: "mostly deletes", sizeMax: 2_000, deletes: 85, ttls: 5, keyShare: 100},
	{name: "everything ends", sizeMax: 5_000, deletes: 5, ttls: 90, keyShare: 100},
	{name: "few keys over and over", sizeMax: 50_000, deletes: 20, ttls: 20, keyShare: 2},
	{name: "a few huge values", sizeMax: 4 << 20, deletes: 60, ttls: 10, keyShare: 5},
}

// soakRounds are the rounds of the short form, by profile.
var soakRounds = len(soakProfiles)

const soakWorkers = 4

// testSoak runs goroutines against each other for rounds of ever other
// operations: overwrites, deletes, lives that end, batches, counters, lists,
// watches, snapshots, values of all sizes. After each round, when all stand
// still, the contents are compared with models, entry by entry, and the memory
// with the contents. INGOT_SOAK says for how long.
func testSoak(t *testing.T, open Opener) {
	length, long := soakFor(t)
	keys, steps := 150, 400
	if long {
		keys, steps = 3_000, 30_000
	}
	rng := seeded(t)
	k := newSoak(t, open, keys, rng)
	deadline := time.Now().Add(length)
	rounds := 0
	for ; rounds < soakRounds || time.Now().Before(deadline); rounds++ {
		k.round(t, soakProfiles[rounds%len(soakProfiles)], steps, rng.Uint64())
		k.check(t, rounds)
	}
	t.Logf("%d rounds: %s", rounds, k.counts.String())
	require.True(t, k.counts.all(), "every kind of operation ran: %s", k.counts.String())
	k.end(t)
}

// soak is a store, its clock, and who writes to it.
type soak struct {
	store   *engine.Store
	clock   atomic.Int64
	workers []*soakWorker
	counts  soakCounts
	highest int64 // the most bytes that a check saw charged
}

// soakCounts are how many operations ran, for the report.
type soakCounts struct {
	sets, deletes, gets, batches, lists, increments, events, ticks, snapshots, clears, expired atomic.Int64
}

func (c *soakCounts) values() map[string]*atomic.Int64 {
	return map[string]*atomic.Int64{
		"sets": &c.sets, "deletes": &c.deletes, "gets": &c.gets, "batches": &c.batches, "pages": &c.lists,
		"increments": &c.increments, "events": &c.events, "ticks": &c.ticks, "snapshots": &c.snapshots,
		"clears": &c.clears, "expired": &c.expired,
	}
}

// all reports whether none of them is 0.
func (c *soakCounts) all() bool {
	for _, n := range c.values() {
		if n.Load() == 0 {
			return false
		}
	}
	return true
}

func (c *soakCounts) String() string {
	var parts []string
	for name, n := range c.values() {
		parts = append(parts, fmt.Sprint(n.Load(), " ", name))
	}
	return strings.Join(parts, ", ")
}

// soakEntry is an entry of a worker's model.
type soakEntry struct {
	stamp   uint64 // of its value: see soakValue
	size    int
	version uint64
	ends    int64 // Unix milliseconds; 0: never
}

// soakWorker owns the keys below its prefix: nobody else writes them, so it knows
// what each must hold.
type soakWorker struct {
	of      *soak
	prefix  string
	keys    int
	rng     *rand.Rand
	model   map[string]soakEntry
	mirror  map[string]uint64 // versions as the events tell them
	watcher *engine.Watcher
	buf     []byte
	stamp   uint64
}

func newSoak(t testing.TB, open Opener, keys int, rng *rand.Rand) *soak {
	k := &soak{}
	k.clock.Store(1_700_000_000_000)
	var err error
	k.store, err = open(engine.Options{Now: k.clock.Load})
	require.NoError(t, err)
	for i := range soakWorkers {
		w := &soakWorker{of: k, prefix: fmt.Sprintf("w%d/", i), keys: keys, model: map[string]soakEntry{}, mirror: map[string]uint64{}}
		w.rng = rand.New(rand.NewPCG(rng.Uint64(), 0))
		w.watcher, err = k.store.Watch(engine.WatchOptions{Prefix: w.prefix, Buffer: engine.WatchBufferMax})
		require.NoError(t, err)
		k.workers = append(k.workers, w)
	}
	return k
}

// round lets every worker take steps, while another goroutine moves the clock,
// sweeps, and takes snapshots.
func (k *soak) round(t testing.TB, p soakProfile, steps int, seed uint64) {
	errs := make([]error, len(k.workers)+1)
	var workers, beside sync.WaitGroup
	done := make(chan struct{})
	for i, w := range k.workers {
		workers.Go(func() { errs[i] = w.run(p, steps) })
	}
	beside.Go(func() { errs[len(k.workers)] = k.disturb(rand.New(rand.NewPCG(seed, 0)), done) })
	workers.Wait()
	close(done)
	beside.Wait()
	require.NoError(t, errors.Join(errs...), p.name)
}

// disturb does what is nobody's own, at least once, until done.
func (k *soak) disturb(rng *rand.Rand, done chan struct{}) error {
	for {
		k.clock.Add(rng.Int64N(20))
		k.counts.expired.Add(int64(k.store.Tick(rng.IntN(3) * 100)))
		k.counts.ticks.Add(1)
		if rng.IntN(50) == 0 || k.counts.snapshots.Load() == 0 {
			if err := k.store.Snapshot(io.Discard); err != nil {
				return err
			}
			k.counts.snapshots.Add(1)
		}
		runtime.Gosched() // wasm has one thread, and takes it from nobody
		select {
		case <-done:
			return nil
		default:
		}
	}
}

// check compares everything with the models. Nothing else runs.
func (k *soak) check(t testing.TB, round int) {
	now := k.clock.Load()
	k.counts.expired.Add(int64(k.store.Tick(0)))
	var live, bytes, counted int64
	got := contents(t, k.store)
	for _, w := range k.workers {
		n, size := w.check(t, got, now)
		live, bytes = live+n, bytes+size
	}
	for key, e := range got {
		if strings.HasPrefix(key, "count/") {
			n := int64(0)
			_, err := fmt.Sscan(string(e.Value), &n)
			require.NoError(t, err)
			counted += n
			live++
			bytes += int64(len(key) + len(e.Value))
		}
	}
	require.EqualValues(t, len(got), live, "no key is there that nobody wrote")
	require.Equal(t, k.counts.increments.Load(), counted, "increments add up")
	s := k.store.Stats()
	require.EqualValues(t, live, s.Keys)
	require.Greater(t, s.Bytes, bytes)
	k.highest = max(k.highest, s.Bytes)
	// What churn, too, asks of the memory: half of a slab may be free, a cell be
	// padded by an eighth, each shard keeps a table and a small chunk for some sizes.
	require.Less(t, s.ResidentBytes, 5*(bytes+32*live)/2+8<<20, "round %d", round)
	require.Less(t, s.OrderBytes, 8*bytes+1<<20, "round %d", round)
	if testing.Verbose() && os.Getenv("INGOT_SOAK") != "" {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("round %d, %s: %d entries, %d bytes, %d charged, %d resident, %d of the order, heap %d MiB",
			round, soakProfiles[round%len(soakProfiles)].name, live, bytes, s.Bytes, s.ResidentBytes, s.OrderBytes, m.HeapInuse>>20)
	}
}

// end clears and closes the store: nothing may be left.
func (k *soak) end(t testing.TB) {
	_, err := k.store.Clear("")
	require.NoError(t, err)
	s := k.store.Stats()
	require.Zero(t, s.Keys)
	require.Zero(t, s.Bytes)
	require.Less(t, s.ResidentBytes, int64(16<<20), "%d bytes were charged at most", k.highest)
	require.NoError(t, k.store.Close())
	for _, w := range k.workers {
		_, err := w.watcher.Next(context.Background())
		for ; err == nil; _, err = w.watcher.Next(context.Background()) { // the events of Clear
		}
		require.ErrorIs(t, err, engine.ErrWatcherClosed)
	}
}

// soakValue appends the value of a stamp: its 8 bytes, over and over.
func soakValue(dst []byte, stamp uint64, size int) []byte {
	var unit [8]byte
	for i := range unit {
		unit[i] = byte(stamp >> (8 * i))
	}
	at := len(dst)
	for have := 0; have < size; have = len(dst) - at {
		if have < len(unit) {
			dst = append(dst, unit[:min(len(unit), size)]...)
		} else {
			dst = append(dst, dst[at:at+min(have, size-have)]...)
		}
	}
	return dst
}

// holds reports whether value is that of the entry.
func (e soakEntry) holds(value []byte) bool {
	if len(value) != e.size {
		return false
	}
	first := soakValue(nil, e.stamp, min(e.size, 8))
	// A value repeats with period 8: it equals itself 8 bytes on.
	return bytes.Equal(value[:len(first)], first) && (len(value) <= 8 || bytes.Equal(value[8:], value[:len(value)-8]))
}

// size draws the length of a value: many short ones, few long ones.
func (w *soakWorker) size(p soakProfile) int {
	limit := p.sizeMax
	for limit > 64 && w.rng.IntN(4) > 0 {
		limit /= 4
	}
	return w.rng.IntN(limit + 1)
}

func (w *soakWorker) key(p soakProfile) string {
	n := w.rng.IntN(max(w.keys*p.keyShare/100, 2))
	key := fmt.Sprintf("%s%04d", w.prefix, n*7919%w.keys)
	if n%50 == 0 {
		key += strings.Repeat("k", n%2000)
	}
	return key
}

// run takes steps and looks after each at what the store answered.
func (w *soakWorker) run(p soakProfile, steps int) error {
	for i := range steps {
		if i%16 == 0 {
			runtime.Gosched()
		}
		var err error
		switch n := w.rng.IntN(100); {
		case n < p.deletes:
			err = w.delete(w.key(p))
		case n < 97:
			err = w.write(p)
		case w.rng.IntN(500) == 0 || w.of.counts.clears.Load() == 0:
			err = w.clear()
		default:
			err = w.list()
		}
		if err == nil && i%64 == 0 {
			err = w.listen()
		}
		if err != nil {
			return fmt.Errorf("step %d of %s: %w", i, w.prefix, err)
		}
	}
	return nil
}

// write gets, sets, counts, or sets and deletes in a batch.
func (w *soakWorker) write(p soakProfile) error {
	switch n := w.rng.IntN(20); {
	case n < 8:
		return w.set(w.key(p), p)
	case n < 10:
		return w.batch(p)
	case n < 11:
		w.of.counts.increments.Add(1)
		_, _, err := w.of.store.Increment(fmt.Sprint("count/", w.rng.IntN(3)), 1)
		return err
	case n < 12:
		return w.getMany(p)
	default:
		return w.get(w.key(p))
	}
}

// next is a new value for a key.
func (w *soakWorker) next(p soakProfile) (soakEntry, time.Duration) {
	w.stamp++
	e := soakEntry{stamp: w.stamp*0x9e3779b97f4a7c15 + uint64(w.prefix[1]), size: w.size(p)}
	w.buf = soakValue(w.buf[:0], e.stamp, e.size)
	if w.rng.IntN(100) < p.ttls {
		return e, time.Duration(1+w.rng.IntN(400)) * time.Millisecond
	}
	return e, 0
}

func (w *soakWorker) set(key string, p soakProfile) (err error) {
	e, ttl := w.next(p)
	if e.version, err = w.of.store.Set(key, w.buf, engine.SetOptions{TTL: ttl}); err != nil {
		return err
	}
	w.of.counts.sets.Add(1)
	return w.wrote(key, e, ttl)
}

// wrote notes a write. When it ends only the store knows: the clock runs.
func (w *soakWorker) wrote(key string, e soakEntry, ttl time.Duration) error {
	if ttl > 0 {
		meta, _, err := w.of.store.Stat(key)
		if err != nil {
			return err
		}
		if meta.Found() && meta.Version != e.version {
			return fmt.Errorf("%q is at version %d after a write of version %d", key, meta.Version, e.version)
		}
		if e.ends = meta.ExpiresAt; !meta.Found() {
			delete(w.model, key) // it has ended already
			return nil
		}
	}
	w.model[key] = e
	return nil
}

func (w *soakWorker) delete(key string) error {
	e, known := w.model[key]
	before := w.of.store.Now()
	_, deleted, err := w.of.store.Delete(key, engine.DeleteOptions{})
	if err != nil {
		return err
	}
	w.of.counts.deletes.Add(1)
	delete(w.model, key)
	return e.agrees(key, known, deleted, before, w.of.store.Now())
}

// agrees compares whether a key was found, at a time between two, with its entry.
func (e soakEntry) agrees(key string, known, found bool, before, after int64) error {
	switch {
	case found && (!known || e.ends != 0 && e.ends <= before):
		return fmt.Errorf("%q is there, and must not be: %+v, between %d and %d", key, e, before, after)
	case !found && known && (e.ends == 0 || e.ends > after):
		return fmt.Errorf("%q is gone: %+v, between %d and %d", key, e, before, after)
	}
	return nil
}

func (w *soakWorker) get(key string) error {
	before := w.of.store.Now()
	out, meta, err := w.of.store.AppendGet(w.buf[:0], key)
	if err != nil {
		return err
	}
	w.buf = out
	w.of.counts.gets.Add(1)
	return w.saw(key, out, meta, before)
}

// saw compares what was read with the model.
func (w *soakWorker) saw(key string, value []byte, meta engine.Meta, before int64) error {
	e, known := w.model[key]
	if err := e.agrees(key, known, meta.Found(), before, w.of.store.Now()); err != nil || !meta.Found() {
		return err
	}
	if meta.Version != e.version || meta.ExpiresAt != e.ends || !e.holds(value) {
		return fmt.Errorf("%q holds %d bytes, %+v; it must be %+v", key, len(value), meta, e)
	}
	return nil
}

func (w *soakWorker) getMany(p soakProfile) error {
	keys := make([]string, 1+w.rng.IntN(60))
	for i := range keys {
		keys[i] = w.key(p)
	}
	before := w.of.store.Now()
	entries, err := w.of.store.GetMany(keys)
	if err != nil {
		return err
	}
	w.of.counts.gets.Add(int64(len(keys)))
	for i, e := range entries {
		if err := w.saw(keys[i], e.Value, e.Meta, before); err != nil {
			return err
		}
	}
	return nil
}

// batch sets and deletes different keys at once.
func (w *soakWorker) batch(p soakProfile) error {
	var ops []engine.Op
	entries := map[string]soakEntry{}
	for range 1 + w.rng.IntN(8) {
		key := w.key(p)
		if _, twice := entries[key]; twice {
			continue
		}
		if entries[key] = (soakEntry{}); w.rng.IntN(4) == 0 {
			ops = append(ops, engine.Op{Kind: engine.OpDelete, Key: key})
			continue
		}
		e, ttl := w.next(p)
		entries[key] = e
		ops = append(ops, engine.Op{Kind: engine.OpSet, Key: key, Value: bytes.Clone(w.buf), TTL: ttl})
	}
	results, err := w.of.store.Batch(ops)
	if err != nil {
		return err
	}
	w.of.counts.batches.Add(1)
	for i, op := range ops {
		if op.Kind == engine.OpDelete {
			delete(w.model, op.Key)
			continue
		}
		e := entries[op.Key]
		e.version = results[i].Version
		if err := w.wrote(op.Key, e, op.TTL); err != nil {
			return err
		}
	}
	return nil
}

// clear removes a tenth of the worker's keys.
func (w *soakWorker) clear() error {
	prefix := fmt.Sprintf("%s%d", w.prefix, w.rng.IntN(10))
	if _, err := w.of.store.Clear(prefix); err != nil {
		return err
	}
	w.of.counts.clears.Add(1)
	maps.DeleteFunc(w.model, func(key string, _ soakEntry) bool { return strings.HasPrefix(key, prefix) })
	return nil
}

// list reads a page and compares it with the model, which holds also what has
// ended.
func (w *soakWorker) list() error {
	o := engine.ListOptions{Prefix: w.prefix, Limit: 1 + w.rng.IntN(100), Values: w.rng.IntN(2) == 0}
	o.After = fmt.Sprintf("%s%04d", w.prefix, w.rng.IntN(w.keys))
	before := w.of.store.Now()
	page, err := w.of.store.List(o)
	if err != nil {
		return err
	}
	w.of.counts.lists.Add(1)
	seen := map[string]bool{}
	for _, item := range page.Entries {
		seen[item.Key] = true
		e := w.model[item.Key]
		if item.Version != e.version || item.Size != e.size || o.Values && !e.holds(item.Value) {
			return fmt.Errorf("%q is listed as %+v with %d bytes; it must be %+v", item.Key, item.Meta, item.Size, e)
		}
	}
	after := w.of.store.Now()
	for key, e := range w.model {
		if inPage := key > o.After && (page.Next == "" || key <= page.Next); !inPage {
			continue
		}
		if err := e.agrees(key, true, seen[key], before, after); err != nil {
			return fmt.Errorf("a page of %d behind %q: %w", o.Limit, o.After, err)
		}
	}
	return nil
}

// listen takes the events, which are of this worker's own keys.
func (w *soakWorker) listen() error {
	for _, e := range w.watcher.Poll(nil, 0) {
		w.of.counts.events.Add(1)
		if e.Version <= w.mirror[e.Key] {
			return fmt.Errorf("the event %s of %q is of version %d, after one of version %d", e.Kind, e.Key, e.Version, w.mirror[e.Key])
		}
		switch e.Kind {
		case engine.EventSet:
			w.mirror[e.Key] = e.Version
		case engine.EventDelete, engine.EventExpire:
			delete(w.mirror, e.Key)
		default:
			return fmt.Errorf("unexpected event %s of %q, %d lost", e.Kind, e.Key, e.Lost)
		}
	}
	return nil
}

// check compares what the store holds, and what the events told, with the model.
func (w *soakWorker) check(t testing.TB, got map[string]engine.Entry, now int64) (live, size int64) {
	require.NoError(t, w.listen())
	maps.DeleteFunc(w.model, func(_ string, e soakEntry) bool { return e.ends != 0 && e.ends <= now })
	for key, e := range w.model {
		g, found := got[key]
		require.True(t, found, "%q is gone: %+v", key, e)
		require.Equal(t, e.version, g.Version, key)
		require.Equal(t, e.ends, g.ExpiresAt, key)
		require.True(t, e.holds(g.Value), "the value of %q: %d bytes, %+v", key, len(g.Value), e)
		require.Equal(t, e.version, w.mirror[key], "the events of %q", key)
		live++
		size += int64(len(key) + e.size)
	}
	require.Len(t, w.mirror, len(w.model), "what the events tell")
	return live, size
}
