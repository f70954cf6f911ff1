package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/program"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// devCommand is "ingot dev".
type devCommand struct {
	File   string        `arg:"" optional:"" help:"The file; forge.yaml or pforge.yaml in this folder otherwise."`
	Listen string        `placeholder:"HOST:PORT" help:"Address to listen on, whatever transport the file says; port 0 takes a free one."`
	Poll   time.Duration `default:"100ms" help:"How often the files are looked at. (${default})"`
	httpserve.Flags
}

// pollMin is the shortest --poll: looking is not free.
const pollMin = 5 * time.Millisecond

// Help is kong's hook.
func (*devCommand) Help() string {
	return `It serves as "ingot serve --config" does, and looks at the file, what it includes and the modules that it names. When they change, calls go to the new tools from then on, those that run end on the old ones, and clients stay connected and are told of lists that changed. What changed is shown on stderr; so is each problem of a file that is wrong, while what served before goes on.

The state, and the server's name, version, description, transport and address, are those of the start.

Examples:

  ingot dev
  ingot dev project/forge.yaml
  ingot dev --listen 127.0.0.1:7070`
}

// Run serves until the end of stdin or of ctx.
func (c *devCommand) Run(ctx context.Context, out streams) error {
	if c.Poll < pollMin {
		return command.Usage(fmt.Sprintf("--poll is at least %s", pollMin))
	}
	file, err := configFile(c.File)
	if err != nil {
		return err
	}
	report := &devReport{out: out.stderr, colors: command.ColorsFor(out.stderr)}
	return program.Serve(ctx, file, program.Serving{
		Listen: c.Listen, Access: &c.Flags, Stdin: out.stdin, Stdout: out.stdout, Logger: slog.New(slog.NewTextHandler(out.stderr, nil)),
		Options: forge.Options{WatchFiles: true, WatchInterval: c.Poll, Reloaded: report.reloaded},
		Beside:  report.begun,
		Page:    func(door *httpserve.Door) (http.Handler, error) { return newPage(door, c.AllowHost) },
	})
}

// devReport shows a person what became of each change.
type devReport struct {
	out    io.Writer
	colors command.Colors
	broken bool // the last change could not be served
}

// begun shows what is followed.
func (r *devReport) begun(_ context.Context, _ func(), p *forge.Project) (stop func()) {
	files := p.Files()
	text := "following " + files[0]
	if more := len(files) - 1; more > 0 {
		text += " and " + counted(more, "other file")
	}
	fmt.Fprintln(r.out, r.colors.Dim(command.PlainLine(text)))
	return func() {}
}

// reloaded is forge.Options.Reloaded.
func (r *devReport) reloaded(d *forge.Diff, err error) {
	var text strings.Builder
	switch {
	case err != nil:
		r.broken = true
		r.problems(&text, err)
	case d.Any() || r.broken:
		r.broken = false
		r.changes(&text, d)
	default:
		return
	}
	_, _ = io.WriteString(r.out, text.String()) // nobody is left to be told
}

// problems shows what is wrong, a line each.
func (r *devReport) problems(text *strings.Builder, err error) {
	what := "not served"
	if wrong, ok := errors.AsType[*config.Problems](err); ok {
		what = counted(len(wrong.List)+wrong.LeftOut, "problem")
	}
	fmt.Fprintf(text, "%s%s\n", r.colors.Red(what), r.colors.Bold("; what served before goes on"))
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(text, "  %s\n", r.colors.Red(command.PlainLine(line)))
	}
}

// changes shows what is served from now on.
func (r *devReport) changes(text *strings.Builder, d *forge.Diff) {
	if len(d.Items) == 0 {
		fmt.Fprintf(text, "%s\n", r.colors.Bold("served as it was before"))
	} else {
		fmt.Fprintf(text, "%s\n", r.colors.Bold(counted(len(d.Items), "change")+" served"))
	}
	for _, item := range d.Items {
		line := command.PlainLine(item.String())
		switch item.Op {
		case forge.Added:
			line = r.colors.Green(line)
		case forge.Removed:
			line = r.colors.Red(line)
		}
		fmt.Fprintf(text, "  %s\n", line)
	}
	for _, restart := range d.Restart {
		fmt.Fprintf(text, "  %s\n", r.colors.Bold("! "+command.PlainLine(restart)))
	}
}
