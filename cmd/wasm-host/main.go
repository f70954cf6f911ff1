// Command wasm-host serves tools that are compiled to WebAssembly over MCP on
// standard input and output, each in a sandbox of its own.
//
//	wasm-host serve TOOL.wasm [TOOL2.wasm …] [--timeout 2s] [--memory 64MiB] [--max-output 1MiB]
//	wasm-host explain TOOL.wasm
//	wasm-host version
//
// explain prints what a tool says it is, what its module asks for and what it
// may do, without serving it. Only JSON-RPC goes to stdout while serving; logs,
// the tools' own included, go to stderr. At the end of input the calls in flight
// are answered and it exits with 0.
//
// # Caveats
//
// The limits given hold for every tool of the command line. All tools must load,
// or none is served.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/sandbox"
)

// commandLine is what kong parses.
type commandLine struct {
	Serve   serveCommand   `cmd:"" help:"Serve tools over MCP on stdin and stdout."`
	Explain explainCommand `cmd:"" help:"Say what a tool is, asks for and may do."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

type serveCommand struct {
	policyFlags
	Tools    []string   `arg:"" name:"tool.wasm" help:"Modules to serve; each is one tool."`
	LogLevel slog.Level `default:"info" placeholder:"LEVEL" help:"Least level that is logged to stderr: debug, info, warn or error. (${default})"`
}

type explainCommand struct {
	policyFlags
	Tool string `arg:"" name:"tool.wasm" help:"The module."`
}

type versionCommand struct{}

// policyFlags are what a tool may have.
type policyFlags struct {
	Timeout     time.Duration    `default:"2s" placeholder:"DURATION" help:"Wall time of one call; the guest is stopped at its end. (${default})"`
	Memory      command.ByteSize `default:"64MiB" placeholder:"SIZE" help:"Memory of one instance, at most 4GiB. (${default})"`
	MaxOutput   command.ByteSize `default:"1MiB" placeholder:"SIZE" help:"Length of one result. (${default})"`
	Concurrency int              `default:"4" placeholder:"N" help:"Calls of one tool that run at once; further ones wait. (${default})"`
	Clock       string           `default:"virtual" enum:"virtual,real" help:"Time that tools see: virtual (from 1970, sleeping costs nothing) or real. (${default})"`
	Seed        string           `placeholder:"TEXT" help:"Make the tools' random numbers repeatable from this text; without it they come from the operating system."`
}

// Validate is kong's hook: its error makes the command line wrong.
func (f policyFlags) Validate() error {
	if f.Timeout <= 0 {
		return fmt.Errorf("--timeout is %v: it must be more than 0", f.Timeout)
	}
	if f.Concurrency <= 0 {
		return fmt.Errorf("--concurrency is %d: it must be at least 1", f.Concurrency)
	}
	return nil
}

// policy is the sandbox policy of the flags.
func (f policyFlags) policy() sandbox.Policy {
	p := sandbox.Policy{Limits: sandbox.Limits{
		TimeMax:        f.Timeout,
		MemoryBytesMax: uint64(f.Memory),
		OutputBytesMax: uint64(f.MaxOutput),
		ConcurrencyMax: f.Concurrency,
	}}
	if f.Clock == sandbox.ClockReal.String() {
		p.Clock = sandbox.ClockReal
	}
	if f.Seed != "" {
		p.RandomSeed = []byte(f.Seed)
	}
	return p
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run does what the command line says and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var line commandLine
	parsed, code, done := command.Parse(ctx, "wasm-host", "Serves WebAssembly tools to MCP clients, each in a sandbox.", &line, args, stdout, stderr)
	if done {
		return code
	}
	var err error
	switch parsed.Command() {
	case "serve <tool.wasm>":
		err = line.Serve.run(ctx, stdin, stdout, stderr)
	case "explain <tool.wasm>":
		err = line.Explain.run(ctx, stdout)
	case "version":
		_, err = fmt.Fprintln(stdout, command.VersionLine("wasm-host"))
	default:
		panic("a command without a case: " + parsed.Command())
	}
	if err != nil && !errors.Is(err, context.Canceled) { // told to stop
		fmt.Fprintf(stderr, "wasm-host: %v\n", err)
		return command.ExitFailure
	}
	return command.ExitOK
}
