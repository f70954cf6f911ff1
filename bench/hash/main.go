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
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-hash"

type options struct {
	rounds int
	effort float64 // how much is hashed in a measurement, 1 is the usual
	quick  bool
	out    string
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
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		if err == nil {
			err = bench(ctx, o, stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench/hash:", err)
		return 1
	}
	return 0
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{effort: 1}
	flags := flag.NewFlagSet("bench/hash", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 9, "how many times everything is measured")
	flags.BoolVar(&o.quick, "quick", false, "one short round into a temporary file: proves that the command works, measures nothing")
	flags.StringVar(&o.out, "out", "", "Markdown file to write the section into (default docs/BENCHMARKS.md)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.rounds < 1 {
		return o, errors.New("want --rounds of at least 1 and no arguments beside the options")
	}
	if o.quick {
		o.rounds, o.effort = 1, 0.01
		if o.out == "" {
			o.out = filepath.Join(os.TempDir(), "ingot-bench-hash.md")
		}
	}
	return o, nil
}

// bench starts the workers, measures, and writes the report.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	root, err := report.Root()
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = filepath.Join(root, "docs", "BENCHMARKS.md")
	}
	work, err := os.MkdirTemp("", "ingot-bench-hash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	rows, skipped, err := startRows(ctx, filepath.Join(root, "bench"), work)
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
	section := renderSection(report.DescribeMachine(), o, rows, found, skipped)
	fmt.Fprint(stdout, "\n", section)
	if err := report.Splice(o.out, sectionName, section); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "\nwritten to", o.out)
	return nil
}
