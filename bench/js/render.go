package main

import (
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// operations are what is measured, and what it is called.
var operations = []struct{ key, title string }{{"get", "get"}, {"set", "set"}, {"many", "get-many"}}

// contestants are those of the table, in its order, and what to know of each.
var contestants = []struct{ name, note string }{
	{"ingot", "the npm package, a store in memory"},
	{"copying Map", "a Map that copies the bytes in and out, as a store must"},
	{"Map", "a Map that hands out what it holds"},
	{"lmdb", "bytes, `noSync`, sets in one transaction"},
	{"better-sqlite3", "in memory, prepared statements, sets in one transaction"},
	{"node:sqlite", "Node's own SQLite, the same way"},
	{"sql.js", "SQLite as WebAssembly, the same way"},
	{"classic-level", "bytes, `getSync`; sets without sync, 100 under way at a time"},
	{"keyv", "on its Map, awaited one by one, text"},
}

// peers are those whom get and set are to be faster than.
var peers = []string{"lmdb", "better-sqlite3", "classic-level", "keyv", "sql.js"}

// targets are those of the issue.
func targets(m measured) []report.Target {
	var all []report.Target
	of := func(operation, peer string, bound float64) {
		v, known := report.MedianRatio(m.Nanos[operation]["ingot"], m.Nanos[operation][peer])
		all = append(all, report.Target{What: fmt.Sprintf("%s, of %s", operation, peer), Bound: bound, Measured: v, Known: known})
	}
	for _, operation := range []string{"get", "set"} {
		of(operation, "copying Map", 1.5)
		for _, peer := range peers {
			of(operation, peer, 1)
		}
	}
	v, known := report.MedianRatio(m.Nanos["many"]["ingot"], m.Nanos["get"]["ingot"])
	return append(all, report.Target{What: fmt.Sprintf("get-many of %d, per key, of a single get", m.Many), Bound: 0.7, Measured: v, Known: known})
}

// renderSection writes what was measured.
func renderSection(machine report.Machine, o report.Options, m measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## The npm package\n\n%s\n", o.Origin(machine))
	fmt.Fprintf(&b, `One process of Node %s has all contestants, each with %s keys and values of %d
bytes; a round goes through all keys, 1,000 at a time in each, and takes the median of those
slices. Times per key; each ratio is the median of
the rounds' ratios. A get hands out bytes (or text) of the caller's own, except that of
the plain Map. Nothing is made durable, and what a peer offers to be fast is used. The
databases on disk (lmdb, classic-level) keep more than fits into memory, which the others
do not.

`, m.Node, report.Thousands(float64(m.Keys)), m.ValueBytes)
	b.WriteString(report.TargetTable("what", targets(m)))
	b.WriteString("\nNanoseconds a key, and in brackets how many times ingot's:\n\n| |")
	for _, operation := range operations {
		fmt.Fprintf(&b, " %s |", operation.title)
	}
	fmt.Fprintf(&b, " |\n|---|%s---|\n", strings.Repeat("---|", len(operations)))
	for _, c := range contestants {
		if len(m.Nanos["get"][c.name]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, operation := range operations {
			fmt.Fprintf(&b, " %s |", cell(m.Nanos[operation.key], c.name))
		}
		fmt.Fprintf(&b, " %s |\n", c.note)
	}
	for _, out := range m.LeftOut {
		fmt.Fprintf(&b, "\nLeft out: %s: %s.\n", out.Name, out.Reason)
	}
	return report.Section(sectionName, b.String())
}

// cell is a contestant's time and its ratio to ingot's.
func cell(times map[string][]float64, name string) string {
	nanos := times[name]
	if len(nanos) == 0 {
		return "–"
	}
	text := report.Thousands(report.Median(nanos))
	if ratio, known := report.MedianRatio(nanos, times["ingot"]); known && name != "ingot" {
		text += fmt.Sprintf(" (%s)", report.Ratio(ratio))
	}
	return text
}
