package main

import (
	"fmt"

	"github.com/ingot-run/ingot/bench/report"
)

var (
	at1k  = table{1000, 64}
	at1M  = table{1_000_000, 64}
	at10M = table{10_000_000, 64}
)

// targets judges what the engine set out to reach, in the order of its plan.
func targets(found *results) []report.Target {
	rest, known := found.median(cell{at10M, ours, keyRest})
	return []report.Target{
		found.timeTarget("get with copy, 1M keys, against dashmap+ahash with clone", 0.75, at1M, "copy", "dashmap-ahash", "clone"),
		found.timeTarget("get with copy, 1M keys, against xsync", 0.55, at1M, "copy", "xsync", "copy"),
		found.timeTarget("get with copy, 1M keys, against sync.Map", 0.35, at1M, "copy", "syncmap", "copy"),
		found.timeTarget("get with copy, 1k keys, against dashmap+ahash with clone", 0.6, at1k, "copy", "dashmap-ahash", "clone"),
		found.timeTarget("get with copy, 1k keys, against Boost", 1, at1k, "copy", "boost", "copy"),
		found.timeTarget("batch get of 100, 1M keys, against own one-by-one", 0.42, at1M, "batch100", ours, "copy"),
		found.timeTarget("batch get of 100, 10M keys, against own one-by-one", 0.42, at10M, "batch100", ours, "copy"),
		found.timeTarget("batch get of 100, 1M keys, against dashmap+ahash with clone", 0.28, at1M, "batch100", "dashmap-ahash", "batchclone100"),
		found.timeTarget("batch get of 100, 10M keys, against dashmap+ahash with clone", 0.2, at10M, "batch100", "dashmap-ahash", "batchclone100"),
		found.timeTarget("set over an existing key, 1M keys, against dashmap+ahash", 0.5, at1M, "set", "dashmap-ahash", "set"),
		found.timeTarget("set over an existing key, 1M keys, against xsync", 0.36, at1M, "set", "xsync", "set"),
		found.rateTarget("mixed 90/10 on 2 threads, uniform, 1M keys, against the best of dashmap and xsync", "mixed"),
		found.rateTarget("mixed 90/10 on 2 threads, zipf, 1M keys, against the best of dashmap and xsync", "mixedzipf"),
		{
			What: "resident bytes per entry, 10M keys", Bound: 125,
			Format:   func(v float64) string { return fmt.Sprintf("%.0f B", v) },
			Measured: rest, Known: known,
		},
		found.timeTarget("runtime.GC, 10M keys, against a Go map", 1./30, at10M, "gc", "map", "gc"),
		found.orderTarget("insert, 1M keys, keys kept sorted for List, against not", "insert"),
		found.orderTarget("set over an existing key, 1M keys, keys kept sorted for List, against not", "set"),
	}
}

// timeTarget compares times: ours for one operation with a row's for another.
func (r *results) timeTarget(what string, bound float64, t table, ourKey, theirs, theirKey string) report.Target {
	ratio, known := report.MedianRatio(r.figures[cell{t, ours, ourKey}], r.figures[cell{t, theirs, theirKey}])
	return report.Target{What: what, Bound: bound, Measured: ratio, Known: known}
}

// rateTarget compares rates with the best of dashmap and xsync in each round.
func (r *results) rateTarget(what, key string) report.Target {
	var best []float64
	for _, name := range []string{"dashmap", "dashmap-ahash", "xsync"} {
		for round, nanos := range r.figures[cell{at1M, name, key}] {
			if round == len(best) {
				best = append(best, nanos)
			}
			best[round] = min(best[round], nanos)
		}
	}
	ratio, known := report.MedianRatio(best, r.figures[cell{at1M, ours, key}])
	return report.Target{What: what, Bound: 1.3, AtLeast: true, Measured: ratio, Known: known}
}

// orderTarget compares ingot that keeps its keys sorted with ingot that does not.
func (r *results) orderTarget(what, key string) report.Target {
	ratio, known := report.MedianRatio(r.figures[cell{at1M, oursOrdered, key}], r.figures[cell{at1M, ours, key}])
	return report.Target{What: what, Bound: 1.8, Measured: ratio, Known: known}
}

// median is the figure of a cell; false without one.
func (r *results) median(c cell) (float64, bool) {
	figures := r.figures[c]
	return report.Median(figures), len(figures) > 0
}
