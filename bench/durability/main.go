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
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-durability"

type options struct {
	report.Options
	keys int
	only string // a measurement; empty for all
	dir  string
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
	o := options{Options: report.Options{Name: sectionName, Rounds: 5, Phase: 1500 * time.Millisecond}, keys: keyCount}
	flags := o.Flags()
	flags.StringVar(&o.only, "only", "", "one measurement, as in --only '1 writer' (or '64 writers', 'no sync', reads, stalls): prints it and writes no file")
	flags.StringVar(&o.dir, "dir", "", "directory on the disk to measure (default: the system's for temporary files)")
	if err := o.Parse(flags, args, stderr); err != nil {
		return o, err
	}
	if !slices.Contains([]string{"", kindOne, kindMany, kindNever, kindReads, kindStalls}, o.only) {
		return o, fmt.Errorf("--only is %q: want '1 writer', '64 writers', 'no sync', reads or stalls", o.only)
	}
	if o.Quick {
		o.Phase, o.keys = 50*time.Millisecond, 20_000
	}
	return o, nil
}

// bench measures and writes the report.
func bench(ctx context.Context, o options, stdout io.Writer) error {
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
	if o.only != "" {
		fmt.Fprint(stdout, "\n", section)
		return nil
	}
	return o.Publish(section, stdout)
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
	for round := range o.Rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.Rounds)
		for _, m := range []struct {
			kind    string
			writers int
		}{{kindOne, 1}, {kindMany, 64}, {kindNever, 1}} {
			if err := ctx.Err(); err != nil {
				return err
			}
			if wants(m.kind) {
				if err := r.measureSets(work, m.kind, m.writers, o.Phase); err != nil {
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
