// Command mcp measures MCP servers over stdio, side by side: an echo server on
// ingot's mcp package, the shipped mcp-stdio, and echo servers on the official
// Go SDK, mcp-go and the TypeScript SDK (versions 1 and 2).
//
// Every server is a child process. In each round every server is measured once
// (the order rotates), so that what disturbs the machine disturbs all of them;
// the report gives medians over rounds and the median of the per-round ratios
// between ingot's echo and each peer.
//
// What is measured, for 32-byte and 8-KiB payloads: one call at a time (rate,
// p50, p99) and 64 calls in flight (rate, CPU of the child per call); and for the
// process itself: cold start (spawn, handshake, answer to the first call), and
// resident memory before and after a million 32-byte calls, or as many as a
// slow server answers in a few seconds. Every answer is checked: each id answered
// exactly once, each with the payload of its own request.
//
// Run it from the repository root:
//
//	go -C bench run ./mcp                  # five rounds, into docs/BENCHMARKS.md
//	go -C bench run ./mcp --quick          # one short round, into a temporary file
//
// # Caveats
//
// The driver shares the machine with the child: on two cores a server that
// costs less per call than the driver is measured at the driver's speed. CPU
// per call and resident memory are read from Linux and are left out elsewhere.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

const (
	payloadSmall = 32
	payloadLarge = 8 << 10
	windowSize   = 64 // calls in flight in the pipelined measure
)

type options struct {
	report.Options
	calls int // after which memory is read
	only  string
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
	o := options{Options: report.Options{Name: sectionName, Rounds: 5, Phase: 600 * time.Millisecond}}
	flags := o.Flags()
	flags.StringVar(&o.only, "only", "", "comma-separated short names of the servers to measure (default all)")
	flags.IntVar(&o.calls, "calls", 1_000_000, "calls after which resident memory is read; a server that takes longer than eight phases for them is read then")
	if err := o.Parse(flags, args, stderr); err != nil {
		return o, err
	}
	if o.calls < windowSize {
		return o, fmt.Errorf("--calls is %d: want at least %d", o.calls, windowSize)
	}
	if o.Quick {
		o.Phase, o.calls = 40*time.Millisecond, 10_000
	}
	return o, nil
}

// bench prepares the servers, runs the rounds and writes the report.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "ingot-bench-mcp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	// Build and install everything before the first clock starts.
	servers, skipped, err := prepare(ctx, o.Root, work, o.only, stdout)
	if err != nil {
		return err
	}
	for _, line := range skipped {
		fmt.Fprintln(stdout, "skipped:", line)
	}

	results, err := runRounds(ctx, servers, o, stdout)
	if err != nil {
		return err
	}
	machine := describeMachine(ctx)
	return o.Publish(renderSection(machine, o, servers, results, skipped), stdout)
}

// runRounds measures every server once a round. The order rotates so that no
// server always follows the same neighbour.
func runRounds(ctx context.Context, servers []server, o options, stdout io.Writer) (map[string][]sample, error) {
	results := make(map[string][]sample, len(servers))
	for round := range o.Rounds {
		fmt.Fprintf(stdout, "round %d of %d:", round+1, o.Rounds)
		for i := range servers {
			s := servers[(i+round)%len(servers)]
			fmt.Fprintf(stdout, " %s", s.short)
			one, err := measureServer(ctx, s, o)
			if err != nil {
				fmt.Fprintln(stdout)
				return nil, fmt.Errorf("measuring %s: %w", s.short, err)
			}
			results[s.short] = append(results[s.short], one)
		}
		fmt.Fprintln(stdout)
	}
	return results, nil
}
