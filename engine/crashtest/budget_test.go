package crashtest

import (
	"errors"
	"maps"
	"strings"

	"github.com/ingot-run/ingot/engine"
)

// budget gives a prefix a budget, or takes it away. It ends with the life.
func (w *world) budget() {
	next := w.begin()
	prefix, bytesMax := pick(w.rng, "", "a", "b/"), pick(w.rng, int64(0), 0, 500, 3000, 8000)
	w.must(w.store.SetBudget(prefix, bytesMax), "a budget")
	w.budgets[prefix] = bytesMax
	w.done(nil, next, nothing)
}

// sumOf is what the entries under a prefix are charged.
func (w *world) sumOf(s state, prefix string) (sum int64) {
	for key, e := range s {
		if strings.HasPrefix(key, prefix) {
			sum += w.charged(key, e)
		}
	}
	return sum
}

// exceeds fails unless the contents that a write was refused to make, which has
// ErrFull, exceed a budget. A store that evicts refuses what does not fit alone.
func (w *world) exceeds(next state) {
	w.t.Helper()
	w.tally.refused++
	ended := int64(0)
	switch {
	case w.operation == "restore":
		next = w.savedOf // with what has ended since
	case w.options.Evict:
		next = maps.Clone(next)
		maps.DeleteFunc(next, func(_ string, e entry) bool { return e.version != 0 }) // all but what it writes
	default:
		// Entries whose time is over take room until somebody meets them.
		ended = w.store.Stats().Bytes - w.sumOf(w.last().live(w.store.Now()), "")
	}
	for prefix, bytesMax := range w.budgets {
		if bytesMax > 0 && w.sumOf(next, prefix)+ended > bytesMax {
			return
		}
	}
	w.fatalf("it was refused with ErrFull, by none of the budgets %v: %v\nThe store counts %d bytes.", w.budgets, next, w.store.Stats().Bytes)
}

// keepsBudgets fails when a write that was made exceeds a budget that it grew
// towards.
func (w *world) keepsBudgets(before, next state) {
	w.t.Helper()
	for prefix, bytesMax := range w.budgets {
		was, is := w.sumOf(before, prefix), w.sumOf(next, prefix)
		if bytesMax > 0 && is > bytesMax && is > was {
			w.fatalf("the entries under %q are charged %d bytes of %d and were %d before", prefix, is, bytesMax, was)
		}
	}
}

// overBudget opens what a recovered store left with a budget that is exceeded:
// all of it is there, nothing more fits, and removing still works.
func (w *world) overBudget(store *engine.Store, c cut) {
	w.t.Helper()
	want, err := contents(store)
	w.must(err, "reading")
	w.must(store.Close(), "closing")
	if w.options.Evict || len(want) == 0 {
		return
	}
	o := w.options
	o.Dir, o.BytesMax = c.disk, 1
	again, err := engine.Open(o)
	w.must(err, "opening with a small budget")
	got, err := contents(again)
	w.must(err, "reading")
	w.same(got.live(again.Now()), want.live(again.Now()), "over its budget")
	if _, err := again.Set("one more", nil, engine.SetOptions{}); !errors.Is(err, engine.ErrFull) {
		w.fatalf("a write to a store over its budget: %v", err)
	}
	for key := range got {
		_, deleted, err := again.Delete(key, engine.DeleteOptions{})
		w.must(err, "deleting")
		if !deleted {
			w.fatalf("%q was not there to delete", key)
		}
	}
	if bytes := again.Stats().Bytes; bytes != 0 {
		w.fatalf("an empty store counts %d bytes", bytes)
	}
	w.must(again.Close(), "closing")
}
