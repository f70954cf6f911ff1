package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/backup"
	"github.com/ingot-run/ingot/internal/command"
)

// stateBackupCommand is "ingot state backup".
type stateBackupCommand struct {
	keeperFlags
	Out      string `arg:"" type:"path" help:"The file to write. It must not be there."`
	Since    string `placeholder:"FILE" type:"existingfile" help:"An earlier backup: only what changed since is written, where the store still knows."`
	Snapshot bool   `help:"Write a snapshot instead, which a tab, Node and every other build opens. It is not encrypted."`
	JSON     bool   `name:"json" help:"Answer in JSON."`
}

// Validate is kong's hook.
func (c *stateBackupCommand) Validate() error {
	if c.Snapshot && c.Since != "" {
		return errors.New("--snapshot does not go with --since: a snapshot holds everything")
	}
	return nil
}

// Help is kong's hook.
func (*stateBackupCommand) Help() string {
	return `The backup is of one moment, and holds every write that was acknowledged before. Of a directory that nobody serves it is taken with --data or --config; of a running server with --url, while it goes on, if that was started with --backup. A state that is encrypted gives a backup that is: --key-file (or $INGOT_KEY) has its key. The file has its name when it is whole, read again and on the disk. With --snapshot it is what the page of ingot serve, store.restore of the npm package and ingot state restore take, and takes as much memory as the state.

Examples:

  ingot state backup monday.backup
  ingot state backup for-the-tab.ingot-snapshot --snapshot
  ingot state backup tuesday.backup --since earlier.backup
  ingot state backup now.backup --url http://127.0.0.1:7070`
}

// backedUp is what backup answers in JSON.
type backedUp struct {
	File     string `json:"file"`
	Version  uint64 `json:"version"`
	Full     bool   `json:"full"`
	Since    uint64 `json:"since,omitempty"` // where it is not full
	KeyID    uint64 `json:"key,omitempty"`   // that seals it
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256,omitempty"`
	Snapshot bool   `json:"snapshot,omitempty"`
}

// Run writes the file.
func (c *stateBackupCommand) Run(ctx context.Context, out streams) error {
	if err := c.keeperFlags.check(); err != nil {
		return err
	}
	keys, err := c.Encryption()
	if err != nil {
		return err
	}
	var since backup.Info
	if c.Since != "" {
		if since, err = backup.OfFile(c.Since, keys); err != nil {
			return err
		}
		if since.KeyID != 0 && keys == nil {
			return fmt.Errorf("%s is sealed with key %d: give that with --key-file", c.Since, since.KeyID)
		}
	}
	if c.Snapshot {
		return c.writeSnapshot(ctx, out, keys)
	}
	info, err := backup.ToFile(c.Out, keys, func(w io.Writer) error { return c.write(ctx, out, w, since) })
	if err != nil {
		return err
	}
	return c.tell(out.stdout, info)
}

// writeSnapshot writes a snapshot, by way of a backup where that is what a server sends.
func (c *stateBackupCommand) writeSnapshot(ctx context.Context, out streams, keys engine.Encryption) error {
	done, err := backup.SnapshotToFile(c.Out, func(w io.Writer) error {
		if c.URL == "" {
			return c.withStore(out, func(store *engine.Store, _ engine.Encryption) error { return store.Snapshot(w) })
		}
		f, err := os.CreateTemp(filepath.Dir(c.Out), "."+filepath.Base(c.Out)+"-*.unfinished")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		if err := errors.Join(c.write(ctx, out, f, backup.Info{}), f.Close()); err != nil {
			return err
		}
		return backup.Snapshot(w, []string{f.Name()}, keys)
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(c.Out)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(out.stdout).Encode(backedUp{File: c.Out, Version: done.Version, Full: true, Bytes: info.Size(), Snapshot: true})
	}
	_, err = fmt.Fprintf(out.stdout, "%s: a snapshot of %s, not encrypted, in %d bytes\n", c.Out, entries(done.Entries), info.Size())
	return err
}

func (c *stateBackupCommand) tell(w io.Writer, info backup.Info) error {
	done := backedUp{File: c.Out, Version: info.Version, Full: info.Full, KeyID: info.KeyID, Bytes: info.FileBytes, SHA256: info.SHA256}
	what := "all"
	if !info.Full {
		done.Since = info.Since
		what = fmt.Sprintf("what changed since version %d", info.Since)
	}
	if c.JSON {
		return json.NewEncoder(w).Encode(done)
	}
	_, err := fmt.Fprintf(w, "%s: %s, up to version %d, in %d bytes\n", c.Out, what, info.Version, info.FileBytes)
	if info.Full && c.Since != "" && err == nil {
		_, err = fmt.Fprintf(w, "The log does not reach back to %s: this one is whole, and needs none before it.\n", c.Since)
	}
	return err
}

// write writes a backup of what the flags name.
func (c *stateBackupCommand) write(ctx context.Context, out streams, w io.Writer, since backup.Info) error {
	if c.URL != "" {
		token, err := c.token()
		if err != nil {
			return err
		}
		return backup.Fetch(ctx, w, c.URL, token, since)
	}
	return c.withStore(out, func(store *engine.Store, keys engine.Encryption) error {
		_, err := backup.Write(w, store, backup.Options{Encryption: keys, Since: since})
		return err
	})
}

// withStore opens the store of the directory that the flags name, while do works on it.
func (c *stateBackupCommand) withStore(out streams, do func(store *engine.Store, keys engine.Encryption) error) error {
	path, err := c.directory()
	if err != nil {
		return err
	}
	if files, err := os.ReadDir(path); err != nil || len(files) == 0 {
		return errors.Join(err, fmt.Errorf("there is no state in %s: name its directory with --data, or a running server with --url", path))
	}
	var o engine.Options
	dir, err := c.OpenDir(path, &o)
	if err != nil {
		return err
	}
	o.BackgroundDisabled = true
	o.Log = func(text string) { fmt.Fprintln(out.stderr, text) }
	store, err := engine.Open(o)
	if err != nil {
		if command.Locked(err) {
			err = fmt.Errorf("%w\nHave the server that has it send one: --url http://127.0.0.1:7070, if it was started with --backup", err)
		}
		return errors.Join(err, dir.Close())
	}
	return errors.Join(do(store, o.Encryption), store.Close(), dir.Close())
}

// directory is that of --data or --config.
func (c *stateBackupCommand) directory() (string, error) {
	switch {
	case c.Config == "" && c.Data == "":
		return command.DefaultData("serve")
	case c.Config == "" && strings.Contains(c.Data, "://"):
		return "", errors.New("a state on redis has backups of its own (BGSAVE); ingot state export writes what any state holds")
	case c.Config == "":
		return c.Data, nil
	}
	file, err := config.Load(c.Config, config.Options{})
	if err != nil {
		return "", err
	}
	if file.State.Backend != config.BackendFile {
		return "", fmt.Errorf("the state of %s is in %s, and not in a directory: redis has backups of its own (BGSAVE), and ingot state export writes what any state holds", c.Config, file.State.Backend)
	}
	return file.State.Path, nil
}

// stateRestoreCommand is "ingot state restore".
type stateRestoreCommand struct {
	command.KeyFlag
	Backup []string `arg:"" type:"existingfile" help:"The backups: a whole one, then those that go on from it, in order; or a snapshot, as a tab or any other build writes it."`
	Data   string   `env:"INGOT_DATA" placeholder:"DIR" help:"The directory to make. (default: the one of ingot serve)"`
	Force  bool     `help:"Replace a directory with contents. It stays, under another name."`
	Check  bool     `help:"Restore in memory only: says what the backups hold, and changes nothing."`
	JSON   bool     `name:"json" help:"Answer in JSON."`
}

// Help is kong's hook.
func (*stateRestoreCommand) Help() string {
	return `Every byte is checked, before and after. The directory is made under another name and has its own when it is whole: a restore that is ended before that changes nothing but for a directory .NAME-….unfinished beside it, which may be removed. With a --key-file the new directory is encrypted, whatever the backup was.

Examples:

  ingot state restore earlier.backup --check
  ingot state restore earlier.backup --data restored
  ingot state restore notes.ingot-snapshot --data from-the-tab
  ingot state restore earlier.backup --force`
}

// restored is what restore answers in JSON.
type restored struct {
	Dir      string `json:"dir,omitempty"`
	Version  uint64 `json:"version"`
	Entries  int64  `json:"entries"`
	Replaced string `json:"replaced,omitempty"`
	Millis   int64  `json:"ms"`
}

// Run makes the directory.
func (c *stateRestoreCommand) Run(out streams) error {
	keys, err := c.Encryption()
	if err != nil {
		return err
	}
	if command.IsURL(c.Data) {
		return command.Usage("--data (or $INGOT_DATA) is a URL, and a backup is restored into a directory: restore it into one, and move that by ingot state migrate")
	}
	if c.Data == "" {
		if c.Data, err = command.DefaultData("serve"); err != nil {
			return err
		}
	}
	var done backup.Restored
	began := time.Now()
	if c.Check {
		done, err = backup.Try(c.Backup, keys)
	} else {
		done, err = backup.Restore(c.Data, c.Backup, backup.RestoreOptions{Encryption: keys, Force: c.Force})
	}
	if err != nil {
		return err
	}
	answer := restored{Version: done.Version, Entries: done.Entries, Replaced: done.Replaced, Millis: time.Since(began).Milliseconds()}
	text := fmt.Sprintf("whole: %s at version %d\n", entries(done.Entries), done.Version)
	if !c.Check {
		answer.Dir = c.Data
		text = fmt.Sprintf("%s: %s at version %d, all read again\n", c.Data, entries(done.Entries), done.Version)
	}
	if c.JSON {
		return json.NewEncoder(out.stdout).Encode(answer)
	}
	if done.Replaced != "" {
		text += fmt.Sprintf("What was there before is in %s: remove it when it is not needed any more.\n", done.Replaced)
	}
	_, err = io.WriteString(out.stdout, text)
	return err
}

// entries is a number of them.
func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
