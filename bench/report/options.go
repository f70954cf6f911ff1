package report

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// Options are those that every bench command takes. A command embeds them in its
// own and fills in Name, Rounds and Phase, which are the defaults.
type Options struct {
	Name   string        // of the command's section, as bench-mcp; the make target that runs it has the same
	Rounds int           // how many times everything is measured
	Phase  time.Duration // length of one timed measure; a command for which it is 0 has no --phase
	Quick  bool          // one short round: proves that the command works, measures nothing
	Out    string        // Markdown file that the section goes into
	Root   string        // of the repository, once Parse has returned

	command string // see Command
}

// Flags returns a flag set with the options every command takes: the command adds
// its own and hands the set to Parse. o is where the values go.
func (o *Options) Flags() *flag.FlagSet {
	flags := flag.NewFlagSet(o.Name, flag.ContinueOnError)
	flags.IntVar(&o.Rounds, "rounds", o.Rounds, "how many times everything is measured")
	if o.Phase != 0 {
		flags.DurationVar(&o.Phase, "phase", o.Phase, "length of each timed measure")
	}
	flags.BoolVar(&o.Quick, "quick", false, "one short round into a temporary file: proves that the command works, measures nothing")
	flags.StringVar(&o.Out, "out", "", "Markdown file to write the section into (default docs/BENCHMARKS.md)")
	return flags
}

// Parse reads args into flags, which came from Flags, and finds the repository and
// the file to write. With --quick there is one round; the phase is the caller's to
// shorten. --help writes the options to stderr and returns flag.ErrHelp.
func (o *Options) Parse(flags *flag.FlagSet, args []string, stderr io.Writer) (err error) {
	flags.SetOutput(io.Discard) // Exit says what is wrong
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w; --help lists the options", err)
	case flags.NArg() > 0:
		return fmt.Errorf("%q is not an option: there are no arguments beside the options, which --help lists", flags.Arg(0))
	case o.Rounds < 1:
		return fmt.Errorf("--rounds is %d: want at least 1", o.Rounds)
	case o.Phase <= 0 && flags.Lookup("phase") != nil:
		return fmt.Errorf("--phase is %v: want a time above 0, as 500ms", o.Phase)
	}
	o.command = commandLine(o.Name, flags)
	if o.Root, err = Root(); err != nil {
		return err
	}
	if o.Quick {
		o.Rounds = 1
	}
	switch {
	case o.Out != "":
	case o.Quick:
		o.Out = filepath.Join(os.TempDir(), "ingot-"+o.Name+".md")
	default:
		o.Out = filepath.Join(o.Root, "docs", "BENCHMARKS.md")
	}
	return nil
}

// commandLine is the command that measures with these flags once more. Where it
// writes is left out.
func commandLine(name string, flags *flag.FlagSet) string {
	var given []string
	flags.Visit(func(f *flag.Flag) {
		value := f.Value.String()
		switch boolean, ok := f.Value.(interface{ IsBoolFlag() bool }); {
		case f.Name == "out", filepath.IsAbs(value):
		case ok && boolean.IsBoolFlag() && value == "true":
			given = append(given, "--"+f.Name)
		default:
			given = append(given, "--"+f.Name+"="+value)
		}
	})
	if len(given) == 0 {
		return "make " + name
	}
	return fmt.Sprintf("make %s FLAGS='%s'", name, strings.Join(given, " "))
}

// Origin says where a section's figures come from: the command, the machine, the
// day, how often and how long each thing was measured. It stands below the
// section's title.
func (o *Options) Origin(m Machine) string {
	text := fmt.Sprintf("`%s`\n\n%s, %s; %s; medians of %d interleaved rounds", o.command, m.CPU, m.System, time.Now().UTC().Format(time.DateOnly), o.Rounds)
	if o.Phase > 0 {
		text += fmt.Sprintf(", %v per measure", o.Phase)
	}
	text += ".\n"
	if o.Quick {
		text += "\n**A quick run: it proves that the command works and measures nothing.**\n"
	}
	return text
}

// Publish prints a section, which Section made with o.Name, and puts it into o.Out.
func (o *Options) Publish(section string, stdout io.Writer) error {
	fmt.Fprint(stdout, "\n", section)
	if err := Splice(o.Out, o.Name, section); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "\nwritten to", o.Out)
	return nil
}

// Main runs a command until it ends or is interrupted, and exits with its code.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit says on stderr what err is and returns the exit code of the command name:
// 0 without an error and after --help, else 1.
func Exit(name string, err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return 1
}
