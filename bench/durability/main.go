// Command durability measures a store of ingot in a directory against pebble,
// badger, bbolt, buntdb and SQLite (modernc.org/sqlite, WAL), against a bare loop of
// writes and fdatasyncs, and against a Go map, and writes the section
// bench-durability of docs/BENCHMARKS.md.
//
// Keys have 16 bytes, values 64. All rows are open at the same time and take turns,
// six slices a round, since a disk's pace changes from second to second; figures
// are medians over rounds, ratios the medians of the rounds' ratios.
//
//	go -C bench run ./durability                 # some minutes
//	go -C bench run ./durability --quick         # proves that the command works
//	go -C bench run ./durability --only '1 writer' # one measurement, printed
//	go -C bench run ./durability --dir /mnt/disk # where to write; must not be a RAM disk
//
// # Caveats
//
// Each peer runs as it comes, but for what makes a set durable or not. bbolt's
// writers share transactions by its Batch where there are many. badger, bbolt and
// SQLite keep their data on disk and ingot and buntdb keep it in memory as well:
// that is what gets compare.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-durability"

type options struct {
	rounds int
	span   time.Duration // of each measurement of sets
	keys   int
	quick  bool
	only   string // a measurement; empty for all
	dir    string
	out    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = bench(ctx, o, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench/durability:", err)
		return 1
	}
	return 0
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{keys: keyCount}
	flags := flag.NewFlagSet("bench/durability", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how many times everything is measured")
	flags.DurationVar(&o.span, "span", 1500*time.Millisecond, "how long each row sets in a measurement")
	flags.BoolVar(&o.quick, "quick", false, "one short round into a temporary file: proves that the command works, measures nothing")
	flags.StringVar(&o.only, "only", "", "one measurement, as in --only '1 writer' (or '64 writers', 'no sync', reads, stalls): prints it and writes no file")
	flags.StringVar(&o.dir, "dir", "", "directory on the disk to measure (default: the system's for temporary files)")
	flags.StringVar(&o.out, "out", "", "Markdown file to write the section into (default docs/BENCHMARKS.md)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.span <= 0 {
		return o, errors.New("want --rounds of at least 1, a --span above 0 and no arguments beside the options")
	}
	if !slices.Contains([]string{"", kindOne, kindMany, kindNever, kindReads, kindStalls}, o.only) {
		return o, fmt.Errorf("--only is %q: want '1 writer', '64 writers', 'no sync', reads or stalls", o.only)
	}
	if o.quick {
		o.rounds, o.span, o.keys = 1, 50*time.Millisecond, 20_000
		if o.out == "" {
			o.out = filepath.Join(os.TempDir(), "ingot-bench-durability.md")
		}
	}
	return o, nil
}

// bench measures and writes the report.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	root, err := report.Root()
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = filepath.Join(root, "docs", "BENCHMARKS.md")
	}
	work, err := os.MkdirTemp(o.dir, "ingot-bench-durability-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	found := &results{figures: map[cell][]float64{}}
	if err := found.measure(ctx, o, work, stdout); err != nil {
		return err
	}
	section := renderSection(report.DescribeMachine(), o, found)
	fmt.Fprint(stdout, "\n", section)
	if o.only != "" {
		return nil
	}
	if err := report.Splice(o.out, sectionName, section); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "\nwritten to", o.out)
	return nil
}

// measure measures what was asked for.
func (r *results) measure(ctx context.Context, o options, work string, stdout io.Writer) error {
	wants := func(what string) bool { return o.only == "" || o.only == what }
	if wants(kindReads) {
		if err := load(work, o.keys, stdout); err != nil {
			return err
		}
		if err := r.measureBytes(work, o.keys); err != nil {
			return err
		}
	}
	for round := range o.rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.rounds)
		for _, m := range []struct {
			kind    string
			writers int
		}{{kindOne, 1}, {kindMany, 64}, {kindNever, 1}} {
			if err := ctx.Err(); err != nil {
				return err
			}
			if wants(m.kind) {
				if err := r.measureSets(work, m.kind, m.writers, o.span); err != nil {
					return err
				}
			}
		}
		if wants(kindReads) {
			if err := r.measureReads(work, o.keys, o.keys/5); err != nil {
				return err
			}
		}
	}
	if wants(kindStalls) {
		return r.measureStalls(work, o.keys)
	}
	return nil
}
