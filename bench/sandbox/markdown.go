package main

import (
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// renderSection writes what was measured.
func renderSection(m report.Machine, o report.Options, r *results) string {
	var b strings.Builder
	b.WriteString("## Sandbox\n\n" + o.Origin(m) + "\nEach ratio is the median of the rounds' ratios.\n\n")
	b.WriteString(report.TargetTable("what", targets(r)))
	b.WriteString("\n### Calls\n\n1 KB of JSON in, the same out, one caller. The pool puts the instance back after each call.\n\n")
	b.WriteString("| | us a call |\n|---|---|\n")
	for _, row := range []string{rowC, rowCFresh, rowExtism, rowExtismEach, rowGo, rowGoFresh, rowGoJSON, rowGoPlain, rowLoop, rowLoopPlain} {
		fmt.Fprintf(&b, "| %s | %s |\n", row, report.Number(report.Median(r.calls[row])/1000))
	}
	fmt.Fprintf(&b, "\nGo JSON decodes and encodes 1 KB twenty times on one instance, the tight loop goes round %s times.\n", report.Thousands(loopTurns))
	fmt.Fprintf(&b, "\n### Start of %d tools\n\nAll loaded at once; each is compiled, started and asked what it is.\n\n| | nothing cached, ms | cached, ms |\n|---|---|---|\n", startTools)
	fmt.Fprintf(&b, "| C, 1 KB each | %s | %s |\n", report.Number(report.Median(r.coldC)), report.Number(report.Median(r.warmC)))
	fmt.Fprintf(&b, "| Go, 3.4 MB each | %s | %s |\n", report.Number(report.Median(r.coldGo)), report.Number(report.Median(r.warmGo)))
	d := r.median()
	fmt.Fprintf(&b, "\n### Looping guests\n\n%d guests loop to a deadline of 50 ms, again and again, while another tool is called every 0.2 ms. Microseconds.\n\n", spinners)
	fmt.Fprintf(&b, "| overshoot p50 | overshoot p99 | other tool's p99, alone | meanwhile |\n|---|---|---|---|\n| %s | %s | %s | %s |\n",
		report.Number(d.overshoot50), report.Number(d.overshoot99), report.Number(d.quiet99), report.Number(d.busy99))
	fmt.Fprintf(&b, "\n### Over stdio\n\n%d calls in flight, 32 bytes each.\n\n| | calls/s |\n|---|---|\n| `wasm-host`, C guest | %s |\n| native echo on package mcp | %s |\n",
		inFlight, report.Thousands(report.Median(r.stdioWasm)), report.Thousands(report.Median(r.stdioNative)))
	fmt.Fprintf(&b, "\n### Memory\n\nResident memory (proportional share) of instances that idle, each with a session's state of one call: %s MiB for %s in C, %s MiB for %d in Go.\n",
		report.Number(r.memoryC), report.Thousands(float64(r.heldC)), report.Number(r.memoryGo), r.heldGo)
	return report.Section(sectionName, b.String())
}

// median is the median of each figure.
func (r *results) median() (d deadlines) {
	pick := func(f func(deadlines) float64) float64 {
		var all []float64
		for _, one := range r.deadlines {
			all = append(all, f(one))
		}
		return report.Median(all)
	}
	d.overshoot50 = pick(func(d deadlines) float64 { return d.overshoot50 })
	d.overshoot99 = pick(func(d deadlines) float64 { return d.overshoot99 })
	d.quiet99 = pick(func(d deadlines) float64 { return d.quiet99 })
	d.busy99 = pick(func(d deadlines) float64 { return d.busy99 })
	return d
}

// targets are those of the issue.
func targets(r *results) []report.Target {
	ratio := func(what string, a, b []float64, bound float64, atLeast bool) report.Target {
		v, known := report.MedianRatio(a, b)
		return report.Target{What: what, Bound: bound, AtLeast: atLeast, Measured: v, Known: known}
	}
	most := func(what, unit string, v, bound float64) report.Target {
		return report.Target{What: what, Bound: bound, Measured: v, Known: v != 0,
			Format: func(v float64) string { return report.Number(v) + " " + unit }}
	}
	memory := func(what string, mebibytes float64, held, wanted int, bound float64) report.Target {
		t := most(what, "MiB", mebibytes, bound)
		t.Known = t.Known && held == wanted // fewer of them say nothing
		return t
	}
	c, d := r.calls, r.median()
	other := report.Target{What: "other tools' p99 while guests loop", Bound: 2}
	if d.quiet99 > 0 {
		other.Measured, other.Known = d.busy99/d.quiet99, true
	}
	return []report.Target{
		ratio("metering a Go JSON guest, of plain wazero", c[rowGoJSON], c[rowGoPlain], 1.12, false),
		ratio("metering a tight loop, of plain wazero", c[rowLoop], c[rowLoopPlain], 1.8, false),
		most("C echo of 1 KB through the pool", "us", report.Median(c[rowC])/1000, 3),
		ratio("Extism, warm, of that", c[rowExtism], c[rowC], 20, true),
		most("Go echo of 1 KB through the pool", "us", report.Median(c[rowGo])/1000, 150),
		ratio("a fresh instance, of that", c[rowGoFresh], c[rowGo], 15, true),
		ratio("over stdio, C guest, of native", r.stdioWasm, r.stdioNative, 0.5, true),
		most("deadline overshoot p99", "ms", d.overshoot99/1000, 10),
		other,
		most("20 tools in C, warm cache", "ms", report.Median(r.warmC), 150),
		most("20 tools in Go, warm cache", "ms", report.Median(r.warmGo), 150),
		memory("1,000 idle C instances", r.memoryC, r.heldC, heldC, 25),
		memory("50 idle Go instances", r.memoryGo, r.heldGo, heldGo, 250),
	}
}
