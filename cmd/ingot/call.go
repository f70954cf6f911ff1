package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/mcpclient"
	"github.com/ingot-run/ingot/internal/toolargs"
	"github.com/ingot-run/ingot/internal/yamlfile"
)

// argumentsMax bounds what --args reads.
const argumentsMax = 64 << 20

// callCommand is "ingot call".
type callCommand struct {
	Tool string   `arg:"" help:"The tool."`
	Pair []string `arg:"" optional:"" name:"key=value" sep:"none" help:"Its arguments, read by the tool's input schema: city=Oslo, days=3, tags=a,b (or the key again), at.lat=59.9, or JSON for an array or an object."`
	targetFlags
	Args    string        `placeholder:"JSON|@FILE|-" help:"All arguments as a JSON object, in a file with @, or from stdin with -. Those behind the tool are put into it."`
	JSON    bool          `name:"json" help:"Print the whole result as JSON."`
	Out     string        `placeholder:"FILE" type:"path" help:"Write the images, audio or files of the result here; a second one is FILE-2."`
	Timeout time.Duration `default:"1m" placeholder:"DURATION" help:"How long all of it may take. (${default})"`
	Quiet   bool          `short:"q" help:"Show neither progress nor what the tool logs."`
}

// Help ends "ingot call --help".
func (*callCommand) Help() string {
	return `The result goes to stdout, progress and what the tool logs to stderr. The exit code is 1 when the tool answered with an error, or did not answer, and 2 when the command line was wrong.

Examples:

  ingot call add a=1.5 b=2
  ingot call greet --args '{"name":"Ada"}' --json
  ingot call print words=one,two words=three
  ingot call state_get key=greeting --url http://127.0.0.1:7070`
}

// Validate is kong's hook.
func (c *callCommand) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout is %v: it must be more than 0", c.Timeout)
	}
	return nil
}

// Run calls the tool and prints what it answers.
func (c *callCommand) Run(ctx context.Context, out streams) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("there is no answer after %v: give it longer with --timeout", c.Timeout))
	defer cancel()
	talk := &narrator{live: command.NewLive(out.stderr), quiet: c.Quiet}
	client, closeTarget, err := c.open(ctx, out, mcpclient.Options{Notify: talk.told, LogLevel: "info"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTarget()) }()
	tool, err := findTool(ctx, client, c.Tool)
	if err != nil {
		return err
	}
	arguments, err := c.arguments(tool, out.stdin)
	if err != nil {
		return err
	}
	result, err := client.CallTool(ctx, tool.Name, arguments, talk.progress)
	talk.end()
	if err != nil {
		return fmt.Errorf("%s: %w", tool.Name, err)
	}
	return c.print(out, result)
}

// findTool finds a tool by its name.
func findTool(ctx context.Context, client *mcpclient.Client, name string) (*mcpclient.Tool, error) {
	tools, err := client.Tools(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range tools {
		if tools[i].Name == name {
			return &tools[i], nil
		}
		names = append(names, tools[i].Name)
	}
	if len(names) == 0 {
		return nil, command.Usage(fmt.Sprintf("there is no tool %q: %s has none", name, client.Server().Name))
	}
	return nil, command.Usage(command.Plain(fmt.Sprintf("there is no tool %q%s", name, yamlfile.Nearest(name, names))))
}

// arguments makes the call's arguments of the command line.
func (c *callCommand) arguments(tool *mcpclient.Tool, stdin io.Reader) (json.RawMessage, error) {
	var base []byte
	switch {
	case c.Args == "-":
		text, err := readBounded(stdin, "stdin")
		if err != nil {
			return nil, err
		}
		base = text
	case strings.HasPrefix(c.Args, "@"):
		file, err := os.Open(c.Args[1:])
		if err != nil {
			return nil, command.Usage("--args: " + err.Error())
		}
		defer file.Close()
		if base, err = readBounded(file, c.Args[1:]); err != nil {
			return nil, err
		}
	case c.Args != "":
		base = []byte(c.Args)
	}
	made, err := toolargs.Parse(tool.InputSchema, base, c.Pair)
	if err != nil {
		return nil, command.Usage(command.Plain(fmt.Sprintf("%s: %v", c.Tool, err)))
	}
	return made, nil
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, argumentsMax+1))
	if err != nil {
		return nil, fmt.Errorf("reading the arguments from %s: %w", name, err)
	}
	if len(text) > argumentsMax {
		return nil, command.Usage(fmt.Sprintf("--args: %s has more than %d bytes", name, argumentsMax))
	}
	return text, nil
}

// toolError is a result that says the tool failed.
type toolError struct{ tool, text string }

// Error is the tool's own words.
func (e *toolError) Error() string {
	if e.text == "" {
		return e.tool + " answered with an error"
	}
	return e.tool + ": " + e.text
}

// print writes a result: what there is to read to stdout, the rest into files. A result
// that is an error goes to stderr.
func (c *callCommand) print(out streams, r *mcpclient.Result) error {
	if c.JSON {
		var whole bytes.Buffer
		if err := json.Indent(&whole, r.Raw, "", "  "); err != nil {
			return fmt.Errorf("the result is no JSON: %w", err)
		}
		if _, err := fmt.Fprintf(out.stdout, "%s\n", visible(bytes.ToValidUTF8(whole.Bytes(), []byte("\ufffd")))); err != nil {
			return err
		}
	}
	text, blobs := readable(r)
	if err := c.save(out.stderr, blobs); err != nil {
		return err
	}
	switch {
	case r.IsError && c.JSON:
		return &toolError{tool: c.Tool}
	case r.IsError:
		return &toolError{c.Tool, command.Plain(strings.TrimSpace(text))}
	case c.JSON || text == "":
		return nil
	}
	if command.Terminal(out.stdout) {
		text = command.Plain(text)
	}
	_, err := io.WriteString(out.stdout, text)
	return err
}

// blob is a part of a result that is not text.
type blob struct {
	kind string
	data []byte
}

// readable is what there is to read in a result, each part ended by a line end, and what
// there is beside it.
func readable(r *mcpclient.Result) (string, []blob) {
	var text strings.Builder
	var blobs []blob
	add := func(s string) {
		text.WriteString(s)
		if !strings.HasSuffix(s, "\n") {
			text.WriteByte('\n')
		}
	}
	for _, c := range r.Content {
		switch {
		case c.Type == "text":
			add(c.Text)
		case c.Type == "resource_link":
			add(c.URI)
		case c.Resource != nil && c.Resource.Blob == nil:
			add(c.Resource.Text)
		case c.Resource != nil:
			blobs = append(blobs, blob{c.Resource.MIMEType, c.Resource.Blob})
		default:
			blobs = append(blobs, blob{c.MIMEType, c.Data})
		}
	}
	if len(r.Content) == 0 && len(r.Structured) > 0 {
		add(string(r.Structured))
	}
	return text.String(), blobs
}

// save writes blobs into files, or says that there are some.
func (c *callCommand) save(stderr io.Writer, blobs []blob) error {
	for i, b := range blobs {
		what := command.PlainLine(fmt.Sprintf("%s, %d bytes", b.kind, len(b.data)))
		if c.Out == "" {
			fmt.Fprintf(stderr, "The result has something that is not text (%s): --out FILE writes it.\n", what)
			continue
		}
		name := c.Out
		if i > 0 {
			ending := filepath.Ext(name)
			name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ending), i+1, ending)
		}
		if err := os.WriteFile(name, b.data, 0o666); err != nil {
			return fmt.Errorf("writing what is not text: %w", err)
		}
		fmt.Fprintf(stderr, "%s: %s\n", name, what)
	}
	return nil
}

// narrator tells on stderr what happens during a call.
type narrator struct {
	quiet bool
	mu    sync.Mutex
	live  *command.Live
}

func (n *narrator) progress(p mcpclient.Progress) {
	text := fmt.Sprintf("%g", p.Progress)
	if p.Total > 0 {
		text = fmt.Sprintf("%g of %g", p.Progress, p.Total)
	}
	if p.Message != "" {
		text += ": " + p.Message
	}
	n.say(func() { n.live.Show(text) })
}

// told shows log messages.
func (n *narrator) told(method string, params json.RawMessage) {
	var m struct {
		Level, Logger string
		Data          json.RawMessage
	}
	if method != "notifications/message" || json.Unmarshal(params, &m) != nil {
		return
	}
	text := string(m.Data)
	var plain string
	if json.Unmarshal(m.Data, &plain) == nil {
		text = plain
	}
	if m.Logger != "" {
		text = m.Logger + ": " + text
	}
	n.say(func() { n.live.Line(m.Level + ": " + text) })
}

func (n *narrator) say(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.quiet {
		f()
	}
}

// end takes the line away that is rewritten, and shows nothing more.
func (n *narrator) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live.Clear()
	n.quiet = true
}
