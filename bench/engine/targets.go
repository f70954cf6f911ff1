package main

import (
	"fmt"

	"github.com/ingot-run/ingot/bench/report"
)

// target is one thing that the engine set out to reach. Values are of 64 bytes.
type target struct {
	what  string
	bound float64
	// atLeast turns the bound round: it is the least, not the most.
	atLeast bool
	// format prints the bound and what was measured.
	format func(float64) string
	// measure finds the figure; false where this run cannot tell.
	measure func(*results) (float64, bool)
	// missing says why no run can tell yet; empty where a run can.
	missing string
}

const (
	met      = "met"
	missed   = "**missed**"
	notInRun = "not in this run"
)

// judge returns the figure as text, and whether it is good enough.
func (t target) judge(found *results) (measured, verdict string) {
	if t.missing != "" {
		return "–", t.missing
	}
	figure, ok := t.measure(found)
	switch {
	case !ok:
		return "–", notInRun
	case t.atLeast && figure >= t.bound, !t.atLeast && figure <= t.bound:
		return t.format(figure), met
	}
	return t.format(figure), missed
}

func (t target) boundText() string {
	if t.atLeast {
		return "at least " + t.format(t.bound)
	}
	return "at most " + t.format(t.bound)
}

var (
	at1k  = table{1000, 64}
	at1M  = table{1_000_000, 64}
	at10M = table{10_000_000, 64}
)

// targets are in the order of the engine's plan.
var targets = []target{
	timeTarget("get with copy, 1M keys, against dashmap+ahash with clone", 0.75, at1M, "copy", "dashmap-ahash", "clone"),
	timeTarget("get with copy, 1M keys, against xsync", 0.55, at1M, "copy", "xsync", "copy"),
	timeTarget("get with copy, 1M keys, against sync.Map", 0.35, at1M, "copy", "syncmap", "copy"),
	timeTarget("get with copy, 1k keys, against dashmap+ahash with clone", 0.6, at1k, "copy", "dashmap-ahash", "clone"),
	timeTarget("get with copy, 1k keys, against Boost", 1, at1k, "copy", "boost", "copy"),
	timeTarget("batch get of 100, 1M keys, against own one-by-one", 0.42, at1M, "batch100", ours, "copy"),
	timeTarget("batch get of 100, 10M keys, against own one-by-one", 0.42, at10M, "batch100", ours, "copy"),
	timeTarget("batch get of 100, 1M keys, against dashmap+ahash with clone", 0.28, at1M, "batch100", "dashmap-ahash", "batchclone100"),
	timeTarget("batch get of 100, 10M keys, against dashmap+ahash with clone", 0.2, at10M, "batch100", "dashmap-ahash", "batchclone100"),
	timeTarget("set over an existing key, 1M keys, against dashmap+ahash", 0.5, at1M, "set", "dashmap-ahash", "set"),
	timeTarget("set over an existing key, 1M keys, against xsync", 0.36, at1M, "set", "xsync", "set"),
	rateTarget("mixed 90/10 on 2 threads, uniform, 1M keys, against the best of dashmap and xsync", "mixed"),
	rateTarget("mixed 90/10 on 2 threads, zipf, 1M keys, against the best of dashmap and xsync", "mixedzipf"),
	{
		what: "resident bytes per entry, 10M keys", bound: 125,
		format:  func(v float64) string { return fmt.Sprintf("%.0f B", v) },
		measure: func(r *results) (float64, bool) { return r.median(cell{at10M, ours, keyRest}) },
	},
	timeTarget("runtime.GC, 10M keys, against a Go map", 1./30, at10M, "gc", "map", "gc"),
	{
		what: "set with the ordered index on, against off", bound: 1.8, format: report.Ratio,
		missing: "not measured: the engine has no such option yet",
	},
}

// timeTarget compares times: ours for one operation with a row's for another.
func timeTarget(what string, bound float64, t table, ourKey, theirs, theirKey string) target {
	return target{what: what, bound: bound, format: preciseRatio, measure: func(r *results) (float64, bool) {
		return report.MedianRatio(r.figures[cell{t, ours, ourKey}], r.figures[cell{t, theirs, theirKey}])
	}}
}

// rateTarget compares rates with the best of dashmap and xsync in each round.
func rateTarget(what, key string) target {
	return target{what: what, bound: 1.3, atLeast: true, format: preciseRatio, measure: func(r *results) (float64, bool) {
		var best []float64
		for _, name := range []string{"dashmap", "dashmap-ahash", "xsync"} {
			for round, nanos := range r.figures[cell{at1M, name, key}] {
				if round == len(best) {
					best = append(best, nanos)
				}
				best[round] = min(best[round], nanos)
			}
		}
		return report.MedianRatio(best, r.figures[cell{at1M, ours, key}])
	}}
}

// preciseRatio keeps a digit more where a ratio is small.
func preciseRatio(v float64) string {
	if v < 0.1 {
		return fmt.Sprintf("%.3fx", v)
	}
	return report.Ratio(v)
}

// median is the figure of a cell; false without one.
func (r *results) median(c cell) (float64, bool) {
	figures := r.figures[c]
	return report.Median(figures), len(figures) > 0
}
