// Command engine measures ingot's engine against the concurrent maps and caches
// that a Go, Rust or C++ program could use instead, and writes the section
// bench-engine of docs/BENCHMARKS.md with its chart, docs/bench-engine.svg.
//
// Every implementation runs in a process of its own (goworker, rust, cpp); all of
// them do the same work on the same keys (package workload) and say what they
// read, so that a wrong answer is seen. Measurements are interleaved: one
// operation, each implementation in turn, then the next operation, then the next
// round. Where all of them together would not fit into half of the free memory,
// they take turns with a whole round. The figures are medians over rounds, the
// ratios medians of the rounds' ratios.
//
// Run it from anywhere inside the repository:
//
//	go -C bench run ./engine                     # 1k and 1M keys, about 15 minutes
//	go -C bench run ./engine --full              # 10M keys too, about an hour
//	go -C bench run ./engine --quick             # proves that the command works
//	go -C bench run ./engine --impl xsync,boost --sizes 1k --rounds 3
//
// What is not installed is skipped, and the report says so: cargo for the Rust
// rows, g++ for the C++ row. Boost's headers come from the system when they are
// new enough, else from the package libboost-headers through pip.
//
// # Caveats
//
// The Go rows include a call through an interface, about 2 ns; the Rust and C++
// rows are monomorphic. The row "the measuring loop" tells what is not the store.
// Resident memory is read from Linux and left out elsewhere.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-engine"

type options struct {
	report.Options
	sizes  []int    // numbers of keys
	values []int    // lengths of values in bytes
	only   []string // names of rows; empty is all
	effort float64  // how many operations a measurement takes, 1 is the usual
	chart  string
}

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if err == nil {
		err = bench(ctx, o, stdout)
	}
	return report.Exit(sectionName, err, stderr)
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{Options: report.Options{Name: sectionName, Rounds: 5}, effort: 1}
	flags := o.Flags()
	sizes := flags.String("sizes", "1k,1M", "how many keys, comma-separated")
	values := flags.String("values", "64,1024", "lengths of values in bytes, comma-separated")
	only := flags.String("impl", "", "comma-separated names of rows beside ingot (default all)")
	full := flags.Bool("full", false, "10M keys too, with values of 64 bytes")
	flags.StringVar(&o.chart, "chart", "", "SVG file to write the chart into (default bench-engine.svg beside the Markdown)")
	if err := o.Parse(flags, args, stderr); err != nil {
		return o, err
	}
	if *full {
		*sizes += ",10M"
	}
	if o.Quick {
		*sizes, *values, o.effort = "1k", "64", 0.02
	}
	var err error
	if o.sizes, err = parseNumbers(*sizes, 1, sizeMax); err != nil {
		return o, fmt.Errorf("--sizes: %w", err)
	}
	if o.values, err = parseNumbers(*values, 16, 1<<20); err != nil {
		return o, fmt.Errorf("--values: %w", err)
	}
	if *only != "" {
		o.only = append(strings.Split(*only, ","), ours, oursOrdered)
	}
	if o.chart == "" {
		o.chart = filepath.Join(filepath.Dir(o.Out), "bench-engine.svg")
	}
	return o, nil
}

// sizeMax keeps the numbers of keys within what package workload specifies.
const sizeMax = 100_000_000

// parseNumbers reads numbers such as 1000, 64k and 10M (powers of ten).
func parseNumbers(text string, low, high int) ([]int, error) {
	var numbers []int
	for word := range strings.SplitSeq(text, ",") {
		digits, unit := word, 1
		switch {
		case strings.HasSuffix(word, "k"):
			digits, unit = word[:len(word)-1], 1000
		case strings.HasSuffix(word, "M"):
			digits, unit = word[:len(word)-1], 1_000_000
		}
		number, err := strconv.Atoi(digits)
		if err != nil || number < 0 || number > high/unit || number*unit < low {
			return nil, fmt.Errorf("%q: want a number from %d to %d, as 1000, 64k or 10M", word, low, high)
		}
		if !slices.Contains(numbers, number*unit) {
			numbers = append(numbers, number*unit)
		}
	}
	return numbers, nil
}

// bench builds the workers, measures, and writes the report.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "ingot-bench-engine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	// Build everything before the first clock starts.
	rows, skipped, err := buildRows(ctx, filepath.Join(o.Root, "bench"), work, o.only, stdout)
	if err != nil {
		return err
	}
	if rows, err = choose(rows, o.only); err != nil {
		return err
	}
	for _, line := range skipped {
		fmt.Fprintln(stdout, "skipped:", line)
	}

	found := newResults()
	for _, t := range tables(o) {
		if err := measureTable(ctx, t, rows, o, work, found, stdout); err != nil {
			return err
		}
	}
	if err := os.WriteFile(o.chart, []byte(drawChart(rows, found, tables(o))), 0o644); err != nil {
		return err
	}
	if err := o.Publish(renderSection(report.DescribeMachine(), o, rows, found, skipped), stdout); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "the chart is", o.chart)
	if wrong := found.wrong[ours]; len(wrong) > 0 {
		return fmt.Errorf("ingot gave wrong answers: %s", strings.Join(wrong, "; "))
	}
	return nil
}

// choose keeps the rows that were asked for.
func choose(rows []row, only []string) ([]row, error) {
	if len(only) == 0 {
		return rows, nil
	}
	for _, name := range only {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return nil, fmt.Errorf("--impl: there is no row %q here; there are %s", name, names(rows))
		}
	}
	return slices.DeleteFunc(rows, func(r row) bool { return !slices.Contains(only, r.name) }), nil
}

func names(rows []row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.name)
	}
	return strings.Join(all, ", ")
}
