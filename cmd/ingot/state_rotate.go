package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/internal/command"
)

// rotateKeyCommand is "ingot state rotate-key".
type rotateKeyCommand struct {
	stateFlags
	New string `name:"new-key-file" required:"" type:"existingfile" placeholder:"FILE" help:"File with the new key: another id, a colon, 64 hexadecimal digits."`
}

// Help ends "ingot state rotate-key --help".
func (*rotateKeyCommand) Help() string {
	return `Rewrites all entries under the new key, while nobody serves the directory. Afterwards the old key opens nothing of it any more. Where it is interrupted, the directory opens with both keys (--key-file NEW --key-file OLD), and the same command ends what it began.

Example:

  echo "2:$(openssl rand -hex 32)" > new.key && ingot state rotate-key ./sealed --key-file old.key --new-key-file new.key`
}

// rotation is what rotate-key answers in JSON.
type rotation struct {
	Dir     string `json:"dir"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
}

// Run compacts the store under the new key, and makes sure that it opens by that alone.
func (c *rotateKeyCommand) Run(out streams) error {
	if names, err := os.ReadDir(c.Dir); err != nil || len(names) == 0 {
		return errors.Join(err, fmt.Errorf("%s is empty: there is no state to rewrite", c.Dir))
	}
	if len(c.Key) == 0 && os.Getenv("INGOT_KEY") == "" {
		return command.Usage("which key is the state under now? Say --key-file OLD, or set INGOT_KEY")
	}
	if len(c.Key) == 0 {
		return command.Usage("put the key of INGOT_KEY into a file and say --key-file OLD: a rotation reads by both")
	}
	both := command.KeyFlag{Key: append([]string{c.New}, c.Key...)}
	done, err := c.rewrite(both, out)
	if err != nil {
		return err
	}
	if err := c.opens(out); err != nil {
		return fmt.Errorf("the state was rewritten, and does not open by the new key alone: %w", err)
	}
	return c.print(out.stdout, done, fmt.Sprintf("%s: %d entries in %d bytes, under the new key alone\n", done.Dir, done.Entries, done.Bytes))
}

// rewrite compacts the store, with the new key as the one that is written by.
func (c *rotateKeyCommand) rewrite(keys command.KeyFlag, out streams) (rotation, error) {
	done := rotation{Dir: c.Dir}
	var o engine.Options
	dir, err := keys.OpenDir(c.Dir, &o)
	if err != nil {
		return done, err
	}
	o.BackgroundDisabled = true
	o.Log = func(text string) { fmt.Fprintln(out.stderr, text) }
	store, err := engine.Open(o)
	if err != nil {
		return done, errors.Join(err, dir.Close())
	}
	err = store.Compact()
	done.Entries, done.Bytes = store.Stats().Keys, store.LogStats().SnapshotBytes
	return done, errors.Join(err, store.Close(), dir.Close())
}

// opens reads every byte by the new key alone.
func (c *rotateKeyCommand) opens(out streams) error {
	keys := command.KeyFlag{Key: []string{c.New}}
	var o engine.Options
	dir, err := keys.OpenDir(c.Dir, &o)
	if err != nil {
		return err
	}
	found, err := engine.Verify(o)
	if err == nil && len(found.Damage) > 0 {
		err = fmt.Errorf("%s at byte %d: %s", found.Damage[0].File, found.Damage[0].Offset, found.Damage[0].Reason)
	}
	return errors.Join(err, dir.Close())
}
