// Command mcp-stdio serves a state store over MCP on standard input and output,
// for clients that start their servers themselves.
//
//	mcp-stdio [--data DIR | --memory] [--max-bytes 1GiB]
//
// Only JSON-RPC goes to stdout, one message a line; logs go to stderr. At the
// end of input the calls in flight are answered and it exits with 0; SIGINT and
// SIGTERM cancel them and end it. The state is in a directory and outlives the
// process; a write is on the disk when it is answered.
//
// # Caveats
//
// One process at a time has a directory: the second is told who the first is, and
// ends. Clients that run at the same time need directories of their own, by --data.
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

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/seal"
	"github.com/ingot-run/ingot/state"
)

// options is the command line of mcp-stdio.
type options struct {
	command.StoreFlags
	LogLevel slog.Level  `default:"info" placeholder:"LEVEL" help:"Least level that is logged to stderr: debug, info, warn or error. (${default})"`
	Version  versionFlag `help:"Print the version and exit."`
}

// versionFlag prints the version while the line is parsed, as --help does.
type versionFlag bool

// BeforeReset is kong's hook for a flag that acts at once.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, command.VersionLine("mcp-stdio"))
	app.Exit(command.ExitOK)
	return nil
}

const instructions = "A key-value state store. Every entry has a version, which can be the condition of a later write."

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run serves stdin and stdout until the end of input or of ctx, and returns the
// exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var o options
	if _, code, done := command.Parse(ctx, "mcp-stdio", "A state store for MCP clients, over stdin and stdout.", &o, args, stdout, stderr); done {
		return code
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.LogLevel}))
	if err := serve(ctx, o, stdin, stdout, logger); err != nil {
		if errors.Is(err, context.Canceled) {
			return command.ExitOK // told to stop
		}
		logger.Error("serving ended", "error", err)
		return command.ExitFailure
	}
	return command.ExitOK
}

func serve(ctx context.Context, o options, stdin io.Reader, stdout io.Writer, logger *slog.Logger) (err error) {
	store, closeStore, err := o.Open(ctx, "stdio", logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	defer command.StartTicking(store)()
	m := state.Embed(store)
	server := mcp.NewServer(mcp.Options{
		Name: "ingot", Title: "ingot state", Version: command.Version(), Instructions: instructions, Logger: logger,
		Tasks:  statetools.NewTasks(m),
		Sealer: seal.New(nil), // a wasm build has none of itself, and state_wait makes tasks
	})
	defer server.Close()
	statetools.Register(server, state.Public(m))
	statetools.RegisterResources(server, state.Public(m), statetools.ResourceOptions{Logger: logger})
	return server.ServeStdio(ctx, stdin, stdout)
}
