// Command hash measures ingot's hash against zeebo/xxh3, cespare/xxhash,
// hash/maphash and the reference XXH3 in C, one input at a time and in batches of
// 100 keys, and writes the section bench-hash of docs/BENCHMARKS.md.
//
// Every backend of ingot's hash that this machine has runs in a process of its
// own, and so does the C code (gcc and xxhash.h, which Debian has as
// libxxhash-dev; skipped where they are missing). In each round everything is
// measured once, one after the other; figures are medians over rounds, ratios the
// medians of the rounds' ratios. All implementations of XXH3 must give the same.
//
//	go -C bench run ./hash           # about a minute
//	go -C bench run ./hash --quick   # proves that the command works
//
// # Caveats
//
// Inputs are independent of each other and lie in the cache: this is throughput,
// as a loop over keys sees it. A hash whose result decides what is hashed next
// takes longer.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-hash"

type options struct {
	report.Options
	effort float64 // how much is hashed in a measurement, 1 is the usual
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var err error
	if len(args) == 1 && args[0] == "worker" {
		err = serve(stdin, stdout) // a child of this command: see buildRows
	} else {
		var o options
		o, err = parseOptions(args, stderr)
		if err == nil {
			err = bench(ctx, o, stdout)
		}
	}
	return report.Exit(sectionName, err, stderr)
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{Options: report.Options{Name: sectionName, Rounds: 9}, effort: 1}
	err := o.Parse(o.Flags(), args, stderr)
	if o.Quick {
		o.effort = 0.01
	}
	return o, err
}

// bench starts the workers, measures, and writes the report.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "ingot-bench-hash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	rows, skipped, err := startRows(ctx, filepath.Join(o.Root, "bench"), work)
	defer func() {
		for _, r := range rows {
			r.worker.Kill()
		}
	}()
	if err != nil {
		return err
	}
	found, err := measure(rows, o, stdout)
	if err != nil {
		return err
	}
	return o.Publish(renderSection(report.DescribeMachine(), o, rows, found, skipped), stdout)
}
