package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/internal/command"
)

// stateCommand is "ingot state".
type stateCommand struct {
	Get     stateGetCommand     `cmd:"" help:"Print the value of a key."`
	Set     stateSetCommand     `cmd:"" help:"Store a value under a key."`
	Delete  stateDeleteCommand  `cmd:"" help:"Delete keys."`
	List    stateListCommand    `cmd:"" help:"List keys."`
	Export  stateExportCommand  `cmd:"" help:"Write entries as JSON lines."`
	Import  stateImportCommand  `cmd:"" help:"Store entries of JSON lines."`
	Migrate stateMigrateCommand `cmd:"" help:"Copy a whole state to another place: a directory or redis, either way."`
	Watch   stateWatchCommand   `cmd:"" help:"Print the changes of keys, of a running server."`
	Backup  stateBackupCommand  `cmd:"" help:"Write all of a state to one file, while it is served or not."`
	Restore stateRestoreCommand `cmd:"" help:"Make a directory of backups."`
	Verify  verifyCommand       `cmd:"" help:"Read every byte and say what is damaged. Changes nothing."`
	Repair  repairCommand       `cmd:"" help:"Make a state of what is whole. Says what is kept and lost, and does it with --yes."`
	Dump    dumpCommand         `cmd:"" help:"Write the entries to stdout, a JSON object a line. Changes nothing."`
	Compact compactCommand      `cmd:"" help:"Rewrite the entries without the log, under the current key if there is one."`
	Rotate  rotateKeyCommand    `cmd:"" name:"rotate-key" help:"Rewrite the entries under another key, so that the old one opens nothing any more."`
}

// stateFlags are what the commands below "ingot state" have in common.
type stateFlags struct {
	command.KeyFlag
	Dir  string `arg:"" type:"existingdir" help:"The directory."`
	JSON bool   `name:"json" help:"Answer in JSON."`
}

// with calls f with the directory opened.
func (c *stateFlags) with(f func(o engine.Options) error) error {
	var o engine.Options
	dir, err := c.OpenDir(c.Dir, &o)
	if err != nil {
		return err
	}
	return errors.Join(f(o), dir.Close())
}

// print writes v as JSON, or the text.
func (c *stateFlags) print(w io.Writer, v any, text string) error {
	if !c.JSON {
		_, err := io.WriteString(w, text)
		return err
	}
	return json.NewEncoder(w).Encode(v)
}

// errDamaged is the end of a verify that found something.
var errDamaged = errors.New("the state is damaged: \"ingot state repair\" says what it would keep")

// verification is engine.Verification in JSON.
type verification struct {
	Dir       string        `json:"dir"`
	Entries   int64         `json:"entries"`
	Version   uint64        `json:"version"`
	Segments  int           `json:"segments"`
	Changes   int64         `json:"changes"`
	Clean     bool          `json:"clean"`
	TornBytes int64         `json:"torn_bytes"`
	LostBytes int64         `json:"lost_bytes"`
	Damage    []damagedSpot `json:"damage"`
	Leftovers []string      `json:"leftovers"`
	Repaired  *bool         `json:"repaired,omitempty"`
}

type damagedSpot struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
}

func verificationOf(v *engine.Verification) verification {
	out := verification{
		Dir: v.Dir, Entries: v.Entries, Version: v.Version, Segments: v.Segments, Changes: v.Records,
		Clean: v.Clean, TornBytes: v.TornBytes, LostBytes: v.LostBytes, Damage: []damagedSpot{}, Leftovers: append([]string{}, v.Leftovers...),
	}
	for _, d := range v.Damage {
		out.Damage = append(out.Damage, damagedSpot{d.File, d.Offset, d.Reason})
	}
	return out
}

// text tells a person.
func (v *verification) text() string {
	var b strings.Builder
	for _, d := range v.Damage {
		fmt.Fprintf(&b, "damaged: %s at byte %d: %s\n", d.File, d.Offset, d.Reason)
	}
	for _, name := range v.Leftovers {
		fmt.Fprintf(&b, "left over: %s (the next start removes it)\n", name)
	}
	if v.TornBytes > 0 {
		fmt.Fprintf(&b, "cut off: %d bytes at the end of the log, of changes that were not acknowledged\n", v.TornBytes)
	}
	state := "whole"
	if len(v.Damage) > 0 {
		state = fmt.Sprintf("damaged in %d places, %d bytes lost", len(v.Damage), v.LostBytes)
	} else if !v.Clean && v.Segments > 0 {
		state = "whole, and was not closed"
	}
	fmt.Fprintf(&b, "%s: %s; %d entries at version %d, %d changes in %d segments\n", v.Dir, state, v.Entries, v.Version, v.Changes, v.Segments)
	return b.String()
}

// verifyCommand is "ingot state verify".
type verifyCommand struct{ stateFlags }

// Run says what is damaged, and fails if something is.
func (c *verifyCommand) Run(out streams) error {
	return c.with(func(o engine.Options) error {
		found, err := engine.Verify(o)
		if err != nil {
			return err
		}
		v := verificationOf(found)
		if err := c.print(out.stdout, v, v.text()); err != nil {
			return err
		}
		if len(v.Damage) > 0 {
			return errDamaged
		}
		return nil
	})
}

// repairCommand is "ingot state repair".
type repairCommand struct {
	stateFlags
	Yes bool `help:"Do it. Without, it only says what it would do."`
}

// Run says what would be kept and lost, and does it when told to.
func (c *repairCommand) Run(out streams) error {
	return c.with(func(o engine.Options) error {
		told := func(v *engine.Verification) bool {
			if !c.JSON {
				plan := verificationOf(v)
				fmt.Fprintf(out.stdout, "%sRepair keeps these %d entries. Entries whose removal was lost are among them, and older values where the newest was lost.\n"+
					"The files that it replaces stay, with .damaged behind their names.\n", plan.text(), v.Entries)
			}
			return c.Yes
		}
		found, repaired, err := engine.Repair(o, told)
		if err != nil {
			return err
		}
		v := verificationOf(found)
		v.Repaired = &repaired
		text := "Repaired.\n"
		switch {
		case len(v.Damage) == 0:
			text = v.text() + "There is nothing to repair.\n"
		case !repaired:
			text = "Nothing was changed: run it again with --yes to do it.\n"
		}
		return c.print(out.stdout, v, text)
	})
}

// dumpCommand is "ingot state dump".
type dumpCommand struct{ stateFlags }

// Run writes JSON lines, with or without --json.
func (c *dumpCommand) Run(out streams) error {
	return c.with(func(o engine.Options) error { return engine.Dump(o, out.stdout) })
}

// compactCommand is "ingot state compact".
type compactCommand struct{ stateFlags }

// compaction is what compact answers in JSON.
type compaction struct {
	Dir           string `json:"dir"`
	Entries       int64  `json:"entries"`
	BytesBefore   int64  `json:"bytes_before"`
	SnapshotBytes int64  `json:"snapshot_bytes"`
}

// Run opens the store, compacts it and closes it.
func (c *compactCommand) Run(out streams) error {
	return c.with(func(o engine.Options) error {
		if names, err := os.ReadDir(c.Dir); err != nil || len(names) == 0 {
			return errors.Join(err, fmt.Errorf("%s is empty: there is no state to compact", c.Dir))
		}
		o.BackgroundDisabled = true
		o.Log = func(text string) { fmt.Fprintln(out.stderr, text) }
		store, err := engine.Open(o)
		if err != nil {
			return err
		}
		r := store.LogStats().Recovered
		err = store.Compact()
		done := compaction{Dir: c.Dir, Entries: store.Stats().Keys, BytesBefore: r.LogBytes + r.SnapshotBytes, SnapshotBytes: store.LogStats().SnapshotBytes}
		if err = errors.Join(err, store.Close()); err != nil {
			return err
		}
		return c.print(out.stdout, done, fmt.Sprintf("%s: %d entries in %d bytes, from %d\n", done.Dir, done.Entries, done.SnapshotBytes, done.BytesBefore))
	})
}
