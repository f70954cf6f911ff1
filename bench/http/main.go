// Command http measures MCP servers over streamable HTTP, side by side: an echo
// server on ingot's packages and on the official Go SDK, mcp-go and the
// TypeScript SDK 1.
//
// Every server is a child process. 32 clients with a connection each, kept
// alive, initialize a session (2025-11-25) and then call echo with 32 bytes, one
// call after the other; every answer is checked for its id and its payload. The
// ingot row is measured in the modern era too. In each round every server is
// measured once, in rotating order.
//
//	go -C bench run ./http           # five rounds, into docs/BENCHMARKS.md
//	go -C bench run ./http --quick   # one short round, into a temporary file
//
// # Caveats
//
// The driver shares the machine with the child: a server that costs less than
// the driver is measured at the driver's speed. The peers are run in their faster
// configurations: JSON answers, and no validation where it can be left out. The
// TypeScript SDK 2 is not measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

const (
	sectionName = "bench-http"
	connections = 32
)

type options struct {
	rounds int
	phase  time.Duration
	out    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench/http", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how many times each server is measured")
	flags.DurationVar(&o.phase, "phase", time.Second, "length of each timed measure")
	flags.StringVar(&o.out, "out", "", "Markdown file to write the section into (default docs/BENCHMARKS.md)")
	quick := flags.Bool("quick", false, "one short round into a temporary file: proves that the command works, measures nothing")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // the flag set has said why
	case flags.NArg() > 0 || o.rounds < 1 || o.phase <= 0:
		fmt.Fprintln(stderr, "bench/http: want --rounds of at least 1, a --phase above 0 and no other arguments")
		return 2
	}
	if *quick {
		o.rounds, o.phase = 1, 200*time.Millisecond
		if o.out == "" {
			o.out = filepath.Join(os.TempDir(), "ingot-bench-http.md")
		}
	}
	if err := bench(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "bench/http:", err)
		return 1
	}
	return 0
}

// row is a line of the table.
type row struct {
	label   string
	command []string
	modern  bool
	rates   []float64 // calls/s, one a round
	cpu     []float64 // us of the child per call
	p50     []float64 // us
}

// bench builds the servers, runs the rounds and writes the section.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	root, err := report.Root()
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = filepath.Join(root, "docs", "BENCHMARKS.md")
	}
	work, err := os.MkdirTemp("", "ingot-bench-http-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	rows, err := build(ctx, root, work)
	if err != nil {
		return err
	}
	for round := range o.rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.rounds)
		for i := range rows {
			r := &rows[(i+round)%len(rows)]
			if err := r.measure(ctx, o.phase); err != nil {
				return fmt.Errorf("measuring %s: %w", r.label, err)
			}
		}
	}
	section := render(o, rows)
	fmt.Fprint(stdout, "\n", section)
	return report.Splice(o.out, sectionName, section)
}

// build returns the rows; ours is the first.
func build(ctx context.Context, root, work string) ([]row, error) {
	var rows []row
	for _, each := range []struct{ dir, label string }{
		{"ingot-echo", "ingot `mcp/streamable`"}, {"peers/gosdk", "go-sdk, raw `AddTool`"}, {"peers/mcpgo", "mcp-go"},
	} {
		program := filepath.Join(work, filepath.Base(each.dir))
		cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./http/"+each.dir)
		cmd.Dir = filepath.Join(root, "bench")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", each.dir, err, out)
		}
		rows = append(rows, row{label: each.label, command: []string{program}})
	}
	rows = append(rows, row{label: "ingot `mcp/streamable`, 2026-07-28", command: rows[0].command, modern: true})
	ts := filepath.Join(root, "bench", "mcp", "peers", "ts")
	if _, err := os.Stat(filepath.Join(ts, "node_modules", "@modelcontextprotocol", "sdk")); err != nil {
		return nil, fmt.Errorf("the TypeScript SDK is missing; bench/mcp installs it, or npm install in bench/mcp/peers/ts: %w", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	return append(rows, row{label: "TypeScript SDK 1", command: []string{node, filepath.Join(ts, "http-v1.mjs")}}), nil
}

func render(o options, rows []row) string {
	m := report.DescribeMachine()
	var b strings.Builder
	b.WriteString("## MCP servers over streamable HTTP\n\n`go -C bench run ./http`\n\n")
	fmt.Fprintf(&b, "%s, %s; %s; medians of %d interleaved rounds, %v per measure.\n\n"+
		"%d clients, each with a connection that is kept alive and a session of 2025-11-25, call echo with 32 bytes one call after the other. "+
		"\"ours\" is how many times ingot's first row is ahead (median of the per-round ratios). The peers answer with JSON, their faster way.\n\n"+
		"| server | calls/s | ours | p50 us | CPU us/call |\n|---|---|---|---|---|\n",
		m.CPU, m.System, time.Now().UTC().Format(time.DateOnly), o.rounds, o.phase, connections)
	for _, r := range rows {
		ours := "–"
		if ratio, ok := report.MedianRatio(rows[0].rates, r.rates); ok {
			ours = report.Ratio(ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.label, report.Thousands(report.Median(r.rates)), ours,
			report.Number(report.Median(r.p50)), report.Number(report.Median(r.cpu)))
	}
	return report.Section(sectionName, b.String())
}
