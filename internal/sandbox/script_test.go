package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/state"
)

// The guest testdata/script.c makes the host calls that it is told to make and
// reports what came of each, as "errno number text".

const scriptPath = "testdata/script.wasm"

// line is one line of a script.
func line(parts ...any) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprint(p)
	}
	return strings.Join(texts, "\t")
}

// scripted is the script guest with a policy, a log and a state store.
type scripted struct {
	*Module
	log   *lineCounter
	store state.Manager
}

func loadScript(t testing.TB, p Policy) *scripted {
	t.Helper()
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	s := &scripted{log: &lineCounter{}}
	s.store, err = state.Open(state.Options{})
	require.NoError(t, err)
	host := New(Options{Logger: slog.New(slog.NewTextHandler(s.log, nil)), State: s.store, CacheDir: scriptCache(t)})
	t.Cleanup(func() {
		require.NoError(t, host.Close(context.Background()))
		require.NoError(t, s.store.Close())
	})
	s.Module, err = host.Load(context.Background(), "script.wasm", module, p)
	require.NoError(t, err)
	return s
}

// scriptCache is where the script guest is kept compiled, for all tests that load
// it: it is compiled once for each set of limits that the compiler knows.
func scriptCache(t testing.TB) string {
	t.Helper()
	dir, err := scriptCacheDir()
	require.NoError(t, err)
	return dir
}

var scriptCacheDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "ingot-script-cache") })

// TestMain removes the cache.
func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := scriptCacheDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// try runs a script in one call.
func (s *scripted) try(lines ...string) ([]string, error) {
	return s.call(CallRequest{}, lines...)
}

func (s *scripted) call(r CallRequest, lines ...string) ([]string, error) {
	args, err := json.Marshal(map[string]string{"script": strings.Join(lines, "\n")})
	if err != nil {
		return nil, err
	}
	r.Arguments = args
	out, err := s.Call(context.Background(), r)
	if err != nil {
		return nil, err
	}
	var result struct{ Lines []string }
	err = json.Unmarshal(out.JSON, &result)
	return result.Lines, err
}

// run is try for scripts that must come back.
func (s *scripted) run(t testing.TB, lines ...string) []string {
	t.Helper()
	out, err := s.try(lines...)
	require.NoError(t, err)
	require.Len(t, out, len(lines))
	return out
}

// last is the report of the last line.
func (s *scripted) last(t testing.TB, lines ...string) string {
	t.Helper()
	out := s.run(t, lines...)
	return out[len(out)-1]
}

// logged is what the host logged so far.
func (c *lineCounter) logged() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(bytes.Clone(c.text.Bytes()))
}

// The committed guests are what their sources make of them.
func TestScriptKnowsItsLines(t *testing.T) {
	s := loadScript(t, Policy{})
	_, err := s.try("no such line")
	var g *GuestError
	require.ErrorAs(t, err, &g)
	require.Equal(t, "unknown_line", g.Code)
	require.Equal(t, []string{"0 0", "0 1"}, s.run(t, "calls", "calls"))
	require.Equal(t, "0 0", s.last(t, "calls"), "a call starts afresh")
}

// The errnos of WASI preview 1 that guests see here.
const (
	wasiOK          = "0"
	wasiBadf        = "8"
	wasiExist       = "20"
	wasiInval       = "28"
	wasiIO          = "29"
	wasiIsdir       = "31"
	wasiLoop        = "32"
	wasiNametoolong = "37"
	wasiNoent       = "44"
	wasiNosys       = "52"
	wasiNotdir      = "54"
	wasiNotempty    = "55"
	wasiNotsup      = "58"
	wasiPerm        = "63"
	wasiRofs        = "69"
)

// Flags of path_open.
const (
	create, directory, exclusive, truncate = 1, 2, 4, 8
	readRight, writeRight                  = 2, 64
	appending                              = 1
)

// The descriptors of the granted folders, in the order of the policy.
const readRoot, workRoot = 3, 4

// opens is a line that opens a file, following links.
func opens(fd int, path string, oflags, rights int) string {
	return line("open", fd, 1, path, oflags, rights, 0)
}

func reads(fd int, path string) string { return opens(fd, path, 0, readRight) }
func makes(fd int, path string) string { return opens(fd, path, create, readRight|writeRight) }

func mustRead(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}
