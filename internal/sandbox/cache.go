package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/tetratelabs/wazero"

	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/sandbox/meter"
)

// The compile cache. Each entry is a folder, named for what went into it:
//
//	<key>/metered        the instrumented module
//	<key>/facts          meter.Module without its bytes, as JSON
//	<key>/wazero-…/…     machine code, in wazero's own format
//	<key>/sums           a line for each other file: XXH3-64, its path
//
// The key is the SHA-256 of the module's digest and of everything else that the
// content depends on. An entry is written under another name and renamed. What
// is read is compared with the sums: wazero's own checksum leaves out part of its
// file, and a file that it cannot read ends the loading. An entry that is damaged
// is removed and made again.
//
// The sums are against accidents. Whoever can write to the folder can make the
// host run any machine code, so a folder that others can write to is refused.
const (
	cacheMetered, cacheFacts, cacheSums = "metered", "facts", "sums"
	cacheUnfinished                     = "unfinished-"

	cacheBytesMax   = 1 << 30
	cacheEntriesMax = 1024
)

// cache is a folder of compiled modules.
type cache struct {
	dir    string
	logger *slog.Logger
}

// DefaultCacheDir is where commands keep compiled modules: a folder in the
// user's cache folder.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a folder for compiled modules: %w; set HOME or XDG_CACHE_HOME, or do without", err)
	}
	return filepath.Join(dir, "ingot", "wasm"), nil
}

// openCache makes the folder if it is not there. A folder that is not to be
// relied on gives nil, and a line in the log: all goes on without it.
func openCache(dir string, logger *slog.Logger) *cache {
	if dir == "" {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = checkPrivate(dir)
	}
	if err != nil {
		logger.Warn("the cache of compiled modules is not used", "dir", dir, "error", err)
		return nil
	}
	return &cache{dir: dir, logger: logger}
}

// cached is an entry of the cache, to read or still to be made. nil stands for no
// cache at all.
type cached struct {
	cache   *cache
	path    string // where it is, or is to be
	made    string // the folder in which it is being made; "" when it was found
	metered *meter.Module
	code    wazero.CompilationCache
}

// entry finds the entry of a module, or begins a new one. It returns nil when
// there is no cache or it cannot be written. Its partners are commit and close.
func (c *cache) entry(module [sha256.Size]byte, limits *Limits) *cached {
	if c == nil {
		return nil
	}
	e := &cached{cache: c, path: filepath.Join(c.dir, cacheKey(module, limits))}
	err := e.read()
	if err == nil {
		return e
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.logger.Warn("a damaged entry of the cache of compiled modules is made again", "entry", e.path, "error", err)
		err = os.RemoveAll(e.path)
	} else {
		err = nil
	}
	if err == nil {
		e.made, err = os.MkdirTemp(c.dir, cacheUnfinished+"*")
	}
	if err == nil {
		e.code, err = wazero.NewCompilationCacheWithDir(e.made)
	}
	if err != nil {
		c.logger.Warn("a compiled module cannot be kept", "dir", c.dir, "error", err)
		e.abandon()
		return nil
	}
	return e
}

// cacheKey names the entry of a module.
func cacheKey(module [sha256.Size]byte, limits *Limits) string {
	engine := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/tetratelabs/wazero" {
				engine = d.Version + d.Sum
			}
		}
	}
	text := fmt.Sprintf("%x meter %s tables %d engine %s %s %s", module, meter.Version(), limits.TableElementsMax, engine, runtime.GOOS, runtime.GOARCH)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// read opens an entry that is there and whole.
func (e *cached) read() error {
	if err := checkSums(e.path); err != nil {
		return err
	}
	facts, err := os.ReadFile(filepath.Join(e.path, cacheFacts))
	if err != nil {
		return err
	}
	e.metered = new(meter.Module)
	if err := json.Unmarshal(facts, e.metered); err != nil {
		return err
	}
	if e.metered.Bytes, err = os.ReadFile(filepath.Join(e.path, cacheMetered)); err != nil {
		return err
	}
	now := time.Now()
	_ = os.Chtimes(e.path, now, now) // when it was used last; a hint for prune
	e.code, err = wazero.NewCompilationCacheWithDir(e.path)
	return err
}

// commit keeps an entry that has been compiled into. A failure is logged: the
// module is loaded, and the next time will be slow again.
func (e *cached) commit(m *meter.Module) {
	if e == nil || e.made == "" {
		return
	}
	if err := e.write(m); err != nil {
		e.cache.logger.Warn("a compiled module cannot be kept", "entry", e.path, "error", err)
	}
	e.abandon()
	e.cache.prune()
}

// write completes the entry and gives it its name.
func (e *cached) write(m *meter.Module) error {
	facts := *m
	facts.Bytes = nil
	text, err := json.Marshal(&facts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.made, cacheFacts), text, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.made, cacheMetered), m.Bytes, 0o600); err != nil {
		return err
	}
	sums, err := sumFiles(e.made)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.made, cacheSums), []byte(sums), 0o600); err != nil {
		return err
	}
	if err := os.Rename(e.made, e.path); err != nil {
		if _, there := os.Stat(e.path); there == nil { // another process was first
			return nil
		}
		return err
	}
	e.made = ""
	return nil
}

// abandon removes an entry that was not completed.
func (e *cached) abandon() {
	if e.made != "" {
		_ = os.RemoveAll(e.made) // prune tries again
		e.made = ""
	}
}

// close lets go of the compiled code; no instance may need it any more.
func (e *cached) close() {
	if e != nil && e.code != nil {
		e.abandon()
		_ = e.code.Close(context.Background()) // memory only
	}
}

// isCacheFault says whether wazero could not read or write its file. Its errors
// about a file's content have no type.
func isCacheFault(err error) bool {
	var path *fs.PathError
	return err != nil && (errors.As(err, &path) || strings.HasPrefix(err.Error(), "compilationcache: "))
}

// sumFiles is the list of all files below dir with their sums.
func sumFiles(dir string) (string, error) {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == cacheSums {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a plain file", name)
		}
		content, err := os.ReadFile(path)
		lines = append(lines, fmt.Sprintf("%016x %s\n", hash.Sum64(content), filepath.ToSlash(name)))
		return err
	})
	slices.Sort(lines)
	return strings.Join(lines, ""), err
}

// checkSums compares an entry with its list. Files that are not on it count as
// damage too.
func checkSums(dir string) error {
	want, err := os.ReadFile(filepath.Join(dir, cacheSums))
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Lstat(dir); there == nil {
			return errors.New("its list of sums is missing")
		}
	}
	if err != nil {
		return err
	}
	got, err := sumFiles(dir)
	if err != nil {
		return fmt.Errorf("reading it: %v", err) // %v: a file that went missing is damage, not absence
	}
	if got != string(want) {
		return errors.New("its files are not those that were written")
	}
	return nil
}

// prune removes the entries used longest ago while there is too much, and what
// other processes left unfinished.
func (c *cache) prune() {
	type aged struct {
		path string
		used time.Time
		size int64
	}
	var all []aged
	var total int64
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, d := range entries {
		info, err := d.Info()
		if err != nil {
			continue
		}
		path := filepath.Join(c.dir, d.Name())
		if strings.HasPrefix(d.Name(), cacheUnfinished) {
			if time.Since(info.ModTime()) > time.Hour {
				_ = os.RemoveAll(path)
			}
			continue
		}
		size := sizeOf(path)
		total += size
		all = append(all, aged{path, info.ModTime(), size})
	}
	slices.SortFunc(all, func(a, b aged) int { return a.used.Compare(b.used) })
	for n, e := range all {
		if total <= cacheBytesMax && len(all)-n <= cacheEntriesMax {
			return
		}
		if os.RemoveAll(e.path) == nil {
			total -= e.size
		}
	}
}

// sizeOf is the size of all files below dir.
func sizeOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
