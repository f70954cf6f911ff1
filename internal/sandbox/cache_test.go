package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cachedCall loads the hostile guest with a cache, calls it and returns the log.
func cachedCall(t *testing.T, dir string) string {
	t.Helper()
	module, err := os.ReadFile(hostilePath)
	require.NoError(t, err)
	var log bytes.Buffer
	host := New(Options{CacheDir: dir, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	m, err := host.Load(context.Background(), "hostile.wasm", module, Policy{})
	require.NoError(t, err)
	healthy(t, m)
	require.NoError(t, host.Close(context.Background()))
	return log.String()
}

// entries are the folders in a cache.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return all
}

// files are the paths of all files below dir.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

// filesWithoutCode is how many files an entry has where wazero interprets; where it
// compiles there is one with the code.
const filesWithoutCode = 3

func TestCacheKeepsModules(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	require.Empty(t, cachedCall(t, dir))
	all := entries(t, dir)
	require.Len(t, all, 1)
	content := map[string][]byte{}
	for _, f := range files(t, dir) {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		content[f] = b
	}
	require.GreaterOrEqual(t, len(content), filesWithoutCode)
	require.Empty(t, cachedCall(t, dir))
	require.Equal(t, all, entries(t, dir))
	for f, b := range content {
		again, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Equal(t, b, again, f)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	}

	// Limits that do not change the module are looked at all the same.
	module, err := os.ReadFile(hostilePath)
	require.NoError(t, err)
	host := New(Options{CacheDir: dir})
	defer host.Close(context.Background())
	_, err = host.Load(context.Background(), "hostile.wasm", module, Policy{Limits: Limits{CompileWorkMax: 1}})
	require.ErrorContains(t, err, "raise the compile limit")
	_, err = host.Load(context.Background(), "hostile.wasm", module, Policy{Limits: Limits{MemoryBytesMax: pageBytes}})
	require.ErrorIs(t, err, ErrMemory)
}

// Whatever happens to the files, the module loads, and the entry is whole again.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	cachedCall(t, dir)
	const seed = 5
	random := rand.New(rand.NewPCG(seed, seed))
	whole := len(files(t, dir))
	for round := range 40 {
		all := files(t, dir)
		require.Len(t, all, whole)
		file := all[random.IntN(len(all))]
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		switch round % 4 {
		case 0, 1:
			content[random.IntN(len(content))] ^= byte(1 << random.IntN(8))
			err = os.WriteFile(file, content, 0o600)
		case 2:
			err = os.Truncate(file, int64(random.IntN(len(content))))
		case 3:
			err = os.Remove(file)
		}
		require.NoError(t, err)
		log := cachedCall(t, dir)
		require.Contains(t, log, "is made again", "seed %d, round %d, %s", seed, round, file)
		require.Empty(t, cachedCall(t, dir))
	}
	extra := filepath.Join(entries(t, dir)[0], "extra")
	require.NoError(t, os.WriteFile(extra, nil, 0o600))
	require.Contains(t, cachedCall(t, dir), "not those that were written")
	require.NoFileExists(t, extra)
}

// What wazero itself cannot read or write is compiled without the cache.
func TestCacheThatFailsLater(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	cachedCall(t, dir)
	if len(files(t, dir)) == filesWithoutCode {
		t.Skip("wazero interprets here and keeps no code")
	}
	module, err := os.ReadFile(hostilePath)
	require.NoError(t, err)
	host := New(Options{CacheDir: dir})
	defer host.Close(context.Background())
	limits := DefaultLimits()
	m := newModule(host, "hostile.wasm", Policy{Limits: limits})
	defer m.release()
	m.cached = host.cache.entry(sha256.Sum256(module), &limits)
	require.NotNil(t, m.cached.metered)
	for _, f := range files(t, dir) { // damage after the check
		if strings.Contains(f, "wazero-") {
			require.NoError(t, os.Truncate(f, 10))
		}
	}
	require.NoError(t, m.compile(context.Background(), m.cached.metered.Bytes))
	require.Nil(t, m.cached)
}

func TestCacheOthersCanWriteTo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing there")
	}
	parent := t.TempDir()
	open := filepath.Join(parent, "open")
	require.NoError(t, os.Mkdir(open, 0o777))
	require.NoError(t, os.Chmod(open, 0o777))
	require.Contains(t, cachedCall(t, open), "chmod 700")
	require.Empty(t, entries(t, open))

	below := filepath.Join(open, "cache") // whose place others can take
	require.Contains(t, cachedCall(t, below), "others can write to "+open)
	require.NoError(t, os.Chmod(open, 0o777|fs.ModeSticky))
	require.Empty(t, cachedCall(t, below))

	link := filepath.Join(parent, "link")
	require.NoError(t, os.Symlink(below, link))
	require.Contains(t, cachedCall(t, link), "is not a folder")
	file := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Contains(t, cachedCall(t, file), "cache of compiled modules is not used")
	if os.Geteuid() == 0 {
		foreign := filepath.Join(parent, "foreign")
		require.NoError(t, os.Mkdir(foreign, 0o700))
		require.NoError(t, os.Chown(foreign, 12345, 12345))
		require.Contains(t, cachedCall(t, foreign), "belongs to user 12345")
	}
}

func TestCacheIsPruned(t *testing.T) {
	dir := t.TempDir()
	c := &cache{dir: dir, logger: slog.New(slog.DiscardHandler)}
	for n := range cacheEntriesMax + 3 {
		entry := filepath.Join(dir, hex.EncodeToString([]byte{byte(n >> 8), byte(n)}))
		require.NoError(t, os.Mkdir(entry, 0o700))
	}
	c.prune()
	require.Len(t, entries(t, dir), cacheEntriesMax)
}
