// Command sandbox measures internal/sandbox against plain wazero and the Extism
// Go SDK, and writes the section bench-sandbox of docs/BENCHMARKS.md.
//
// What is compared is measured in turn, once in each round, so that what disturbs
// the machine disturbs all of it; figures are medians over rounds, ratios the
// medians of the rounds' ratios. Memory is measured in processes of its own, and
// serving over stdio with the shipped wasm-host beside the echo server of
// bench/mcp.
//
//	go -C bench run ./sandbox           # about two minutes
//	go -C bench run ./sandbox --quick   # proves that the command works
//
// The guests are in guests/: the C ones are committed beside their sources, the Go
// one is built first.
//
// # Caveats
//
// A warm plug-in of Extism keeps its memory from call to call; ours is put back
// after each. Extism with an instance for each call is a row of its own.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-sandbox"

//go:embed guests/echo.wasm
var echoC []byte

//go:embed guests/echo_extism.wasm
var echoExtism []byte

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var err error
	if len(args) == 3 && args[0] == "hold" {
		err = holdInstances(ctx, args[1], args[2], stdout) // a child of this command: see measureMemory
	} else {
		var o report.Options
		o, err = parseOptions(args, stderr)
		if err == nil {
			err = bench(ctx, o, stdout)
		}
	}
	return report.Exit(sectionName, err, stderr)
}

func parseOptions(args []string, stderr io.Writer) (report.Options, error) {
	o := report.Options{Name: sectionName, Rounds: 7, Phase: 300 * time.Millisecond}
	err := o.Parse(o.Flags(), args, stderr)
	if o.Quick {
		o.Phase = 20 * time.Millisecond
	}
	return o, err
}

// bench builds what is missing, measures, and writes the report.
func bench(ctx context.Context, o report.Options, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "ingot-bench-sandbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	p, err := build(ctx, o.Root, work)
	if err != nil {
		return err
	}
	r, err := measure(ctx, p, o, stdout)
	if err != nil {
		return err
	}
	return o.Publish(renderSection(report.DescribeMachine(), o, r), stdout)
}

// programs are what is built before the first clock starts.
type programs struct {
	work     string
	goGuest  []byte
	goFile   string
	cFile    string
	wasmHost string
	native   string // the echo server of bench/mcp
}

func build(ctx context.Context, root, work string) (programs, error) {
	p := programs{
		work: work, goFile: filepath.Join(work, "goecho.wasm"), cFile: filepath.Join(work, "echo.wasm"),
		wasmHost: filepath.Join(work, "wasm-host"), native: filepath.Join(work, "ingot-echo"),
	}
	bench := filepath.Join(root, "bench")
	for _, c := range []struct {
		dir, out, pkg string
		env, flags    []string
	}{
		{bench, p.goFile, "./sandbox/guests/goecho", []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"}, []string{"-buildmode=c-shared", "-ldflags=-s -w"}},
		{root, p.wasmHost, "./cmd/wasm-host", nil, nil},
		{bench, p.native, "./mcp/ingot-echo", nil, nil},
	} {
		cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-trimpath", "-o", c.out}, c.flags...), c.pkg)...)
		cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
		if log, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("building %s: %w\n%s", c.pkg, err, log)
		}
	}
	var err error
	if p.goGuest, err = os.ReadFile(p.goFile); err != nil {
		return p, err
	}
	return p, os.WriteFile(p.cFile, echoC, 0o600)
}
