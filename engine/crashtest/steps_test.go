package crashtest

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// step is an operation of a workload.
type step struct {
	weight int
	name   string
	do     func()
}

// steps are what a workload does.
func (w *world) steps() []step {
	if w.options.Evict {
		return w.evictingSteps()
	}
	if w.source != nil {
		return w.copySteps()
	}
	return []step{
		{30, "set", w.set},
		{10, "delete", w.delete},
		{8, "increment", w.increment},
		{6, "compare and swap", w.swap},
		{5, "expire", w.expire},
		{15, "batch", w.batch},
		{5, "set many", w.setMany},
		{3, "clear", w.clear},
		{3, "tick", w.tick},
		{3, "compact", w.compact},
		{2, "snapshot", w.snapshot},
		{2, "restore", w.restore},
		{4, "sync", w.sync},
		{2, "refused", w.refused},
		{2, "budget", w.budget},
		{3, "copy", w.copy},
	}
}

// step does one random operation on the store and on the model.
func (w *world) step() {
	w.t.Helper()
	steps := w.steps()
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := w.rng.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			w.operation = s.name
			if w.rng.IntN(4) == 0 {
				w.clock.Add(w.rng.Int64N(500))
			}
			s.do()
			return
		}
	}
}

// wrote is what the success of a write promises.
func (w *world) wrote() promise {
	if w.options.Sync == engine.SyncAlways {
		return itself
	}
	return nothing
}

var ttls = []time.Duration{0, 0, 0, 300 * time.Millisecond, 2 * time.Second, time.Hour}

// ends is when an entry with a time to live ends.
func (w *world) ends(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return w.store.Now() + ttl.Milliseconds()
}

func (w *world) set() {
	next, key, value, ttl := w.begin(), pick(w.rng, keys...), someValue(w.rng), pick(w.rng, ttls...)
	_, err := w.store.Set(key, []byte(value), engine.SetOptions{TTL: ttl})
	next[key] = entry{value: value, ends: w.ends(ttl)}
	w.done(err, next, w.wrote())
}

func (w *world) delete() {
	next, key := w.begin(), pick(w.rng, keys...)
	_, _, err := w.store.Delete(key, engine.DeleteOptions{})
	delete(next, key)
	w.done(err, next, w.wrote())
}

// added is an entry after an increment; ok is false where it is no number.
func added(e entry, delta int64) (entry, bool) {
	n := int64(0)
	if e.value != "" || e.version != 0 {
		var err error
		if n, err = strconv.ParseInt(e.value, 10, 64); err != nil {
			return e, false
		}
	}
	return entry{value: strconv.FormatInt(n+delta, 10), ends: e.ends}, true
}

func (w *world) increment() {
	next, key := w.begin(), pick(w.rng, "n", "m", "n", "m", "a")
	delta := w.rng.Int64N(100) - 50
	_, _, err := w.store.Increment(key, delta)
	sum, ok := added(next[key], delta)
	if !ok {
		if !errors.Is(err, engine.ErrNotNumber) && !w.faulty {
			w.fatalf("increment of what is no number: %v", err)
		}
		return
	}
	next[key] = sum
	w.done(err, next, w.wrote())
}

func (w *world) swap() {
	next, key, value := w.begin(), pick(w.rng, keys...), someValue(w.rng)
	e := next[key]
	_, swapped, err := w.store.CompareAndSwap(key, e.version, []byte(value))
	if err == nil && !swapped {
		w.fatalf("%q is not at version %d", key, e.version)
	}
	next[key] = entry{value: value, ends: e.ends}
	w.done(err, next, w.wrote())
}

func (w *world) expire() {
	next, key, ttl := w.begin(), pick(w.rng, keys...), pick(w.rng, ttls...)
	_, err := w.store.Expire(key, ttl)
	if e, ok := next[key]; ok {
		next[key] = entry{value: e.value, ends: w.ends(ttl)}
	}
	w.done(err, next, w.wrote())
}

func (w *world) batch() { w.batchOf(pick(w.rng, 1, 3, 6, len(keys)), false) }

// largeBatch is longer than a block and than any segment.
func (w *world) largeBatch() {
	for prefix := range w.budgets {
		w.must(w.store.SetBudget(prefix, 0), "taking a budget away")
	}
	clear(w.budgets)
	w.batchOf(4, true)
}

// batchOf does up to so many operations at once.
func (w *world) batchOf(most int, large bool) {
	next := w.begin()
	var ops []engine.Op
	for _, key := range someKeys(w.rng, most) {
		op := engine.Op{Kind: engine.OpSet, Key: key, Value: []byte(someValue(w.rng)), TTL: pick(w.rng, ttls...)}
		if large {
			op.Value = randomBytes(w.rng, 600<<10)
		}
		e, ok := next[key]
		sum, isNumber := added(e, 3)
		switch n := w.rng.IntN(6); {
		case n == 0:
			op = engine.Op{Kind: engine.OpDelete, Key: key}
			delete(next, key)
		case n == 1 && isNumber:
			op = engine.Op{Kind: engine.OpIncrement, Key: key, Delta: 3}
			next[key] = sum
		case n == 2 && ok:
			op = engine.Op{Kind: engine.OpCheck, Key: key, IfVersion: e.version}
		case n == 3 && ok:
			op = engine.Op{Kind: engine.OpExpire, Key: key, TTL: op.TTL}
			next[key] = entry{value: e.value, ends: w.ends(op.TTL)}
		default:
			next[key] = entry{value: string(op.Value), ends: w.ends(op.TTL)}
		}
		ops = append(ops, op)
	}
	_, err := w.store.Batch(ops)
	w.done(err, next, w.wrote())
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func (w *world) setMany() {
	next := w.begin()
	var items []engine.Item
	for _, key := range someKeys(w.rng, len(keys)) {
		items = append(items, engine.Item{Key: key, Value: []byte(someValue(w.rng))})
		next[key] = entry{value: string(items[len(items)-1].Value)}
	}
	_, err := w.store.SetMany(items)
	w.done(err, next, w.wrote())
}

func (w *world) clear() {
	next, prefix := w.begin(), pick(w.rng, "a", "b/", "none", "")
	_, err := w.store.Clear(prefix)
	maps.DeleteFunc(next, func(key string, _ entry) bool { return strings.HasPrefix(key, prefix) })
	w.done(err, next, w.wrote())
}

// tick moves the clock and lets the store remove what has ended.
func (w *world) tick() {
	next := w.begin()
	w.clock.Add(w.rng.Int64N(3000))
	w.store.Tick(0)
	w.done(nil, next, nothing)
}

func (w *world) compact() {
	next := w.begin()
	w.done(w.store.Compact(), next, all)
}

func (w *world) snapshot() {
	var b bytes.Buffer
	next := w.begin()
	w.must(w.store.Snapshot(&b), "snapshot")
	w.saved, w.savedOf = b.Bytes(), next
}

func (w *world) restore() {
	if w.saved == nil {
		return
	}
	w.begin()
	err := w.store.Restore(bytes.NewReader(w.saved))
	w.done(err, maps.Clone(w.savedOf), all)
}

func (w *world) sync() {
	next := w.begin()
	err := w.store.Sync()
	w.done(err, next, all)
}

// refused does a batch that must leave no trace: one condition does not hold.
func (w *world) refused() {
	next := w.begin()
	ops := []engine.Op{
		{Kind: engine.OpSet, Key: "a", Value: []byte("never")},
		{Kind: engine.OpCheck, Key: "b", IfVersion: w.version + 1},
	}
	if _, err := w.store.Batch(ops); !errors.Is(err, engine.ErrConflict) && !w.faulty {
		w.fatalf("a batch whose condition fails: %v", err)
	}
	w.done(nil, next, nothing)
}
