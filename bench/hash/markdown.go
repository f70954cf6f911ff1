package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

const (
	zeebo = "zeebo/xxh3"
	// gigabytesFrom is the length from which a speed says more than a time.
	gigabytesFrom = 240
	// behind is the ratio below which another one counts as faster: a twentieth is
	// noise.
	behind = 0.95
)

const introduction = `
Independent inputs in the cache, one call each. Every backend of ingot's hash that
the machine has is a row; the last of them is the one that runs. All rows of XXH3
gave the same hashes.
`

// renderSection returns the Markdown of the section, markers included.
func renderSection(m report.Machine, o options, rows []row, found results, skipped []string) string {
	var b strings.Builder
	b.WriteString("## Hash\n\n" + o.Origin(m))
	b.WriteString(introduction)
	b.WriteString("\n### Targets\n\n" + report.TargetTable("time against zeebo/xxh3", targets(rows, found)))

	single := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.batch })
	short, long := splitLengths()
	writeTable(&b, "ns per input", short, single, found, nanosText)
	writeTable(&b, "GB/s", long, single, found, gigabytesText)
	var all []work
	for _, c := range classes {
		all = append(all, work{class: c})
	}
	fmt.Fprintf(&b, "\nBatches of %d keys whose lengths lie at random in a range, ns per key; a row without \"Batch\" is a loop of calls.\n", batchKeys)
	writeTable(&b, "keys of", all, rows, found, nanosText)
	writeLosses(&b, rows, found)
	for _, line := range skipped {
		fmt.Fprintf(&b, "\nSkipped: %s.\n", line)
	}
	return report.Section(sectionName, b.String())
}

func splitLengths() (short, long []work) {
	for _, length := range lengths {
		if length < gigabytesFrom {
			short = append(short, work{length: length})
		} else {
			long = append(long, work{length: length})
		}
	}
	return short, long
}

func nanosText(_ work, nanos float64) string     { return report.Number(nanos) }
func gigabytesText(w work, nanos float64) string { return report.Number(float64(w.length) / nanos) }
func heading(w work) string {
	if w.length == 0 {
		return w.class.String()
	}
	return bytesText(w.length)
}

func bytesText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

func writeTable(b *strings.Builder, title string, columns []work, rows []row, found results, text func(work, float64) string) {
	fmt.Fprintf(b, "\n| %s |", title)
	for _, w := range columns {
		fmt.Fprintf(b, " %s |", heading(w))
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)+1) + "\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| %s |", r.label)
		for _, w := range columns {
			fmt.Fprintf(b, " %s |", text(w, report.Median(found[cell{r.label, w}])))
		}
		b.WriteString("\n")
	}
}

// targets judges what the hash set out to reach.
func targets(rows []row, found results) []report.Target {
	batch := work{class: oneClass}
	all := []report.Target{
		found.target("batch of 100 keys of 17 to 32 B, AVX-512", 0.5, "ingot Batch, avx512", batch),
		found.target("batch of 100 keys of 17 to 32 B, AVX2", 0.65, "ingot Batch, avx2", batch),
		found.target("batch of 100 keys of 4 to 64 B", 0.8, "ingot Batch, "+best(rows), work{class: mixed}),
	}
	for _, length := range []int{8, 1 << 10, 1 << 20} {
		all = append(all, found.target("one hash of "+bytesText(length), 1, "ingot, "+best(rows), work{length: length}))
	}
	return all
}

// best is the backend that runs on this machine unless told otherwise.
func best(rows []row) string {
	last := ""
	for _, r := range rows {
		if r.backend != "" {
			last = r.backend
		}
	}
	return last
}

func (r results) target(what string, bound float64, label string, w work) report.Target {
	ratio, known := report.MedianRatio(r[cell{label, w}], r[cell{zeebo, w}])
	return report.Target{What: what, Bound: bound, Measured: ratio, Known: known}
}

// writeLosses lists what is faster than the backend that runs here: the peers, our
// own portable code, our own loop over a batch.
func writeLosses(b *strings.Builder, rows []row, found results) {
	b.WriteString("\n### Where ingot is behind\n\n")
	lines := 0
	for _, w := range everything() {
		mine := cell{"ingot, " + best(rows), w}
		if w.length == 0 {
			mine.label = "ingot Batch, " + best(rows)
		}
		var words []string
		for _, r := range rows {
			if r.backend != "" && r.backend != "generic" && r.backend != best(rows) {
				continue // one that does not run here
			}
			ratio, ok := report.MedianRatio(found[cell{r.label, w}], found[mine])
			if ok && ratio < behind {
				words = append(words, fmt.Sprintf("%s %s", r.label, report.Ratio(ratio)))
			}
		}
		if len(words) > 0 {
			fmt.Fprintf(b, "- %v: %s\n", w, strings.Join(words, "; "))
			lines++
		}
	}
	if lines == 0 {
		fmt.Fprintf(b, "Nowhere in this run (a row counts from %.2fx downwards).\n", behind)
	}
}
