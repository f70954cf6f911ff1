// Command forge measures what a server of a forge.yaml costs, and writes the section
// bench-forge of docs/BENCHMARKS.md.
//
// The measures are Go benchmarks of package forge (forge/bench_test.go). Each round
// runs all of them once, what is compared one after the other, so that what disturbs
// the machine disturbs both; figures are medians over rounds, ratios the medians of
// the rounds' ratios.
//
//	go -C bench run ./forge           # about two minutes
//	go -C bench run ./forge --quick   # proves that the command works
//
// # Caveats
//
// The client and the server of the HTTP measure are in one process, on the same
// cores.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-forge"

// benchmarks are those that are run.
const benchmarks = "^Benchmark(Pipelined|Dispatch|Chain|Open|Page|HTTP)$"

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := report.Options{Name: sectionName, Rounds: 7, Phase: time.Second}
	err := o.Parse(o.Flags(), args, stderr)
	if err == nil {
		if o.Quick {
			o.Phase = 10 * time.Millisecond
		}
		err = bench(ctx, o, stdout)
	}
	return report.Exit(sectionName, err, stderr)
}

// bench builds the benchmarks, runs them in rounds, and writes what came of them.
func bench(ctx context.Context, o report.Options, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "ingot-bench-forge-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binary := filepath.Join(work, "forge.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./forge")
	build.Dir = o.Root
	if log, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the benchmarks: %w\n%s", err, log)
	}
	all := figures{}
	for round := range o.Rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.Rounds)
		cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench="+benchmarks, "-test.benchmem", "-test.benchtime="+o.Phase.String())
		cmd.Dir = filepath.Join(o.Root, "forge")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("running the benchmarks: %w\n%s", err, out)
		}
		if err := all.add(string(out)); err != nil {
			return err
		}
	}
	return o.Publish(renderSection(report.DescribeMachine(), o, all), stdout)
}
