package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/wasmtools"
	"github.com/ingot-run/ingot/state"
)

type explainCommand struct {
	policyFlags
	Config string `placeholder:"FILE" help:"Explain the tools of type wasm of this forge.yaml."`
	Path   string `arg:"" optional:"" help:"The module."`
}

// Validate is kong's hook: its error makes the command line wrong.
func (c *explainCommand) Validate() error {
	if (c.Config == "") == (c.Path == "") {
		return errors.New("name one module, or a forge.yaml with --config")
	}
	return c.policyFlags.Validate()
}

// run explains one module, or those of a configuration.
func (c *explainCommand) run(ctx context.Context, stdout io.Writer) error {
	manager, err := state.Open(state.Options{}) // so that what grants state can be loaded
	if err != nil {
		return err
	}
	defer manager.Close()
	host := sandbox.New(sandbox.Options{State: manager, CacheDir: c.cacheDir()})
	defer host.Close(ctx)
	if c.Path != "" {
		module, err := load(ctx, host, c.Path, c.policyFlags)
		if err != nil {
			return err
		}
		_, err = io.WriteString(stdout, explain(module))
		return err
	}
	sources, err := wasmtools.Config(c.Config, grants.Options{}).Sources()
	if err != nil {
		return err
	}
	for i, s := range sources {
		raw, policy, err := s.Open()
		if err != nil {
			return err
		}
		module, err := host.Load(ctx, s.Name, raw, policy)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		if _, err := io.WriteString(stdout, explain(module)); err != nil {
			return err
		}
	}
	return nil
}

// explain is the report on a module.
func explain(module *sandbox.Module) string {
	var r report
	info, p := module.Info(), module.Policy()
	for _, d := range module.Tools() {
		r.heading("%s", d.Name)
		r.line("title", "%s", d.Title)
		r.line("description", "%s", d.Description)
		r.line("hints", "%s (the tool's own words: nobody checks them)", hints(d.Annotations))
	}
	r.line("file", "%s, %s", info.File, sizeText(uint64(info.ModuleBytes)))
	r.line("sha256", "%s", info.SHA256)
	r.line("ABI", "%s", info.ABI)
	r.line("code", "%d functions, compile work %d of %d", info.Functions, info.CompileWork, p.Limits.CompileWorkMax)

	r.line("memory", "starts with %s%s", sizeText(info.MemoryBytesMin), ownMaximum(info))

	may, mayNot := p.Explain()
	r.heading("it may, in each call")
	for _, what := range may {
		r.item("%s", what)
	}
	r.heading("it may not")
	for _, what := range mayNot {
		r.item("%s", what)
	}

	r.heading("it imports")
	if len(info.Imports) == 0 {
		r.item("nothing: it can only compute")
	}
	var seen sandbox.Import
	slices.SortFunc(info.Imports, func(a, b sandbox.Import) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Name, b.Name))
	})
	for _, i := range info.Imports {
		if i != seen { // a module may import a function more than once
			r.item("%s.%s: %s", i.Module, i.Name, meaning(i))
		}
		seen = i
	}
	return r.String()
}

// report is text in two columns.
type report struct{ strings.Builder }

func (r *report) heading(format string, args ...any) {
	if r.Len() > 0 {
		r.WriteByte('\n')
	}
	fmt.Fprintf(r, format+"\n", args...)
}

func (r *report) item(format string, args ...any) {
	fmt.Fprintf(r, "  "+format+"\n", args...)
}

// line writes a name and a value; nothing when the value is empty. Values may be
// a stranger's words: what could steer a terminal is left out.
func (r *report) line(name, format string, args ...any) {
	value := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, fmt.Sprintf(format, args...))
	if value != "" {
		fmt.Fprintf(r, "  %-12s %s\n", name, value)
	}
}

// sizeText writes a size with the largest unit that divides it.
func sizeText(n uint64) string {
	for _, u := range []struct {
		size uint64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

func ownMaximum(info sandbox.Info) string {
	if info.MemoryBytesMax == 0 {
		return ""
	}
	return ", and never wants more than " + sizeText(info.MemoryBytesMax)
}

// hints words the annotations.
func hints(a *sandbox.Annotations) string {
	if a == nil {
		return "none"
	}
	var said []string
	for _, h := range []struct {
		value   *bool
		yes, no string
	}{
		{a.ReadOnlyHint, "read-only", "changes things"},
		{a.DestructiveHint, "may destroy", "destroys nothing"},
		{a.IdempotentHint, "repeatable", "not repeatable"},
		{a.OpenWorldHint, "deals with the outside", "deals with nothing outside"},
	} {
		if h.value != nil {
			said = append(said, map[bool]string{true: h.yes, false: h.no}[*h.value])
		}
	}
	if len(said) == 0 {
		return "none"
	}
	return strings.Join(said, ", ")
}

// meanings says what an import is for, by name or, ending in *, by what the name
// begins with. How far it reaches stands above it, with the grants.
var meanings = []struct{ name, meaning string }{
	{"ingot.log", "writes a line to the host's log"},
	{"ingot.progress", "tells the caller how far it is"},
	{"ingot.reply", "fetches what another function answered"},
	{"ingot.state_*", "reaches state, as far as it is granted"},
	{"ingot.http_request", "sends requests, as far as it is granted"},
	{"wasi_snapshot_preview1.args_*", "sees no arguments"},
	{"wasi_snapshot_preview1.environ_*", "sees the environment variables that are granted"},
	{"wasi_snapshot_preview1.clock_*", "reads the clock above"},
	{"wasi_snapshot_preview1.random_get", "reads random bytes as above"},
	{"wasi_snapshot_preview1.fd_write", "writes to the host's log (stdout and stderr) and to granted files"},
	{"wasi_snapshot_preview1.fd_read", "reads an empty input and granted files"},
	{"wasi_snapshot_preview1.fd_*", "reaches files, as far as they are granted"},
	{"wasi_snapshot_preview1.path_*", "reaches files, as far as they are granted"},
	{"wasi_snapshot_preview1.sock_*", "finds no sockets: there are none"},
	{"wasi_snapshot_preview1.poll_oneoff", "sleeps by the clock above, until its time is over"},
	{"wasi_snapshot_preview1.sched_yield", "does nothing"},
	{"wasi_snapshot_preview1.proc_*", "ends its own instance"},
	{"extism:host/env.http_*", "sends requests, as far as it is granted"},
	{"extism:host/env.config_get", "reads the configuration values that are granted"},
	{"extism:host/env.*", "exchanges data with the host"},
}

func meaning(i sandbox.Import) string {
	full := i.Module + "." + i.Name
	for _, m := range meanings {
		prefix, open := strings.CutSuffix(m.name, "*")
		if full == m.name || open && strings.HasPrefix(full, prefix) {
			return m.meaning
		}
	}
	return "part of the host; docs/ABI.md has it"
}
