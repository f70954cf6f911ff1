package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/mcpclient"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/state"
)

// watchedKeysMax is how many keys a watch of a prefix remembers.
const watchedKeysMax = 100_000

// stateWatchCommand is "ingot state watch".
type stateWatchCommand struct {
	Names []string `arg:"" optional:"" name:"key" sep:"none" help:"The keys. The server tells of their changes."`
	serverFlags
	Prefix   string        `placeholder:"TEXT" help:"Keys that begin with this instead, also those to come; the server is asked for them again and again."`
	Interval time.Duration `default:"1s" placeholder:"DURATION" help:"How often, with --prefix. (${default})"`
	Count    int           `placeholder:"N" help:"End after so many changes. (with Ctrl-C)"`
}

// Help ends the command's help.
func (*stateWatchCommand) Help() string {
	return `Prints a line of JSON for each change, with the entry as it is then, or "deleted": true. Changes that follow each other at once may be one line. A state in a directory changes through the process that holds it: watch that one.

Examples:

  ingot state watch greeting --url http://127.0.0.1:7070
  ingot state watch --prefix session/ --url http://127.0.0.1:7070 --count 1`
}

// Validate is kong's hook.
func (c *stateWatchCommand) Validate() error {
	switch {
	case c.URL == "":
		return errors.New("name the running server with --url, such as http://127.0.0.1:7070")
	case (len(c.Names) == 0) == (c.Prefix == ""):
		return errors.New("name keys, or a prefix with --prefix")
	case c.Interval <= 0 || c.Count < 0:
		return errors.New("--interval is above 0, and --count is not below")
	}
	return nil
}

// change is a line of watch.
type change struct {
	record
	Deleted bool `json:"deleted,omitempty"`
}

// Run prints changes until ctx ends.
func (c *stateWatchCommand) Run(ctx context.Context, out streams) error {
	if err := c.check(); err != nil {
		return err
	}
	told := make(chan string, 1)
	client, err := c.dial(ctx, mcpclient.Options{Version: command.Version(), Notify: func(method string, params json.RawMessage) {
		if method == "notifications/resources/updated" {
			select {
			case told <- method:
			default: // there is one that is not seen yet, and all keys are looked at then
			}
		}
	}})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := hasStateTools(ctx, client); err != nil {
		return err
	}
	w := &watch{command: c, keeper: &remote{client}, out: out.stdout, versions: map[string]uint64{}}
	if c.Prefix != "" {
		err = w.poll(ctx, out.stderr)
	} else {
		err = w.listen(ctx, client, told, out.stderr)
	}
	if ctx.Err() != nil || errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a watch that has seen as many changes as it should.
var errEnough = errors.New("that many changes were asked for")

// watch is what is known of the keys.
type watch struct {
	command  *stateWatchCommand
	keeper   keeper
	out      io.Writer
	versions map[string]uint64
	seen     int
}

// listen looks at the keys when the server tells of a change, and now and then in case
// that it has told of one while nobody heard.
func (w *watch) listen(ctx context.Context, client *mcpclient.Client, told <-chan string, stderr io.Writer) error {
	for _, name := range w.command.Names {
		if err := client.Subscribe(ctx, statetools.URI(name)); err != nil {
			return err
		}
	}
	if err := w.look(ctx, w.command.Names, false); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "watching %s; stop with Ctrl-C\n", counted(len(w.command.Names), "key"))
	again := time.NewTicker(30 * time.Second)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-told:
		case <-again.C:
		}
		if err := w.look(ctx, w.command.Names, true); err != nil {
			return err
		}
	}
}

// look reads keys, and tells of those that are not as they were.
func (w *watch) look(ctx context.Context, names []string, tell bool) error {
	for len(names) > 0 {
		some := names[:min(len(names), pageKeys/10)]
		names = names[len(some):]
		entries, err := w.keeper.getAll(ctx, some)
		if err != nil {
			return err
		}
		for i, e := range entries {
			if err := w.compare(some[i], e, tell); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare tells of an entry that is not as it was.
func (w *watch) compare(key string, e state.Entry, tell bool) error {
	before := w.versions[key]
	if before == e.Version {
		return nil
	}
	w.versions[key] = e.Version
	line := change{record: recordOf(key, e.Value, e.Meta), Deleted: !e.Found()}
	if line.Deleted {
		delete(w.versions, key)
	}
	if !tell {
		return nil
	}
	if err := writeLine(w.out, line); err != nil {
		return err
	}
	if w.seen++; w.seen == w.command.Count {
		return errEnough
	}
	return nil
}

// poll lists the keys of the prefix again and again.
func (w *watch) poll(ctx context.Context, stderr io.Writer) error {
	if err := w.scan(ctx, false); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "watching the keys that begin with %q; stop with Ctrl-C\n", w.command.Prefix)
	ticker := time.NewTicker(w.command.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.scan(ctx, true); err != nil {
			return err
		}
	}
}

// scan lists the keys once, and reads those that have changed.
func (w *watch) scan(ctx context.Context, tell bool) error {
	there := map[string]bool{}
	var changed []string
	err := eachPage(ctx, w.keeper, w.command.Prefix, func(page []listed) (bool, error) {
		for i := range page {
			there[page[i].key] = true
			switch {
			case w.versions[page[i].key] == page[i].Version:
			case tell:
				changed = append(changed, page[i].key)
			default:
				w.versions[page[i].key] = page[i].Version
			}
		}
		if len(there) > watchedKeysMax {
			return false, fmt.Errorf("more than %d keys begin with %q: watch fewer", watchedKeysMax, w.command.Prefix)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for key := range w.versions {
		if !there[key] {
			changed = append(changed, key)
		}
	}
	return w.look(ctx, changed, tell)
}
