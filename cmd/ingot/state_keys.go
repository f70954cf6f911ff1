package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/state"
)

// stateGetCommand is "ingot state get".
type stateGetCommand struct {
	Name string `arg:"" name:"key" help:"The key."`
	keeperFlags
	JSON bool `name:"json" help:"Print the entry as JSON: value, or value_base64 where it is not text, version, expires_at."`
}

// Help ends the command's help.
func (*stateGetCommand) Help() string {
	return `Writes the value to stdout as it is, and on a terminal a line end behind it. The exit code is 1 when there is no such key.

Examples:

  ingot state get greeting
  ingot state get greeting --json
  ingot state get greeting --url http://127.0.0.1:7070`
}

// Run prints a value.
func (c *stateGetCommand) Run(ctx context.Context, out streams) (err error) {
	k, err := c.open(ctx, out, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	e, err := k.get(ctx, c.Name)
	if err != nil {
		return err
	}
	if !e.Found() {
		return fmt.Errorf("there is no key %q", c.Name)
	}
	if c.JSON {
		return writeLine(out.stdout, recordOf(c.Name, e.Value, e.Meta))
	}
	text := e.Value
	if command.Terminal(out.stdout) {
		text = []byte(command.Plain(strings.TrimSuffix(string(text), "\n")) + "\n")
	}
	_, err = out.stdout.Write(text)
	return err
}

// writeLine writes v as one line of JSON.
func writeLine(w io.Writer, v any) error {
	return writeIndented(w, v, "")
}

// stateSetCommand is "ingot state set".
type stateSetCommand struct {
	Name  string  `arg:"" name:"key" help:"The key."`
	Value *string `arg:"" optional:"" help:"The value; with --file, that of the file."`
	keeperFlags
	File      string        `placeholder:"FILE|-" help:"Take the value from a file, or from stdin with -."`
	TTL       time.Duration `name:"ttl" placeholder:"DURATION" help:"How long the entry lives, such as 90s or 24h. (for ever)"`
	IfVersion *uint64       `placeholder:"N" help:"Store only while the key is at this version; 0 is while it is absent."`
	JSON      bool          `name:"json" help:"Answer in JSON."`
}

// Help ends the command's help.
func (*stateSetCommand) Help() string {
	return `Prints the version of the entry. The exit code is 1 when --if-version did not hold.

Examples:

  ingot state set greeting hello
  ingot state set session/42 open --ttl 30m
  ingot state set greeting hi --if-version 1
  ingot state set picture --file logo.png`
}

// Validate is kong's hook.
func (c *stateSetCommand) Validate() error {
	switch {
	case (c.Value == nil) == (c.File == ""):
		return errors.New("give the value behind the key, or a file with --file")
	case c.TTL < 0 || c.TTL > state.TTLMax:
		return fmt.Errorf("--ttl is %v: it is above 0, and at most %v", c.TTL, state.TTLMax)
	}
	return nil
}

// setAnswer is what set answers in JSON.
type setAnswer struct {
	Stored  bool   `json:"stored"`
	Version uint64 `json:"version"`
}

// Run stores a value.
func (c *stateSetCommand) Run(ctx context.Context, out streams) (err error) {
	value, err := c.value(out.stdin)
	if err != nil {
		return err
	}
	k, err := c.open(ctx, out, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	version, ok, err := k.set(ctx, c.Name, value, setConditions{c.TTL, c.IfVersion})
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeLine(out.stdout, setAnswer{ok, version})
	} else if ok {
		_, err = fmt.Fprintln(out.stdout, version)
	}
	if err == nil && !ok {
		err = conflict(c.Name, version, *c.IfVersion)
	}
	return err
}

// conflict says that a condition did not hold.
func conflict(key string, found, wanted uint64) error {
	is := fmt.Sprintf("is at version %d", found)
	if found == 0 {
		is = "is absent"
	}
	if wanted == 0 {
		return fmt.Errorf("%q %s, and --if-version 0 asks that it is absent: nothing has changed", key, is)
	}
	return fmt.Errorf("%q %s, not at %d: nothing has changed", key, is, wanted)
}

func (c *stateSetCommand) value(stdin io.Reader) ([]byte, error) {
	if c.Value != nil {
		return []byte(*c.Value), nil
	}
	from := stdin
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return nil, command.Usage("--file: " + err.Error())
		}
		defer file.Close()
		from = file
	}
	value, err := io.ReadAll(io.LimitReader(from, state.ValueBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("reading the value: %w", err)
	}
	if len(value) > state.ValueBytesMax {
		return nil, fmt.Errorf("the value has more than %d bytes", state.ValueBytesMax)
	}
	return value, nil
}

// stateDeleteCommand is "ingot state delete".
type stateDeleteCommand struct {
	Names []string `arg:"" name:"key" sep:"none" help:"The keys."`
	keeperFlags
	IfVersion *uint64 `placeholder:"N" help:"Delete only while the key is at this version."`
	JSON      bool    `name:"json" help:"Answer in JSON, a line for each key."`
}

// Help ends the command's help.
func (*stateDeleteCommand) Help() string {
	return `The exit code is 1 when a key was absent, or --if-version did not hold.

Examples:

  ingot state delete greeting
  ingot state delete greeting --if-version 1`
}

// Validate is kong's hook.
func (c *stateDeleteCommand) Validate() error {
	if c.IfVersion != nil && (*c.IfVersion == 0 || len(c.Names) > 1) {
		return errors.New("--if-version is above 0, and goes with one key")
	}
	return nil
}

// deletion is what delete answers in JSON.
type deletion struct {
	Key     string `json:"key"`
	Deleted bool   `json:"deleted"`
	Version uint64 `json:"version,omitempty"`
}

// Run deletes keys.
func (c *stateDeleteCommand) Run(ctx context.Context, out streams) (err error) {
	k, err := c.open(ctx, out, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	var faults []error
	for _, name := range c.Names {
		version, deleted, err := k.delete(ctx, name, c.IfVersion)
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		if c.JSON {
			if err := writeLine(out.stdout, deletion{name, deleted, version}); err != nil {
				return err
			}
		}
		switch {
		case deleted:
		case version == 0:
			faults = append(faults, fmt.Errorf("there is no key %q", name))
		default:
			faults = append(faults, conflict(name, version, *c.IfVersion))
		}
	}
	return errors.Join(faults...)
}

// stateListCommand is "ingot state list".
type stateListCommand struct {
	Prefix string `arg:"" optional:"" help:"Keys that begin with this alone."`
	keeperFlags
	Limit int  `default:"0" placeholder:"N" help:"At most so many keys. (all)"`
	Long  bool `short:"l" help:"Show version, size and remaining life too."`
	JSON  bool `name:"json" help:"Print each key as a line of JSON, with key, size, version and expires_at."`
}

// Help ends the command's help.
func (*stateListCommand) Help() string {
	return `Keys come in the order of their bytes, one a line; a key that would break its line is shown as a Go string.

Examples:

  ingot state list
  ingot state list session/ --long
  ingot state list --limit 10 --json`
}

// Validate is kong's hook.
func (c *stateListCommand) Validate() error {
	if c.Limit < 0 {
		return errors.New("--limit is not below 0")
	}
	return nil
}

// listedKey is a line of list --json.
type listedKey struct {
	Key       string `json:"key,omitempty"`
	KeyBytes  []byte `json:"key_base64,omitempty"`
	Size      int64  `json:"size"`
	Version   uint64 `json:"version"`
	ExpiresAt int64  `json:"expires_at,omitempty"`
}

// Run prints keys, a page at a time.
func (c *stateListCommand) Run(ctx context.Context, out streams) (err error) {
	k, err := c.open(ctx, out, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	w := bufio.NewWriter(out.stdout)
	left := c.Limit
	err = eachPage(ctx, k, c.Prefix, func(page []listed) (bool, error) {
		for i := range page {
			if c.Limit > 0 && left == 0 {
				return false, nil
			}
			left--
			if err := c.print(w, &page[i]); err != nil {
				return false, err
			}
		}
		return true, w.Flush()
	})
	return errors.Join(err, w.Flush())
}

// eachPage calls f with each page of keys, as long as it returns true.
func eachPage(ctx context.Context, k keeper, prefix string, f func(page []listed) (more bool, err error)) error {
	for cursor := ""; ; {
		page, next, err := k.list(ctx, prefix, cursor)
		if err != nil {
			return err
		}
		more, err := f(page)
		if err != nil || !more || next == "" {
			return err
		}
		cursor = next
	}
}

func (c *stateListCommand) print(w io.Writer, e *listed) error {
	if c.JSON {
		r := recordOf(e.key, nil, e.Meta)
		return writeLine(w, listedKey{r.Key, r.KeyBytes, e.size, e.Version, e.ExpiresAt})
	}
	if !c.Long {
		_, err := fmt.Fprintln(w, shownKey(e.key))
		return err
	}
	life := "for ever"
	if e.ExpiresAt != 0 {
		life = time.Until(time.UnixMilli(e.ExpiresAt)).Round(time.Second).String()
	}
	_, err := fmt.Fprintf(w, "%-10d %10d %-12s %s\n", e.Version, e.size, life, shownKey(e.key))
	return err
}

// shownKey is a key on a line of its own.
func shownKey(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(key, "\ufffd") || strings.HasPrefix(key, `"`) {
		return strconv.Quote(key)
	}
	return key
}
