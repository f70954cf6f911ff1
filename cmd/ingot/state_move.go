package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/state"
)

// Bounds of what an export and an import hold at once.
const (
	moveBytes    = 2 << 20   // of the values of a batch, unless one alone has more
	lineBytesMax = 512 << 20 // of a line: a value and a key as escaped as JSON can
	sayEvery     = 250 * time.Millisecond
)

// stateExportCommand is "ingot state export".
type stateExportCommand struct {
	Prefix string `arg:"" optional:"" help:"Keys that begin with this alone."`
	keeperFlags
	Out string `placeholder:"FILE" type:"path" help:"Write into a file, which has its name once it is complete. (stdout)"`
}

// Help ends the command's help.
func (*stateExportCommand) Help() string {
	return `A line of JSON for each entry: key, value, version and expires_at; key_base64 and value_base64 where they are not text. ingot state import reads it. What is written meanwhile may be in it or not.

Examples:

  ingot state export > entries.jsonl
  ingot state export session/ --out sessions.jsonl
  ingot state export --url http://127.0.0.1:7070 --out entries.jsonl`
}

// Run writes the entries.
func (c *stateExportCommand) Run(ctx context.Context, out streams) (err error) {
	k, err := c.open(ctx, out, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	if c.Out == "" {
		_, err := export(ctx, k, c.Prefix, out.stdout, newMeter(out.stderr, "entries written"))
		return err
	}
	part := c.Out + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	n, err := export(ctx, k, c.Prefix, file, newMeter(out.stderr, "entries written"))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(part, c.Out)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	_, err = fmt.Fprintf(out.stdout, "%s: %d entries\n", c.Out, n)
	return err
}

// export writes entries, some at a time: a page of keys, and the values of as many as
// fit.
func export(ctx context.Context, k keeper, prefix string, w io.Writer, m *meter) (n int, err error) {
	defer m.end()
	buffered := bufio.NewWriter(w)
	err = eachPage(ctx, k, prefix, func(page []listed) (bool, error) {
		for len(page) > 0 {
			size, count := int64(0), 0
			for count < len(page) && (count == 0 || size+page[count].size <= moveBytes) {
				size += page[count].size
				count++
			}
			written, err := exportSome(ctx, k, page[:count], buffered)
			if err != nil {
				return false, err
			}
			n += written
			m.at(n)
			page = page[count:]
		}
		return true, nil
	})
	return n, errors.Join(err, buffered.Flush())
}

func exportSome(ctx context.Context, k keeper, page []listed, w io.Writer) (n int, err error) {
	keys := make([]string, len(page))
	for i := range page {
		keys[i] = page[i].key
	}
	entries, err := k.getAll(ctx, keys)
	if err != nil {
		return 0, err
	}
	for i, e := range entries {
		if !e.Found() {
			continue // gone meanwhile
		}
		if err := writeLine(w, recordOf(keys[i], e.Value, e.Meta)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// stateImportCommand is "ingot state import".
type stateImportCommand struct {
	File string `arg:"" optional:"" help:"The file; stdin otherwise, or with -."`
	keeperFlags
	Batch int  `default:"500" placeholder:"N" help:"Entries that are stored as one: all of them or none. (${default})"`
	JSON  bool `name:"json" help:"Answer in JSON."`
}

// Help ends the command's help.
func (*stateImportCommand) Help() string {
	return `Reads what ingot state export and ingot state dump write. Entries that are there already get the new value, and a new version; those whose time is over are left out. When a line is wrong, all batches before it are stored, and the error says which line it is.

Examples:

  ingot state import entries.jsonl
  ingot state export --data old | ingot state import --data copy`
}

// Validate is kong's hook.
func (c *stateImportCommand) Validate() error {
	if c.Batch < 1 || c.Batch > pageKeys {
		return fmt.Errorf("--batch is from 1 to %d", pageKeys)
	}
	return nil
}

// imported is what import answers in JSON.
type imported struct {
	Stored  int `json:"stored"`
	Expired int `json:"expired"` // left out
	Lines   int `json:"lines"`   // that are done
}

// Run reads and stores entries.
func (c *stateImportCommand) Run(ctx context.Context, out streams) (err error) {
	from, name := out.stdin, "stdin"
	if c.File != "" && c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return command.Usage(err.Error())
		}
		defer file.Close()
		from, name = file, c.File
	}
	k, err := c.open(ctx, out, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	i := &importing{keeper: k, batch: c.Batch, meter: newMeter(out.stderr, "entries stored")}
	err = i.run(ctx, from)
	if c.JSON {
		err = errors.Join(err, writeLine(out.stdout, i.done))
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%d entries of the lines before %d are stored, and nothing of those from there on", name, err, i.done.Stored, i.done.Lines+1)
	}
	if c.JSON {
		return nil
	}
	left := ""
	if i.done.Expired > 0 {
		left = fmt.Sprintf(", %d left out, since their time is over", i.done.Expired)
	}
	_, err = fmt.Fprintf(out.stdout, "%d entries stored%s\n", i.done.Stored, left)
	return err
}

// importing is one import.
type importing struct {
	keeper keeper
	batch  int
	meter  *meter
	done   imported

	items   []state.Item
	keys    map[string]bool // of items: a batch names a key once
	bytes   int
	expired int
	line    int // the last one that was read
}

// run stores what from holds, a batch at a time.
func (i *importing) run(ctx context.Context, from io.Reader) error {
	defer i.meter.end()
	i.keys = map[string]bool{}
	lines := bufio.NewReaderSize(from, 64<<10)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return i.flush(ctx)
		}
		i.line++
		if err == nil {
			err = i.add(ctx, line)
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads a line without its end, within bounds.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil || errors.Is(err, io.EOF) && len(line) > 0:
			return bytes.TrimSpace(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > lineBytesMax:
			return nil, fmt.Errorf("a line has more than %d bytes", lineBytesMax)
		}
	}
}

// add takes a line into the batch, which is stored before when it is full or has the key.
func (i *importing) add(ctx context.Context, line []byte) error {
	if len(line) == 0 {
		return nil
	}
	var r record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if err == nil && !utf8.Valid(line) {
		err = errors.New("it is not UTF-8, and what is not text is written in base64")
	}
	if err == nil && d.More() {
		err = errors.New("there is more than one value on it")
	}
	if err != nil {
		return fmt.Errorf("line %d is no entry as ingot state export writes it: %w", i.line, err)
	}
	key, value := r.key(), r.value()
	switch {
	case key == "" || len(key) > state.KeyBytesMax:
		return fmt.Errorf("line %d: a key has 1 to %d bytes, and this one %d", i.line, state.KeyBytesMax, len(key))
	case r.ExpiresAt < 0 || r.ExpiresAt/1000 > time.Now().Add(state.TTLMax).Unix():
		return fmt.Errorf("line %d: expires_at is in Unix milliseconds, and not %d", i.line, r.ExpiresAt)
	case r.Key != "" && len(r.KeyBytes) > 0, r.Value != "" && len(r.Bytes) > 0:
		return fmt.Errorf("line %d has a text and the same in base64", i.line)
	}
	if i.keys[key] || len(i.items) == i.batch || len(i.items) > 0 && i.bytes+len(key)+len(value) > moveBytes {
		i.line-- // this line is of the next batch
		if err := i.flush(ctx); err != nil {
			return err
		}
		i.line++
	}
	var ttl time.Duration
	if r.ExpiresAt != 0 {
		if ttl = time.Until(time.UnixMilli(r.ExpiresAt)); ttl <= 0 {
			i.expired++
			return nil
		}
		ttl = min(max(ttl.Round(time.Millisecond), time.Millisecond), state.TTLMax)
	}
	i.items = append(i.items, state.Item{Key: key, Value: value, TTL: ttl})
	i.keys[key] = true
	i.bytes += len(key) + len(value)
	return nil
}

// flush stores the batch.
func (i *importing) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if len(i.items) > 0 {
		if err := i.keeper.setAll(ctx, i.items); err != nil {
			return fmt.Errorf("storing the entries of the lines %d to %d: %w", i.done.Lines+1, i.line, err)
		}
	}
	i.done.Stored += len(i.items)
	i.done.Expired, i.done.Lines = i.expired, i.line
	i.items, i.bytes = i.items[:0], 0
	clear(i.keys)
	i.meter.at(i.done.Stored)
	return nil
}

// meter shows on a terminal how far long work is.
type meter struct {
	live *command.Live
	what string
	next time.Time
}

func newMeter(w io.Writer, what string) *meter {
	return &meter{live: command.NewLive(w), what: what}
}

func (m *meter) at(n int) {
	if now := time.Now(); m.live.Terminal() && now.After(m.next) {
		m.live.Show(fmt.Sprintf("%d %s", n, m.what))
		m.next = now.Add(sayEvery)
	}
}

func (m *meter) end() { m.live.Clear() }
