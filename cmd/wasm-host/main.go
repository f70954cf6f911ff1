// Command wasm-host serves tools that are compiled to WebAssembly over MCP, on
// standard input and output or over HTTP, each in a sandbox of its own.
//
//	wasm-host [serve] PATH… [--timeout 2s] [--memory 64MiB] [--max-output 1MiB]
//	wasm-host [serve] --config forge.yaml
//	wasm-host [serve] PATH… --http 127.0.0.1:7071
//	wasm-host explain PATH | --config forge.yaml
//	wasm-host inspect PATH
//	wasm-host bench PATH [--args JSON] [--for 2s]
//	wasm-host version
//
// A path is a module, a folder of modules, or an OCI image layout. A module whose
// file changes is replaced while it serves, without losing a call. explain says
// in words what a tool is, asks for and may do, inspect the same as JSON; bench
// measures its calls. Only JSON-RPC goes to stdout while serving; logs, the tools'
// own included, go to stderr. At the end of input the calls in flight are answered
// and it exits with 0.
//
// # Caveats
//
// The limits given hold for every tool of the command line; capabilities are
// granted by a configuration only. At the start all tools must load, or none is
// served.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
)

// commandLine is what kong parses.
type commandLine struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Serve tools over MCP on stdin and stdout, or over HTTP."`
	Explain explainCommand `cmd:"" help:"Say what tools are, ask for and may do."`
	Inspect inspectCommand `cmd:"" help:"Print what can be found out about a module, as JSON."`
	Bench   benchCommand   `cmd:"" help:"Measure the calls of a tool."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

// policyFlags are what a tool may have.
type policyFlags struct {
	Timeout     time.Duration    `default:"2s" placeholder:"DURATION" help:"Wall time of one call; the guest is stopped at its end. (${default})"`
	Memory      command.ByteSize `default:"64MiB" placeholder:"SIZE" help:"Memory of one instance, at most 4GiB. (${default})"`
	MaxOutput   command.ByteSize `default:"1MiB" placeholder:"SIZE" help:"Length of one result. (${default})"`
	Concurrency int              `default:"4" placeholder:"N" help:"Calls of one tool that run at once; further ones wait. (${default})"`
	Clock       string           `default:"virtual" enum:"virtual,real" help:"Time that tools see: virtual (from 1970, sleeping costs nothing) or real. (${default})"`
	PublicKey   string           `placeholder:"FILE" type:"existingfile" help:"Serve only modules that are signed with the key whose public half this file holds (ingot keygen, ingot sign)."`
	Seed        string           `placeholder:"TEXT" help:"Make the tools' random numbers repeatable from this text; without it they come from the operating system."`
	Cache       string           `placeholder:"DIR" env:"INGOT_WASM_CACHE" help:"Folder for compiled modules, which nobody else may write to. (ingot/wasm in the user's cache folder; the environment variable INGOT_WASM_CACHE names another)"`
	NoCache     bool             `help:"Keep no compiled modules."`
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

// cacheDir is where compiled modules are kept, or empty: nowhere.
func (f policyFlags) cacheDir() string {
	switch {
	case f.NoCache:
		return ""
	case f.Cache != "":
		return f.Cache
	}
	dir, err := sandbox.DefaultCacheDir()
	if err != nil { // nobody's home: modules are compiled at each start
		return ""
	}
	return dir
}

// policy is the sandbox policy of the flags.
func (f policyFlags) policy() (sandbox.Policy, error) {
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
	if f.PublicKey != "" {
		text, err := os.ReadFile(f.PublicKey)
		if err != nil {
			return p, err
		}
		if p.PublicKey, err = signature.ParsePublicKey(text); err != nil {
			return p, fmt.Errorf("%s: %w", f.PublicKey, err)
		}
	}
	return p, nil
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
	case "serve", "serve <path>":
		err = line.Serve.run(ctx, stdin, stdout, stderr)
	case "explain", "explain <path>":
		err = line.Explain.run(ctx, stdout)
	case "inspect <path>":
		err = line.Inspect.run(ctx, stdout)
	case "bench <path>":
		err = line.Bench.run(ctx, stdout)
	case "version":
		_, err = fmt.Fprintln(stdout, command.VersionLine("wasm-host"))
	default:
		panic("a command without a case: " + parsed.Command())
	}
	if err != nil && !errors.Is(err, context.Canceled) { // told to stop
		fmt.Fprintf(stderr, "wasm-host: %v\n", err)
		if _, ok := errors.AsType[*command.UsageError](err); ok {
			return command.ExitUsage
		}
		return command.ExitFailure
	}
	return command.ExitOK
}
