package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
)

// Bounds of the doctor.
const (
	roomLeast       = 64 << 20         // below, a store is about to refuse writes
	readQuickly     = 1 << 30          // a store that is larger is not read
	redisPatience   = 10 * time.Second // for its first answer
	skewMost        = time.Second      // between two clocks that are kept by the same time
	certificateSoon = 30 * 24 * time.Hour
	openFilesFew    = 1024
)

// configuration reads the file and opens what it names, its modules among it, with a
// state in memory.
func (e *examination) configuration(ctx context.Context) {
	const check = "configuration"
	if e.Config == "" {
		e.ok(check, "no forge.yaml: the state is served as it is")
		return
	}
	c, err := config.Load(e.Config, config.Options{})
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		e.fail(check, fmt.Sprintf("ingot validate %s shows all of them", e.Config), "%s; the first: %s", command.Counted(len(problems.List)+problems.LeftOut, "problem"), problems.List[0].Message)
		return
	}
	if err != nil {
		e.fail(check, "name a file that is there with --config", "%v", err)
		return
	}
	e.config = c
	e.ok(check, "%s %s, %s", c.Forge.Name, c.Forge.Version, command.Counted(len(c.Tools), "tool"))
	modules := 0
	for i := range c.Tools {
		if c.Tools[i].Kind == config.KindWasm {
			modules++
		}
	}
	project, err := forge.Open(ctx, e.Config, forge.Options{Logger: slog.New(slog.DiscardHandler), StateInMemory: true})
	if err == nil {
		err = project.Close()
	}
	switch {
	case err != nil:
		e.fail("tools", "mend what the message names; ingot inspect "+e.Config+" opens them too", "%v", err)
	case modules > 0:
		e.ok("tools", "all open, %s of WebAssembly among them", command.Counted(modules, "one"))
	default:
		e.ok("tools", "all open")
	}
}

// state looks at where the state is kept.
func (e *examination) state(ctx context.Context) {
	switch {
	case e.Config != "" && e.config == nil:
		// it cannot be known
	case e.config != nil && e.config.State.Backend == config.BackendRedis:
		e.redis(ctx, func(ctx context.Context) (state.Manager, error) {
			return forge.OpenState(ctx, e.config, false, func(string) {})
		})
	case e.config == nil && !e.Memory && command.IsURL(e.Data):
		e.redis(ctx, func(ctx context.Context) (state.Manager, error) {
			return redis.Open(ctx, redis.Options{URL: e.Data})
		})
	case e.config != nil && e.config.State.Backend == config.BackendFile:
		e.directory(e.config.State.Path)
	case e.config != nil || e.Memory:
		e.warn("state", "keep it in a directory, if that is not meant", "it is in memory, and ends with the process")
	default:
		path := e.Data
		if path == "" {
			var err error
			if path, err = command.DefaultData("serve"); err != nil {
				e.fail("directory", "name one with --data", "%v", err)
				return
			}
		}
		e.directory(path)
	}
}

// redis connects as the server would, and compares clocks.
func (e *examination) redis(ctx context.Context, open func(context.Context) (state.Manager, error)) {
	const check, mend = "redis", "see that it runs and that state.url (or $INGOT_DATA) names its address, user and password; ingot tries again until then"
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	m, err := open(ctx)
	if err != nil {
		e.fail(check, mend, "%v", err)
		return
	}
	defer m.Close()
	if h, ok := m.(interface{ Health(context.Context) error }); ok {
		if err := h.Health(ctx); err != nil {
			e.fail(check, mend, "%v", err)
			return
		}
	}
	e.ok(check, "it answers")
	e.compareClocks(m)
}

// compareClocks holds the clock of a state beside the machine's own.
func (e *examination) compareClocks(m state.Manager) {
	skew := time.Duration(m.Now()-time.Now().UnixMilli()) * time.Millisecond
	if skew.Abs() > skewMost {
		e.warn("clock of redis", "keep both by NTP (timedatectl set-ntp true): what is written here with a TTL ends by the other clock", "it is %v off from this machine's", skew)
		return
	}
	e.ok("clock of redis", "within %v of this machine's", skewMost)
}

// directory looks at the directory of a store.
func (e *examination) directory(path string) {
	const check = "directory"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.absent(path)
		return
	case err != nil:
		e.fail(check, "let the user of the server into it (chown, chmod u+rwx)", "%v", err)
		return
	case !info.IsDir():
		e.fail(check, "name a directory with --data", "%s is a file", path)
		return
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && modesCount {
		e.warn(check, "chmod 700 "+path, "others on this machine can look into %s (mode %#o)", path, mode)
	} else {
		e.ok(check, "%s", path)
	}
	e.room(path)
	e.syncs(path)
	e.contents(path)
}

// absent is about a directory that the first start would make.
func (e *examination) absent(path string) {
	parent := filepath.Dir(path)
	for info, err := os.Stat(parent); err != nil || !info.IsDir(); info, err = os.Stat(parent) {
		if err == nil || !errors.Is(err, fs.ErrNotExist) || parent == filepath.Dir(parent) {
			e.fail("directory", "name another one with --data", "%s cannot be made: %s is no directory that can be used", path, parent)
			return
		}
		parent = filepath.Dir(parent)
	}
	probe, err := os.MkdirTemp(parent, ".ingot-doctor-")
	if err != nil {
		e.fail("directory", "let the user of the server write to "+parent+", or name another one with --data", "%s is not there and cannot be made: %v", path, err)
		return
	}
	os.Remove(probe)
	e.ok("directory", "%s is not there yet; the first start makes it", path)
	e.room(parent)
}

// room is about the disk below a directory.
func (e *examination) room(path string) {
	free, err := freeBytes(path)
	size := directoryBytes(path)
	switch {
	case err != nil:
		e.warn("disk", "look at it yourself", "its free room is not known: %v", err)
	case free < roomLeast:
		e.fail("disk", "make room: writes are refused when there is none", "%s are free, of which %s are the least", byteText(free), byteText(roomLeast))
	case free < size:
		e.warn("disk", "make room: a compaction writes the whole state beside the old one", "%s are free for a state of %s", byteText(free), byteText(size))
	default:
		e.ok("disk", "%s are free", byteText(free))
	}
}

// directoryBytes is the size of the files in a directory.
func directoryBytes(path string) (sum uint64) {
	files, _ := os.ReadDir(path) // what cannot be read is found by the checks behind this one
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			sum += uint64(info.Size())
		}
	}
	return sum
}

// syncs writes a file and has the disk keep it.
func (e *examination) syncs(path string) {
	began := time.Now()
	f, err := os.CreateTemp(path, ".doctor-")
	if err != nil {
		e.fail("fsync", "let the user of the server write to "+path, "%v", err)
		return
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString("ingot doctor\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		e.fail("fsync", "look at the disk and its file system (dmesg): what is acknowledged must be kept", "%v", err)
		return
	}
	e.ok("fsync", "a file was kept in %v", time.Since(began).Round(100*time.Microsecond))
}

// contents reads the store, unless a server has it or it is large.
func (e *examination) contents(path string) {
	const check = "contents"
	if size := directoryBytes(path); size > readQuickly {
		e.warn(check, "ingot state verify "+path+" reads it", "%s are not read here", byteText(size))
		return
	}
	var o engine.Options
	dir, err := e.OpenDir(path, &o)
	if err != nil {
		e.fail(check, "mend what the message names", "%v", err)
		return
	}
	defer dir.Close()
	v, err := engine.Verify(o)
	switch {
	case command.Locked(err):
		e.held = true
		e.warn(check, "stop that one to have them read, or to start another server on them", "%v", err)
	case errors.Is(err, engine.ErrKey):
		e.fail(check, "give the key with --key-file or $INGOT_KEY", "%v", err)
	case err != nil:
		e.fail(check, "mend what the message names", "%v", err)
	case len(v.Damage) > 0:
		d := v.Damage[0]
		e.fail(check, "restore a backup, or see what ingot state repair "+path+" would keep", "damaged in %s; the first: %s at byte %d: %s", command.Counted(len(v.Damage), "place"), d.File, d.Offset, d.Reason)
	default:
		e.ok(check, "all read: version %d, entries: %d", v.Version, v.Entries)
	}
}
