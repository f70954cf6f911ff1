package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/check"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// commands is the command line of a built program.
type commands struct {
	Serve    serveCommand    `cmd:"" default:"withargs" help:"Serve the project; what the program does without a command."`
	Validate validateCommand `cmd:"" help:"Read the project with the variables that are set here, and say what is in it."`
	Test     testCommand     `cmd:"" help:"Run the tests of the project, each with an empty state in memory."`
	Version  versionFlag     `name:"version" help:"Print the project's version, and ingot's."`
}

// versionFlag prints the version in place of a command.
type versionFlag bool

// BeforeReset is kong's hook.
func (versionFlag) BeforeReset(app *kong.Kong, p *project) error {
	fmt.Fprintln(app.Stdout, p.version())
	app.Exit(command.ExitOK)
	return nil
}

// streams are where a command reads and writes.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Main is the whole of a program whose project is in an archive. It does not return.
func Main(archive []byte) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(Run(ctx, archive, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Run does what the arguments say until it is done or ctx ends, and returns the exit
// code: 0, 1 for a failure, 2 for a wrong command line.
func Run(ctx context.Context, archive []byte, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p, err := read(archive)
	if err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return command.ExitFailure
	}
	var c commands
	parsed, code, done := command.Parse(ctx, p.command(), p.about.Description, &c, args, stdout, stderr, kong.Bind(p))
	if done {
		return code
	}
	err = parsed.Run(streams{stdin, stdout, stderr})
	if err == nil {
		return command.ExitOK
	}
	fmt.Fprintf(stderr, "%s: %v\n", p.command(), err)
	if _, ok := errors.AsType[*command.UsageError](err); ok {
		return command.ExitUsage
	}
	return command.ExitFailure
}

// serveCommand is "PROGRAM serve".
type serveCommand struct {
	Listen string `placeholder:"HOST:PORT" help:"Address to listen on, in place of the one that the project names; port 0 takes a free one. One that other machines can reach needs --token-file or --oauth-issuer."`
	httpserve.Flags
	command.LogFlags
	dataFlag
}

// Run serves until the end of stdin, or of ctx.
func (c *serveCommand) Run(ctx context.Context, p *project, out streams) (err error) {
	file, done, err := p.unpack(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	return Serve(ctx, file, Serving{
		Listen: c.Listen, Access: &c.Flags, Stdin: out.stdin, Stdout: out.stdout, Logger: c.LogFlags.Logger(out.stderr),
	})
}

// dataFlag says where a project that writes keeps what it writes.
type dataFlag struct {
	Data string `placeholder:"DIR" help:"Folder that the project is unpacked to, and for what it writes. (default: a temporary one, or where it writes one of its own below ingot in the user's data directory)"`
}

// validateCommand is "PROGRAM validate".
type validateCommand struct{}

// Run reads the project's file and looks for its functions. Nothing is run and no module
// loaded.
func (validateCommand) Run(p *project, out streams) (err error) {
	file, done, err := p.unpackAside()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	read, err := config.Load(file, config.Options{})
	if err != nil {
		return err
	}
	listed, known := 0, forge.Handlers()
	for i := range read.Tools {
		t := &read.Tools[i]
		if t.Native != nil && t.Native.Path != "" && !slices.Contains(known, t.Native.Path) {
			return fmt.Errorf("%s: tool %s: the program registers no %q", t.Pos, t.Name, t.Native.Path)
		}
		if !t.Hidden {
			listed++
		}
	}
	_, err = fmt.Fprintf(out.stdout, "%s %s: %s, %s, %s\n", read.Forge.Name, read.Forge.Version,
		command.Counted(listed, "tool"), command.Counted(len(read.Resources), "resource"), command.Counted(len(read.Prompts), "prompt"))
	return err
}

// testCommand is "PROGRAM test".
type testCommand struct {
	Timeout time.Duration `default:"30s" placeholder:"DURATION" help:"How long a test may take that says nothing itself. (${default})"`
}

// Run runs the tests and says how they ended.
func (c *testCommand) Run(ctx context.Context, p *project, out streams) (err error) {
	file, done, err := p.unpackAside()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	read, tests, err := check.Load(file)
	switch {
	case err != nil:
		return err
	case len(tests) == 0:
		return errors.New("the project has no tests: write some under tests: in its file")
	}
	results, err := check.Run(ctx, file, tests, check.Options{
		Timeout: c.Timeout, Secrets: read.Secrets,
		Logger: slog.New(slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range results {
		verdict := "ok  "
		if !r.Passed {
			verdict = "FAIL"
			failed++
		}
		fmt.Fprintf(out.stdout, "%s %s\n", verdict, command.PlainLine(r.Name))
		for _, fault := range r.Faults {
			fmt.Fprintf(out.stdout, "     %s\n", strings.ReplaceAll(command.Plain(fault), "\n", "\n     "))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, len(results))
	}
	_, err = fmt.Fprintf(out.stdout, "%d tests passed\n", len(results))
	return err
}
