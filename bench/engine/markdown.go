package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// behind is the ratio below which a row counts as faster than ingot: a twentieth
// is noise.
const behind = 0.95

// lossesMax bounds a line of what is faster; the table of ratios has all.
const lossesMax = 5

// column is one column of a table.
type column struct {
	title string
	key   string
	// show prints the figure of a cell, which is there.
	show func(r *results, c cell, figure float64) string
}

func plain(_ *results, _ cell, v float64) string { return report.Number(v) }

// rate prints nanoseconds per operation as millions of operations per second.
func rate(_ *results, _ cell, v float64) string { return report.Number(1000 / v) }

var oneColumns = []column{
	{"get, borrowed", "get", plain},
	{"get, copied", "copy", plain},
	{"get, cloned", "clone", plain},
	{"miss", "miss", plain},
	{"set over", "set", plain},
	{"set in place", "inplace", plain},
	{"insert", "insert", plain},
	{"delete", "delete", plain},
}

var manyColumns = []column{
	{"batch 8", "batch8", plain},
	{"batch 100", "batch100", plain},
	{"batch 1000", "batch1000", plain},
	{"batch 100, cloned", "batchclone100", plain},
	{"mixed uniform, Mops", "mixed", rate},
	{"mixed zipf, Mops", "mixedzipf", rate},
	{"bytes an entry (as loaded)", keyRest, func(r *results, c cell, v float64) string {
		c.key = keyLoaded
		loaded, _ := r.median(c)
		return fmt.Sprintf("%.0f (%.0f)", v, loaded)
	}},
	{"runtime.GC, ms", "gc", func(_ *results, _ cell, v float64) string { return report.Number(v / 1e6) }},
	{"worst insert, us (over 1 ms)", "grow", func(r *results, c cell, v float64) string {
		c.key = keySlow
		slow, _ := r.median(c)
		return fmt.Sprintf("%.0f (%.0f)", v/1e3, slow)
	}},
}

// ratioColumns is what rows are compared by.
var ratioColumns = []column{
	{title: "get, borrowed", key: "get"},
	{title: "get, copied", key: "copy"},
	{title: "get, cloned", key: "clone"},
	{title: "miss", key: "miss"},
	{title: "set over", key: "set"},
	{title: "set in place", key: "inplace"},
	{title: "insert", key: "insert"},
	{title: "delete", key: "delete"},
	{title: "batch 100", key: "batch100"},
	{title: "batch 100, cloned", key: "batchclone100"},
	{title: "mixed uniform", key: "mixed"},
	{title: "mixed zipf", key: "mixedzipf"},
	{title: "memory", key: keyRest},
	{title: "runtime.GC", key: "gc"},
}

const introduction = `
Keys of 16 to 32 bytes, values as each table says (10M keys with ` + "`FLAGS=--full`" + `).
Every implementation runs in a
process of its own and does the same work on the same keys; values are copied in
by every write. "Borrowed" looks at the stored bytes, "copied" copies them into a
buffer of the caller, "cloned" into fresh memory; a batch holds all its values
before it looks at one (in one buffer, or each cloned). "Set over" is the one call that stores under a key that is there, "set in
place" writes into the stored bytes where a map lends them. "Mixed" is nine
copied gets and one set over on two threads. Times are nanoseconds per operation,
in a batch per key. Bytes an entry are the growth of resident memory, key lists
excluded, after free memory went back to the system (and before). "Worst insert"
is the longest single insert from empty to full, and how many took over 1 ms; the
last row shows how much of that is the machine's own. The Go rows include a call
through an interface (about 2 ns), garbage collection and its defaults; Rust is
built with ` + "`-C target-cpu=native`" + `, C++ with ` + "`-O3 -march=native`" + `, both on the system's
allocator.
`

// renderSection returns the Markdown of the section, markers included.
func renderSection(m report.Machine, o options, rows []row, found *results, skipped []string) string {
	var b strings.Builder
	b.WriteString("## Engine\n\n" + o.Origin(m))
	b.WriteString(introduction)
	b.WriteString("\n![Four bar charts of this section's tables](bench-engine.svg)\n")
	b.WriteString("\n### Targets\n\n" + report.TargetTable("what (values of 64 B)", targets(found)))
	for _, t := range tables(o) {
		fmt.Fprintf(&b, "\n### %v\n", t)
		writeTable(&b, "One key at a time, ns", t, oneColumns, rows, found)
		writeTable(&b, "Many keys, two threads, memory", t, manyColumns, rows, found)
		writeRatios(&b, t, rows, found)
	}
	writeLosses(&b, tables(o), rows, found)
	writeWrong(&b, rows, found)
	for _, line := range skipped {
		fmt.Fprintf(&b, "\nSkipped: %s.\n", line)
	}
	return report.Section(sectionName, b.String())
}

// used leaves out the columns that no row has a figure for.
func used(t table, columns []column, rows []row, found *results) []column {
	return slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(rows, func(r row) bool { return len(found.figures[cell{t, r.name, c.key}]) > 0 })
	})
}

func writeTable(b *strings.Builder, title string, t table, columns []column, rows []row, found *results) {
	columns = used(t, columns, rows, found)
	fmt.Fprintf(b, "\n| %s |", title)
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", c.title)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)+1) + "\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| %s%s |", r.label, lowestHits(t, r, found))
		for _, c := range columns {
			at := cell{t, r.name, c.key}
			if figure, ok := found.median(at); ok {
				fmt.Fprintf(b, " %s |", c.show(found, at, figure))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
}

// lowestHits says of a store that may drop entries how many it still had.
func lowestHits(t table, r row, found *results) string {
	lowest := 1.0
	for c, part := range found.hits {
		if c.table == t && c.row == r.name {
			lowest = min(lowest, part)
		}
	}
	if lowest == 1 {
		return ""
	}
	return fmt.Sprintf(", found %.1f%%", lowest*100)
}

// advantage is how many times ingot's figure the row's is. What ingot does not
// lend it copies: its copied get stands against a borrowed one, its set over
// against a set in place.
func advantage(t table, r row, key string, found *results) (float64, bool) {
	mine := cell{t, ours, key}
	if len(found.figures[mine]) == 0 {
		switch key {
		case "get":
			mine.key = "copy"
		case "inplace":
			mine.key = "set"
		}
	}
	return report.MedianRatio(found.figures[cell{t, r.name, key}], found.figures[mine])
}

func writeRatios(b *strings.Builder, t table, rows []row, found *results) {
	columns := used(t, ratioColumns, rows, found)
	b.WriteString("\n| how many times ingot's figure (over 1: ingot is ahead) |")
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", c.title)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)+1) + "\n")
	for _, r := range peers(rows) {
		fmt.Fprintf(b, "| %s |", shortLabel(r))
		for _, c := range columns {
			if v, ok := advantage(t, r, c.key, found); ok {
				fmt.Fprintf(b, " %s |", report.Ratio(v))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
}

// peers is the rows that are neither ingot nor the loop.
func peers(rows []row) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
		return r.name == ours || r.name == oursOrdered || r.name == "loop"
	})
}

// shortLabel is the label without its remarks.
func shortLabel(r row) string {
	label, _, _ := strings.Cut(r.label, " (")
	return strings.Trim(label, "*")
}

// writeLosses lists what is faster or smaller than ingot, the worst first.
func writeLosses(b *strings.Builder, all []table, rows []row, found *results) {
	b.WriteString("\n### Where ingot is behind\n\n")
	lines := 0
	for _, t := range all {
		for _, c := range ratioColumns {
			if list := losses(t, c.key, rows, found); list != "" {
				fmt.Fprintf(b, "- %v, %s: %s\n", t, c.title, list)
				lines++
			}
		}
	}
	if lines == 0 {
		fmt.Fprintf(b, "Nowhere in this run (a row counts from %.2fx downwards).\n", behind)
	}
}

func losses(t table, key string, rows []row, found *results) string {
	type loss struct {
		label string
		ratio float64
	}
	var all []loss
	for _, r := range peers(rows) {
		if v, ok := advantage(t, r, key, found); ok && v < behind {
			all = append(all, loss{shortLabel(r), v})
		}
	}
	slices.SortStableFunc(all, func(a, b loss) int { return cmp.Compare(a.ratio, b.ratio) })
	var words []string
	for i, l := range all {
		if i == lossesMax {
			words = append(words, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		words = append(words, fmt.Sprintf("%s %s", l.label, report.Ratio(l.ratio)))
	}
	return strings.Join(words, "; ")
}

// writeWrong lists the rows that answered wrongly: once each, with the first thing
// that was wrong.
func writeWrong(b *strings.Builder, rows []row, found *results) {
	if len(found.wrong) == 0 {
		return
	}
	b.WriteString("\n### Wrong answers\n\n")
	for _, r := range rows {
		if wrong := found.wrong[r.name]; len(wrong) > 0 {
			fmt.Fprintf(b, "- %s, %d times; the first: %s\n", shortLabel(r), len(wrong), wrong[0])
		}
	}
}
