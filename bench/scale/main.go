// Command scale measures what a server of ingot costs as what it holds grows, checks a
// model of several servers on one state against runs, and writes the section bench-scale
// of docs/BENCHMARKS.md, which docs/SCALE.md builds on.
//
// Costs are processor time, which the system counts for each process: other than the
// clock's they add up, so that one, two and three servers can be compared on a machine of
// two cores. The main types are [process], one that is measured; [load], what calls it;
// and [figures], all that was found.
//
//	go -C bench run ./scale           # about four minutes
//	go -C bench run ./scale --quick   # proves that the command works
//
// # Caveats
//
// It needs /proc, and redis-server for the runs of several servers. The system counts
// processor time in hundredths of a second, so that a phase below a second says little.
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
const sectionName = "bench-scale"

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := report.Options{Name: sectionName, Rounds: 3, Phase: 2 * time.Second}
	err := o.Parse(o.Flags(), args, stderr)
	if err == nil {
		if o.Quick {
			o.Phase = 200 * time.Millisecond
		}
		err = bench(ctx, o, stdout)
	}
	return report.Exit(sectionName, err, stderr)
}

// runner is everything that the measures share.
type runner struct {
	ctx   context.Context
	o     report.Options
	out   io.Writer
	work  string
	ingot string
	made  int // folders so far
}

// bench builds the server, measures, and writes what came of it.
func bench(ctx context.Context, o report.Options, stdout io.Writer) (err error) {
	work, err := os.MkdirTemp("", "ingot-bench-scale-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	r := &runner{ctx: ctx, o: o, out: stdout, work: work, ingot: filepath.Join(work, "ingot")}
	build := exec.CommandContext(ctx, "go", "build", "-o", r.ingot, "./cmd/ingot")
	build.Dir = o.Root
	if log, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, log)
	}
	var rounds []*figures
	for round := range o.Rounds {
		f := &figures{}
		for _, measure := range []struct {
			what string
			do   func(*runner, *figures) error
		}{{"keys", keys}, {"tools", tools}, {"sessions", sessions}, {"listeners", listeners}, {"servers", servers}} {
			fmt.Fprintf(stdout, "round %d of %d: %s\n", round+1, o.Rounds, measure.what)
			if err := measure.do(r, f); err != nil {
				return fmt.Errorf("%s: %w", measure.what, err)
			}
		}
		rounds = append(rounds, f)
	}
	return o.Publish(render(report.DescribeMachine(), o, medians(rounds)), stdout)
}

// sizes chooses between the sizes of a run that counts and of one that only proves that
// the command works.
func (r *runner) sizes(full, quick []int) []int {
	if r.o.Quick {
		return quick
	}
	return full
}
