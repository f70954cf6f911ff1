// Command http measures MCP servers over streamable HTTP, side by side: an echo
// server on ingot's packages and on the official Go SDK, mcp-go and the
// TypeScript SDKs 1 and 2.
//
// Every server is a child process. 32 clients with a connection each, kept
// alive, initialize a session (2025-11-25) and then call echo with 32 bytes, one
// call after the other; every answer is checked for its id and its payload. Those
// that know the modern era (2026-07-28) are measured in it too. In each round every
// server is measured once, in rotating order. Then 10,000 clients begin a session
// with each server and do nothing; then each opens a stream; then they leave, and
// as many come again, which shows what is not given back.
//
//	go -C bench run ./http           # five rounds, into docs/BENCHMARKS.md
//	go -C bench run ./http --quick   # one short round, into a temporary file
//
// # Caveats
//
// The driver shares the machine with the child: a server that costs less than
// the driver is measured at the driver's speed. The peers are run in their faster
// configurations: JSON answers, and no validation where it can be left out. Resident
// memory counts what a garbage collector has not given back yet, and is known on
// Linux only.
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

const (
	sectionName = "bench-http"
	connections = 32
)

type options struct {
	report.Options
	idle int
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
	o := options{Options: report.Options{Name: sectionName, Rounds: 5, Phase: time.Second}}
	flags := o.Flags()
	flags.IntVar(&o.idle, "idle", 10_000, "idle sessions whose memory is measured; 0 is none")
	if err := o.Parse(flags, args, stderr); err != nil {
		return o, err
	}
	if o.idle < 0 {
		return o, fmt.Errorf("--idle is %d: want 0 or more", o.idle)
	}
	if o.Quick {
		o.Phase, o.idle = 200*time.Millisecond, min(o.idle, 100)
	}
	return o, nil
}

// row is a line of the table.
type row struct {
	label   string
	command []string
	modern  bool
	rates   []float64 // calls/s, one a round
	cpu     []float64 // us of the child per call
	p50     []float64 // us

	idle    idle
	problem string // why a part was not measured
}

// bench builds the servers, runs the rounds and writes the section.
func bench(ctx context.Context, o options, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "ingot-bench-http-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	rows, err := build(ctx, o.Root, work)
	if err != nil {
		return err
	}
	for round := range o.Rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.Rounds)
		for i := range rows {
			r := &rows[(i+round)%len(rows)]
			if err := r.measure(ctx, o.Phase); err != nil {
				return fmt.Errorf("measuring %s: %w", r.label, err)
			}
		}
	}
	for i := range rows {
		if o.idle == 0 || rows[i].modern {
			continue // who has no sessions holds nothing
		}
		fmt.Fprintf(stdout, "%d idle sessions with %s\n", o.idle, rows[i].label)
		// A peer may run out of memory: that is a result, and no reason to lose the others.
		if err := rows[i].measureIdle(ctx, o.idle); err != nil {
			rows[i].problem = fmt.Sprintf("%s: %v", rows[i].label, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return o.Publish(render(o, rows), stdout)
}

// Short names of the rows that targets are about.
const (
	labelOurs  = "ingot `mcp/streamable`"
	labelGoSDK = "go-sdk, raw `AddTool`"
)

// build returns the rows; ours is the first.
func build(ctx context.Context, root, work string) ([]row, error) {
	var rows []row
	add := func(label string, command []string, modern bool) {
		rows = append(rows, row{label: label, command: command})
		if modern {
			rows = append(rows, row{label: label + ", 2026-07-28", command: command, modern: true})
		}
	}
	for _, each := range []struct {
		dir, label string
		modern     bool // go-sdk's handler for sessions serves the legacy era only
	}{
		{"ingot-echo", labelOurs, true}, {"peers/gosdk", labelGoSDK, false}, {"peers/mcpgo", "mcp-go", true},
	} {
		program := filepath.Join(work, filepath.Base(each.dir))
		cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./http/"+each.dir)
		cmd.Dir = filepath.Join(root, "bench")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", each.dir, err, out)
		}
		add(each.label, []string{program}, each.modern)
	}
	ts := filepath.Join(root, "bench", "mcp", "peers", "ts")
	if _, err := os.Stat(filepath.Join(ts, "node_modules", "@modelcontextprotocol", "node")); err != nil {
		return nil, fmt.Errorf("the TypeScript SDKs are missing; make bench-http installs them, or npm install in bench/mcp/peers/ts: %w", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	add("TypeScript SDK 1", []string{node, filepath.Join(ts, "http-v1.mjs")}, false)
	add("TypeScript SDK 2", []string{node, filepath.Join(ts, "http-v2.mjs")}, true)
	return rows, nil
}
