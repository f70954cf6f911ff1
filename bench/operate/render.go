package main

import (
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// render is the section of docs/BENCHMARKS.md.
func render(m report.Machine, o report.Options, all []variant) string {
	var b strings.Builder
	b.WriteString("## What it costs to watch a server\n\n" + o.Origin(m))
	b.WriteString(`
An echo of 32 bytes, native, named in a forge.yaml, over stdio, 64 calls in flight. The
caller, the collector of the traces and the server share the machine.

`)
	var targets []report.Target
	for i := range all {
		if ratio, ok := report.MedianRatio(all[i].rates, all[0].rates); ok && all[i].what != "" {
			targets = append(targets, report.Target{What: all[i].what, Bound: all[i].least, Measured: ratio, Known: true, AtLeast: true})
		}
	}
	b.WriteString(report.TargetTable("calls a second, of those without", targets))
	b.WriteString("\n| watched by | calls a second | of those without |\n|---|---|---|\n")
	for i := range all {
		ratio, _ := report.MedianRatio(all[i].rates, all[0].rates)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", all[i].name, report.Thousands(report.Median(all[i].rates)), report.Ratio(ratio))
	}
	return report.Section(sectionName, b.String())
}
