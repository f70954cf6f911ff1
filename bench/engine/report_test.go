package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/bench/report"
)

var someRows = []row{
	{name: ours, label: "**ingot**"},
	{name: "xsync", label: "xsync 4"},
	{name: "dashmap-ahash", label: "dashmap 6, ahash (Rust)"},
	{name: "map", label: "Go map, one goroutine", oneThread: true},
	{name: "lossycache", label: "cache (may drop)", lossy: true},
	{name: "loop", label: "the loop", lossy: true},
}

// someResults has ingot at 100 ns in each of three rounds.
func someResults() *results {
	r := newResults()
	set := func(name, key string, figures ...float64) { r.figures[cell{at1M, name, key}] = figures }
	set(ours, "copy", 100, 100, 100)
	set(ours, "mixed", 100, 100, 100)
	set("xsync", "copy", 200, 400, 250)
	set("xsync", "get", 50, 80, 60)
	set("xsync", "mixed", 140, 120, 150)
	set("dashmap-ahash", "clone", 110, 90, 120)
	set("dashmap-ahash", "mixed", 150, 110, 135)
	set("loop", "copy", 5, 5, 5)
	r.figures[cell{at10M, ours, keyRest}] = []float64{120, 131, 124}
	r.figures[cell{at10M, ours, "gc"}] = []float64{30e6}
	r.figures[cell{at10M, "map", "gc"}] = []float64{1200e6}
	return r
}

func TestTargets(t *testing.T) {
	all := targets(someResults())
	verdicts := make(map[string]string)
	for _, one := range all {
		verdicts[one.What] = fmt.Sprintf("%.3f %s", one.Measured, one.Judge())
	}
	require.Len(t, verdicts, len(all), "each target has a name of its own")
	for what, want := range map[string]string{
		"get with copy, 1M keys, against xsync":                    "0.400 met",
		"get with copy, 1M keys, against dashmap+ahash with clone": "0.909 **missed**",
		"get with copy, 1k keys, against Boost":                    "0.000 not in this run",
		// The best of the peers in each round takes 140, 110 and 135 ns.
		"mixed 90/10 on 2 threads, uniform, 1M keys, against the best of dashmap and xsync": "1.350 met",
		"resident bytes per entry, 10M keys":                                                "124.000 met",
		"runtime.GC, 10M keys, against a Go map":                                            "0.025 met",
	} {
		require.Equal(t, want, verdicts[what], what)
	}
}

func TestSectionShowsFiguresAndLosses(t *testing.T) {
	found := someResults()
	found.hits[cell{at1M, "lossycache", "copy"}] = 0.973
	found.wrong["xsync"] = []string{"first wrong", "second wrong"}
	o := options{Options: report.Options{Rounds: 3}, sizes: []int{1_000_000}, values: []int{64}}
	text := renderSection(report.Machine{CPU: "a CPU"}, o, someRows, found, []string{"boost: g++ is not installed"})
	for _, want := range []string{
		"| get with copy, 1M keys, against xsync | at most 0.55x | 0.40x | met |\n",
		"### 1M keys, 64 B values\n",
		"| One key at a time, ns | get, borrowed | get, copied | get, cloned |\n",
		"| **ingot** | – | 100 | – |\n",
		"| xsync 4 | 60.0 | 250 | – |\n",
		"| cache (may drop), found 97.3% | – | – | – |\n",
		// A borrowed get stands against ingot's copied one; no ratio for the loop.
		"| xsync 4 | 0.60x | 2.50x | – | 1.40x |\n",
		"- 1M keys, 64 B values, get, borrowed: xsync 4 0.60x\n",
		"- xsync 4, 2 times; the first: first wrong\n",
		"Skipped: boost: g++ is not installed.\n",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "miss |", "a column without figures is left out")
	require.NotContains(t, text, "| the loop | 0.")
}

func TestChart(t *testing.T) {
	chart := drawChart(someRows, someResults(), []table{at1k, at1M})
	requireWellFormed(t, chart)
	require.Contains(t, chart, "1M keys, 64 B values", "the targets' table is drawn")
	require.Contains(t, chart, `class="ours">ingot</text>`)
	require.Less(t, strings.Index(chart, ">ingot<"), strings.Index(chart, ">xsync 4<"), "the best bar comes first")
	require.NotContains(t, chart, "the loop")
	mixed := panelBars(panels[3], at1M, someRows, &results{figures: map[cell][]float64{
		{at1M, ours, "mixedzipf"}: {100}, {at1M, "xsync", "mixedzipf"}: {50},
	}})
	require.Equal(t, []bar{{"xsync 4", 20, false}, {"ingot", 10, true}}, mixed, "more operations a second are better")
}

func TestKeepSeesWrongAnswers(t *testing.T) {
	operationOf := func(key string) operation {
		for _, op := range operations {
			if op.key == key {
				return op
			}
		}
		t.Fatalf("no operation %q", key)
		return operation{}
	}
	r := newResults()
	keep := func(name, key string, lossy bool, hits, sum uint64) {
		r.keep(cell{at1k, name, key}, operationOf(key), row{name: name, lossy: lossy}, 0,
			map[string]uint64{"ops": 1000, "ns": 5000, "hits": hits, "sum": sum})
	}
	keep("a", "copy", false, 1000, 7)
	keep("b", "copy", false, 1000, 7)
	keep("c", "copy", false, 1000, 8)
	keep("d", "copy", false, 999, 7)
	keep("e", "copy", true, 990, 5)
	keep("a", "miss", false, 0, 0)
	keep("b", "miss", false, 1, 0)
	keep("a", "mixed", false, 900, 1)
	keep("b", "mixed", false, 899, 2)
	var rows []row
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		rows = append(rows, row{name: name})
	}
	r.compareSums(at1k, rows, 1)
	require.Empty(t, r.wrong["a"])
	require.Len(t, r.wrong["b"], 2, "a miss that hit, and a read of the mix that missed")
	require.Equal(t, []string{"1k keys, 64 B values, copy, round 1: the values read are not those of the other rows"}, r.wrong["c"])
	require.Len(t, r.wrong["d"], 1)
	require.Empty(t, r.wrong["e"], "what may drop entries is counted, not judged")
	require.Equal(t, 0.99, r.hits[cell{at1k, "e", "copy"}])
	require.Equal(t, []float64{5}, r.figures[cell{at1k, "a", "copy"}])
}

func TestSeedsDiffer(t *testing.T) {
	seen := make(map[int]string)
	for round := range 3 {
		for index, op := range operations {
			one := seed(op, round, index)
			if other, ok := seen[one]; ok {
				require.Equal(t, "set inplace", other+" "+op.key, "only these two write the same values")
			}
			seen[one] = op.key
		}
	}
}
