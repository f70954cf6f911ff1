package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

const introduction = `
Sets go to random keys of a million; each store begins empty and is measured as it fills.
A durable set is on the disk when it returns. Open is until the first get; what ingot opens
was compacted.
`

// renderSection returns the Markdown of the section, markers included.
func renderSection(m report.Machine, o options, found *results) string {
	var b strings.Builder
	b.WriteString("## Durability\n\n" + o.Origin(m))
	b.WriteString(introduction)
	b.WriteString("\n### Targets\n\n" + report.TargetTable("what", found.targets()) + "\n")
	b.WriteString("| | sets/s, 1 writer | sets/s, 64 writers | sets/s, no sync | get, µs | open, ms |\n|---|---|---|---|---|---|\n")
	names := []string{bareLoop, bareMap}
	for i := len(rows) - 1; i >= 0; i-- {
		names = append([]string{rows[i].name}, names...)
	}
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name,
			found.rate(name, kindOne), found.rate(name, kindMany), found.rate(name, kindNever),
			report.Number(1e6*report.Median(found.figures[cell{name, kindGet}])),
			report.Number(1e3*report.Median(found.figures[cell{name, kindOpen}])))
	}
	b.WriteString("\n" + found.stallTable())
	return report.Section(sectionName, b.String())
}

// stallTable tells how long writers wait during a compaction.
func (r *results) stallTable() string {
	var b strings.Builder
	b.WriteString("Sets of one writer with no sync in a full store, while it is compacted and while it is not:\n\n")
	b.WriteString("| | 99.99 %, µs | longest, ms | longest of all rounds, ms |\n|---|---|---|---|\n")
	for _, row := range []string{rowCompacting, rowQuiet, rowLooking} {
		longest := r.figures[cell{row, kindStall}]
		if len(longest) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row, report.Number(1e6*report.Median(r.figures[cell{row, kindStallTail}])),
			report.Number(1e3*report.Median(longest)), report.Number(1e3*slices.Max(longest)))
	}
	return b.String()
}

// rate is operations in a second.
func (r *results) rate(row, kind string) string {
	per := report.Median(r.figures[cell{row, kind}])
	if per == 0 {
		return "–"
	}
	return report.Thousands(1 / per)
}

// targets judges what was set out to be reached.
func (r *results) targets() []report.Target {
	bytesText := func(v float64) string { return fmt.Sprintf("%.1f B", v) }
	seconds := func(v float64) string { return fmt.Sprintf("%.2f s", v) }
	open := r.figures[cell{ours, kindOpen}]
	list := []report.Target{
		r.faster("durable set, 1 writer, against a bare write + fdatasync", 0.9, kindOne, bareLoop, kindOne),
		r.faster("durable set, 64 writers, against 1 writer", 25, kindMany, ours, kindOne),
		r.faster("durable set, 64 writers, against pebble", 1.2, kindMany, "pebble", kindMany),
		r.faster("durable set, 64 writers, against bbolt", 5, kindMany, "bbolt", kindMany),
		r.faster("set with no sync, against pebble", 2, kindNever, "pebble", kindNever),
		r.faster("set with no sync, against badger", 2, kindNever, "badger", kindNever),
		r.faster("get, against bbolt", 5, kindGet, "bbolt", kindGet),
		r.faster("get, against pebble", 5, kindGet, "pebble", kindGet),
		r.faster("get, against badger", 5, kindGet, "badger", kindGet),
		{What: "open 1M keys", Bound: 1, Format: seconds, Measured: report.Median(open), Known: len(open) > 0},
	}
	stalls := r.figures[cell{rowCompacting, kindStall}]
	millis := func(v float64) string { return fmt.Sprintf("%.1f ms", 1e3*v) }
	list = append(list, report.Target{What: "longest set with no sync while 1M keys are compacted", Bound: 5e-3, Format: millis,
		Measured: report.Median(stalls), Known: len(stalls) > 0})
	ratio, known := report.MedianRatio(open, r.figures[cell{bareMap, kindOpen}])
	return append(list,
		report.Target{What: "open, time against reading the file and building a Go map", Bound: 1.2, Measured: ratio, Known: known},
		report.Target{What: "bytes on disk for an entry after compaction, beside key and value", Bound: 24, Format: bytesText, Measured: r.overheadBytes, Known: r.overheadBytes != 0},
		report.Target{What: "bytes written for each byte set, overwriting", Bound: 2.5, Measured: r.amplification, Known: r.amplification != 0})
}

// faster compares paces: how many times as many operations in the same time.
func (r *results) faster(what string, bound float64, kind, theirs, theirKind string) report.Target {
	ratio, known := report.MedianRatio(r.figures[cell{theirs, theirKind}], r.figures[cell{ours, kind}])
	return report.Target{What: what, Bound: bound, AtLeast: true, Measured: ratio, Known: known}
}
