// Command ingot serves a state engine over MCP and shows it on a page.
//
//	ingot serve [--listen 127.0.0.1:7070] [--token-file FILE] [--data DIR | --memory]
//	ingot serve --config forge.yaml
//	ingot dev [FILE]
//	ingot test [FILE] [--filter TEXT] [--json] [--junit FILE]
//	ingot call TOOL key=value… [--config FILE | --url URL] [--args JSON|@FILE|-] [--json]
//	ingot inspect [FILE|URL] [--json]
//	ingot state get|set|list|delete|export|import [--data DIR | --config FILE | --url URL]
//	ingot state watch KEY… --url URL
//	ingot state backup FILE [--since FILE] [--data DIR | --config FILE | --url URL]
//	ingot state restore FILE… [--data DIR] [--check]
//	ingot state verify|repair|dump|compact DIR [--json]
//	ingot audit verify|tail|query FILE
//	ingot new NAME [--template minimal|full|http|cli|wasm-go|wasm-rust|wasm-c|wasm-as]
//	ingot build [DIR] [--out FILE] [--source DIR]
//	ingot guest test TOOL.wasm [--json]
//	ingot validate [FILE] [--json]
//	ingot health [URL] [--alive]
//	ingot doctor [--config FILE | --data DIR] [--json]
//	ingot keygen NAME
//	ingot sign TOOL.wasm --key NAME.key
//	ingot verify TOOL.wasm --key NAME.pub
//	ingot completion bash|zsh|fish
//	ingot version
//
// serve answers MCP over streamable HTTP at /mcp, HTTP+SSE at /sse and WebSocket
// at /ws, and shows a page at /. On an address that other machines can reach it
// asks for a bearer token, its owner's (--token-file) or one of an authorization
// server (--oauth-issuer), and bounds each client's rate.
// It prints both addresses and ready-to-paste client configurations on stdout,
// and logs on stderr. SIGINT and SIGTERM end it: no new connection is taken,
// calls in flight are answered, and it exits with 0. The state is in a directory,
// which one process has at a time: the next one is told who.
//
// With a configuration, serve is the server that the file names: its tools, prompts
// and state, over the transport that it says; SIGHUP has it read the file again. dev
// follows each change of the file.
//
// test calls the tools as the tests of a file say, each with an empty state of its own,
// and compares what they answer. call calls one tool, of a file or of a running server,
// with arguments that are read by its input schema; inspect shows what a file makes, with
// the middleware of each tool, or how a running server stands. All three speak MCP to the
// server, also to one in their own process.
//
// state reads, writes and moves entries: of such a directory while nobody serves it, of
// the state that a forge.yaml names, or of a running server. verify reads all of a
// directory and says what is damaged, repair makes a store of what is whole, dump writes
// the entries as JSON lines, compact rewrites them without the log.
//
// new begins a server of one file, or a tool in one of four languages. build makes one
// static program of a project with a forge.yaml, with its Go functions and the files that
// it names inside, and a module of a tool; guest test loads such a module, calls it in
// every way and says what is wrong with it.
//
// sign and verify are for WebAssembly tools, which a host can be told to load only
// when the holder of a key has signed them.
//
// # Caveats
//
//   - Without --access whoever has a token of a --token-file may do everything. Scopes of OAuth
//     can be asked for tool by tool (--oauth-tool-scope).
//   - The page is served to everybody; where a token is asked for it asks its
//     user, and shows nothing of the state before.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ingot-run/ingot/internal/command"
)

// commands is the command line of ingot.
type commands struct {
	Serve      serveCommand      `cmd:"" help:"Serve the state over MCP at /mcp, and a page that shows it at /."`
	Test       testCommand       `cmd:"" help:"Run the tests of a forge.yaml: call its tools and compare what they answer."`
	Dev        devCommand        `cmd:"" help:"Serve a forge.yaml, and follow its changes."`
	Inspect    inspectCommand    `cmd:"" help:"Show what a forge.yaml makes, or how a running server stands."`
	Call       callCommand       `cmd:"" help:"Call a tool, of a forge.yaml or of a running server."`
	State      stateCommand      `cmd:"" help:"Read, write, move and watch a state, and look after its directory."`
	Audit      auditCommand      `cmd:"" help:"Verify and read the record of who did what."`
	Keygen     keygenCommand     `cmd:"" help:"Make a pair of keys for signing tools."`
	Sign       signCommand       `cmd:"" help:"Sign a WebAssembly tool: writes TOOL.wasm.sig beside it."`
	Verify     verifyToolCommand `cmd:"" help:"Check a tool's signature against a public key."`
	Validate   validateCommand   `cmd:"" help:"Check a forge.yaml: say all that is wrong with it, or what is in it."`
	Doctor     doctorCommand     `cmd:"" help:"Look whether a server would do well here: configuration, disk, clock, address, keys, redis."`
	Health     healthCommand     `cmd:"" help:"Ask a running server whether it is ready, or lives."`
	New        newCommand        `cmd:"" help:"Begin a server or a tool: writes a project that passes its own tests."`
	Build      buildCommand      `cmd:"" help:"Make one program of a project with a forge.yaml, or a module of a tool."`
	Guest      guestCommand      `cmd:"" help:"Look after WebAssembly tools."`
	Completion completionCommand `cmd:"" help:"Print the script that completes command lines of a shell."`
	Version    versionCommand    `cmd:"" help:"Print the version, and what the engine runs on here."`
}

// streams are where a command reads and writes.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run does what the arguments say until it is done or ctx ends, and returns the
// exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == completeWord {
		return complete(args[1:], stdout)
	}
	var c commands
	parsed, code, done := command.Parse(ctx, "ingot", "A state engine, and the MCP server on it.", &c, args, stdout, stderr)
	if done {
		return code
	}
	err := parsed.Run(streams{stdin, stdout, stderr})
	if err == nil {
		return command.ExitOK
	}
	fmt.Fprintf(stderr, "ingot: %s\n", command.Plain(err.Error())) // it may hold a server's words
	if _, ok := errors.AsType[*command.UsageError](err); ok {
		return command.ExitUsage
	}
	return command.ExitFailure
}

// versionCommand is "ingot version".
type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(out streams) error {
	_, err := fmt.Fprintln(out.stdout, command.VersionLine("ingot"))
	return err
}
