// Command operate measures what it costs to watch a server: metrics, traces and a record
// of its calls, and writes the section bench-operate of docs/BENCHMARKS.md.
//
// Each variant is an "ingot serve --config" over stdio whose one tool is the native echo
// of 32 bytes, 64 calls in flight; they take turns, and the figures are medians of the
// rounds' ratios to the variant without anything. The main type is [variant].
//
//	go -C bench run ./operate           # about a minute
//	go -C bench run ./operate --quick   # proves that the command works
//
// # Caveats
//
// The caller, the collector of the traces and the server share the machine's cores, so
// that a ratio here is nearer to 1 than that of the server's own time.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-operate"

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := report.Options{Name: sectionName, Rounds: 9, Phase: 500 * time.Millisecond}
	err := o.Parse(o.Flags(), args, stderr)
	if err == nil {
		if o.Quick {
			o.Phase = 20 * time.Millisecond
		}
		err = bench(ctx, o, stdout)
	}
	return report.Exit(sectionName, err, stderr)
}

// bench builds the server, starts the variants, lets them take turns, and writes what
// came of it.
func bench(ctx context.Context, o report.Options, stdout io.Writer) (err error) {
	work, err := os.MkdirTemp("", "ingot-bench-operate-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	binary := filepath.Join(work, "ingot")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/ingot")
	build.Dir = o.Root
	if log, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, log)
	}
	c, err := newCollector()
	if err != nil {
		return err
	}
	defer c.close()
	all := variants(c.url())
	for i := range all {
		if err := all[i].start(binary, filepath.Join(work, fmt.Sprint(i))); err != nil {
			return fmt.Errorf("%s: %w", all[i].name, err)
		}
		defer all[i].stop()
	}
	for round := range o.Rounds + 1 { // the first warms up
		for i := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			rate, err := all[i].phase(o.Phase)
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			if round > 0 {
				all[i].rates = append(all[i].rates, rate)
			}
		}
		fmt.Fprintf(stdout, "round %d of %d\n", round, o.Rounds)
	}
	if c.spans.Load() == 0 {
		return errors.New("no trace has come to the collector: what was measured was no tracing")
	}
	return o.Publish(render(report.DescribeMachine(), o, all), stdout)
}
