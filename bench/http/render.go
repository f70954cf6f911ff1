package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// render makes the section.
func render(o options, rows []row) string {
	var b strings.Builder
	b.WriteString("## MCP servers over streamable HTTP\n\n" + o.Origin(report.DescribeMachine()))
	fmt.Fprintf(&b, "\n%d clients, each with a connection that is kept alive, call echo with 32 bytes one call after the other: in a session of "+
		"2025-11-25, or where it says so in the modern era. The peers answer with JSON, their faster way. "+
		"\"ours\" is how many times ingot's row of the same era is ahead (median of the per-round ratios).\n\n", connections)
	b.WriteString("### Targets\n\n" + report.TargetTable("streamable HTTP", targets(o, rows)))
	b.WriteString("\n| server | calls/s | ours | p50 us | CPU us/call |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		ours := "–"
		if ratio, ok := ahead(rows, r); ok {
			ours = report.Ratio(ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.label, report.Thousands(report.Median(r.rates)), ours,
			report.Number(report.Median(r.p50)), report.Number(report.Median(r.cpu)))
	}
	renderIdle(&b, o, rows)
	return report.Section(sectionName, b.String())
}

func renderIdle(b *strings.Builder, o options, rows []row) {
	if o.idle == 0 {
		return
	}
	fmt.Fprintf(b, "\nMB of resident memory above the start, for %s clients that have a session of 2025-11-25 and do nothing; with an open "+
		"stream each; and after all have left and as many sessions were begun again:\n\n"+
		"| server | sessions | and streams | again |\n|---|---|---|---|\n", report.Thousands(float64(o.idle)))
	for _, r := range rows {
		if !r.modern {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", r.label, megabytes(r.idle.sessions), megabytes(r.idle.streams), megabytes(r.idle.again))
		}
	}
	for _, r := range rows {
		if r.problem != "" {
			fmt.Fprintf(b, "\n%s.\n", r.problem)
		}
	}
}

func megabytes(bytes float64) string {
	if bytes <= 0 {
		return "–"
	}
	return report.Number(bytes / 1e6)
}

// ahead returns how many times our row of r's era is faster than r.
func ahead(rows []row, r row) (float64, bool) {
	for _, ours := range rows {
		if strings.HasPrefix(ours.label, labelOurs) && ours.modern == r.modern {
			return report.MedianRatio(ours.rates, r.rates)
		}
	}
	return 0, false
}

// targets are those of issue 5.
func targets(o options, rows []row) []report.Target {
	least, goSDK := math.Inf(1), 0.0
	for _, r := range rows {
		ratio, ok := ahead(rows, r)
		if !ok || strings.HasPrefix(r.label, labelOurs) {
			continue
		}
		least = min(least, ratio)
		if r.label == labelGoSDK {
			goSDK = ratio
		}
	}
	held := rows[0].idle.sessions
	return []report.Target{
		{What: "calls/s against go-sdk", Bound: 3, AtLeast: true, Measured: goSDK, Known: goSDK > 0},
		{What: "calls/s against any peer", Bound: 1.5, AtLeast: true, Measured: least, Known: !math.IsInf(least, 1)},
		{What: "10,000 idle sessions, MB", Bound: 100, Format: report.Number, Measured: held / 1e6, Known: held > 0 && o.idle == 10_000},
	}
}
