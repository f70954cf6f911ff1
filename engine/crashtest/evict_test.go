package crashtest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/ingot-run/ingot/engine"
)

// TestPowerFailuresWithEviction cuts stores that make room by evicting. What was
// evicted may be back after a failure as long as nothing that was written later is
// there, and nothing else may be missing.
func TestPowerFailuresWithEviction(t *testing.T) {
	var c tally
	for seed := range seeds(t, 30, 2000) {
		policy := engine.SyncAlways
		if seed%3 == 0 {
			policy = engine.SyncNever
		}
		newWorldOf(t, seed, &c, policy, func(w *world) {
			w.options.Evict, w.options.BytesMax = true, pick(w.rng, int64(4000), 8000, 20_000)
		}).run(3, 30)
	}
	t.Log(c.String())
	if c.workloads > 1 && c.evicted == 0 {
		t.Fatal("nothing was evicted")
	}
}

// evictingSteps are those whose outcome does not depend on what else is evicted.
func (w *world) evictingSteps() []step {
	return []step{
		{40, "set", w.setInCrowd},
		{10, "set many", w.setManyInCrowd},
		{10, "use", w.use},
		{6, "delete", w.delete},
		{2, "clear", w.clear},
		{4, "tick", w.tick},
		{4, "compact", w.compact},
		{2, "snapshot", w.snapshot},
		{2, "restore", w.restore},
		{4, "sync", w.sync},
		{4, "budget", w.shrink},
		{3, "copy", w.copy},
	}
}

// crowdKey is one of more keys than there is room for.
func (w *world) crowdKey() string {
	return fmt.Sprint(pick(w.rng, "a/", "b/", ""), "key", w.rng.IntN(40))
}

func (w *world) setInCrowd() {
	next, key, value, ttl := w.begin(), w.crowdKey(), someValue(w.rng), pick(w.rng, ttls...)
	_, err := w.store.Set(key, []byte(value), engine.SetOptions{TTL: ttl})
	next[key] = entry{value: value, ends: w.ends(ttl)}
	w.done(err, next, w.wrote())
}

func (w *world) setManyInCrowd() {
	next := w.begin()
	values := map[string]string{}
	for range 1 + w.rng.IntN(6) {
		values[w.crowdKey()] = someValue(w.rng)
	}
	var items []engine.Item
	for key, value := range values {
		items = append(items, engine.Item{Key: key, Value: []byte(value)})
		next[key] = entry{value: value}
	}
	_, err := w.store.SetMany(items)
	w.done(err, next, w.wrote())
}

// use reads some keys again and again, which then stay.
func (w *world) use() {
	next := w.begin()
	for range 10 {
		_, err := w.store.Get(w.crowdKey())
		w.must(err, "reading")
	}
	w.done(nil, next, nothing)
}

// shrink gives the store another budget, to which it evicts down.
func (w *world) shrink() {
	next := w.begin()
	w.budgets[""] = pick(w.rng, w.options.BytesMax, w.options.BytesMax/2, 3000)
	w.must(w.store.SetBudget("", w.budgets[""]), "a budget")
	w.done(nil, next, nothing)
}

// watchEvictions has the store that was opened tell what it evicts.
func (w *world) watchEvictions() {
	if !w.options.Evict {
		return
	}
	var err error
	w.watcher, err = w.store.Watch(engine.WatchOptions{Buffer: 10_000})
	w.must(err, "watching")
}

// evictions are the keys that were evicted since it was last asked.
func (w *world) evictions() (keys []string) {
	if w.watcher == nil {
		return nil
	}
	for _, e := range w.watcher.Poll(nil, 0) {
		if e.Kind == engine.EventEvict {
			keys = append(keys, e.Key)
		}
	}
	w.tally.evicted += int64(len(keys))
	return keys
}

// shownOf is what of a state a store shows: it may have evicted the rest when it was
// opened.
func (w *world) shownOf(store *engine.Store, found state) state {
	shown, err := contents(store)
	w.must(err, "reading")
	found = found.live(store.Now())
	if w.options.Evict {
		maps.DeleteFunc(found, func(key string, _ entry) bool { _, there := shown[key]; return !there })
	}
	return found
}

// charged is what the documentation of engine.Options.BytesMax says that an entry is
// charged.
func (w *world) charged(key string, e entry) (bytes int64) {
	cell := 16 + len(key) + len(e.value)
	if e.ends != 0 {
		cell += 8
		bytes += 40
	}
	if w.options.Evict {
		bytes += 26
	}
	step := 8
	for limit := 256; cell > limit && cell <= 32<<10; limit *= 2 { // eight steps to a doubling
		step = limit / 8
	}
	return bytes + 16 + int64((cell+step-1)/step*step)
}

// countsRight fails unless a recovered store has counted what it holds.
func (w *world) countsRight(store *engine.Store, c cut) {
	w.t.Helper()
	shown, err := contents(store)
	w.must(err, "reading")
	want := int64(0)
	for key, e := range shown {
		want += w.charged(key, e)
	}
	stats := store.Stats()
	if stats.Bytes != want || stats.Keys != int64(len(shown)) {
		w.fatalf("a cut at %s: the store counts %d bytes of %d keys, and has %d of %d", c.at, stats.Bytes, stats.Keys, want, len(shown))
	}
	w.must(store.Close(), "closing")
}
