package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/timed"
)

// KeyFlag is the flag that names the keys of an encrypted store.
type KeyFlag struct {
	Key []string `name:"key-file" type:"existingfile" sep:"none" placeholder:"FILE" help:"File with a key that encrypts the state: its id, a colon, 64 hexadecimal digits. Given again: older keys, to read with. (default: the key in $$INGOT_KEY, if any)"`
}

// StoreFlags are the flags of a command that serves a store.
type StoreFlags struct {
	KeyFlag
	Data   string `env:"INGOT_DATA" placeholder:"DIR" help:"Directory that keeps the state. ingot serve takes the URL of redis too, as redis://host:6379/0: in $$INGOT_DATA if it holds a password. (default: one of the command's own below ingot in the user's data directory)"`
	Memory bool   `env:"INGOT_MEMORY" help:"Keep the state in memory only: it ends with the process."`
	Sync   string `enum:"always,interval,never" default:"always" help:"When a write is on the disk: always (before it is answered), interval (a second later) or never (when the system likes). (${default})"`
	// Disk measures the directory's syncs once the store is open; nil: it has none.
	Disk     *timed.Dir `kong:"-"`
	MaxBytes ByteSize   `default:"1GiB" placeholder:"SIZE" help:"Byte budget of the state; a write beyond it is refused. (${default})"`
}

// maxBytesDefault is the tag's, which cannot name a constant.
const maxBytesDefault = 1 << 30

// Given says whether the command line, and not the environment alone, says something
// about the store: a command that opens none refuses it.
func (f *StoreFlags) Given() bool {
	return f.Data != os.Getenv("INGOT_DATA") || f.Memory && os.Getenv("INGOT_MEMORY") == "" ||
		f.Sync != "always" || f.MaxBytes != maxBytesDefault || len(f.Key) > 0
}

// IsURL reports whether what names a state is the URL of servers that keep it, and no
// directory.
func IsURL(place string) bool { return strings.Contains(place, "://") }

// Remote reports whether the state is kept by other servers, whose URL stands in the
// place of the directory.
func (f *StoreFlags) Remote() bool { return IsURL(f.Data) }

// CheckRemote finds flags that say how a directory is kept, where there is none.
func (f *StoreFlags) CheckRemote() error {
	switch {
	case f.Memory:
		return errDataAndMemory
	case f.Sync != "always" || len(f.Key) > 0:
		return errors.New("--sync and --key-file are for a directory: servers that keep a state have settings of their own")
	}
	return nil
}

// GivenBytes is the byte budget of a state that other servers keep: none unless one is
// given.
func (f *StoreFlags) GivenBytes() int64 {
	if f.MaxBytes == maxBytesDefault {
		return 0
	}
	return int64(f.MaxBytes)
}

var errDataAndMemory = errors.New("--data and --memory (or $INGOT_DATA and $INGOT_MEMORY) exclude each other")

// keyVariable is the environment variable with the key, where no file is given.
const keyVariable = "INGOT_KEY"

// lockPatience is how long a command waits for a server that is ending: clients
// start the next one before the last one is gone.
const lockPatience = 2 * time.Second

// DefaultData is where a store is kept that nobody gave a directory: name below
// ingot in the user's data directory.
func DefaultData(name string) (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ingot", name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's data directory: %w: name one with --data, or keep the state in memory with --memory", err)
	}
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "ingot", name), nil
		}
		return filepath.Join(home, "AppData", "Local", "ingot", name), nil
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "ingot", name), nil
	}
	return filepath.Join(home, ".local", "share", "ingot", name), nil
}

// Open opens the store that the flags say. name is for DefaultData. It waits a
// little for one that holds the directory, or until ctx ends. close closes the store
// and its directory.
func (f *StoreFlags) Open(ctx context.Context, name string, logger *slog.Logger) (store *engine.Store, close func() error, err error) {
	o := engine.Options{BytesMax: int64(f.MaxBytes)}
	if f.Memory {
		if f.Data != "" {
			return nil, nil, errDataAndMemory
		}
		store, err = engine.Open(o)
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	if f.Remote() {
		return nil, nil, errors.New("this command keeps its state in a directory or in memory, and --data (or $INGOT_DATA) is a URL")
	}
	path := f.Data
	if path == "" {
		if path, err = DefaultData(name); err != nil {
			return nil, nil, err
		}
	}
	dir, err := f.OpenDir(path, &o)
	if err != nil {
		return nil, nil, err
	}
	f.Disk = timed.Wrap(dir)
	o.Dir = f.Disk
	o.Sync = map[string]engine.SyncPolicy{"interval": engine.SyncInterval, "never": engine.SyncNever}[f.Sync]
	o.Log = func(text string) { logger.Warn(text, "data", dir.String()) }
	o.Progress = tellProgress(logger, dir.String())
	for start := time.Now(); ; {
		store, err = engine.Open(o)
		if !errors.Is(err, storage.ErrLocked) || time.Since(start) > lockPatience {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(lockPatience / 40):
			continue
		}
		break
	}
	if errors.Is(err, storage.ErrLocked) {
		err = fmt.Errorf("%w (--data DIR), or --memory", err)
	}
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	if r := store.LogStats().Recovered; r.Segments > 0 && !r.Clean {
		logger.Info("the state was not closed the last time and was recovered", "data", dir.String(), "changes", r.Records, "cut", r.TornBytes)
	}
	return store, func() error { return errors.Join(store.Close(), dir.Close()) }, nil
}

// progressBytes is how much of a store is read between two lines that say how far that
// is: a third of a second, or a minute from a slow disk.
const progressBytes = 64 << 20

// tellProgress says how far the reading of a large store is.
func tellProgress(logger *slog.Logger, data string) func(engine.Progress) {
	next := int64(progressBytes)
	return func(p engine.Progress) {
		if p.Done >= next {
			next = p.Done + progressBytes
			logger.Info("reading the state", "data", data, "file", p.File, "done", ByteSize(p.Done), "of", ByteSize(p.Total))
		}
	}
}

// Locked says whether err is that another process has a store's directory.
func Locked(err error) bool { return errors.Is(err, storage.ErrLocked) }

// OpenDir opens the directory at path, and sets it and the keys in o. The caller
// closes it.
func (f *KeyFlag) OpenDir(path string, o *engine.Options) (*storage.Directory, error) {
	var err error
	if o.Encryption, err = f.encryption(); err != nil {
		return nil, err
	}
	dir, err := storage.OpenDir(path)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	return dir, nil
}

// encryption reads the keys. No key is no encryption.
func (f *KeyFlag) encryption() (engine.Encryption, error) {
	var keys []seal.Key
	for _, path := range f.Key {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a key: %w", err)
		}
		k, err := seal.ParseKey(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, other := range keys {
			if other.ID == k.ID {
				return nil, fmt.Errorf("%s: the key's id %d stands in another file too", path, k.ID)
			}
		}
		keys = append(keys, k)
	}
	if text := os.Getenv(keyVariable); len(keys) == 0 && strings.TrimSpace(text) != "" {
		k, err := seal.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("$%s: %w", keyVariable, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return seal.AES256GCM(keys[0], keys[1:]...), nil
}
