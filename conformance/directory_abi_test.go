package conformance

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

const (
	codeOptions = -18
	codeLocked  = -23
	codeCorrupt = -24
	codeStorage = -29
)

// openDir opens a store in a directory of the host's.
func (h *host) openDir(path string, o engine.Options) (*remote, int32) {
	for i, n := range []int64{o.BytesMax, int64(o.ValueBytesMax), int64(o.Sync), o.SyncInterval.Milliseconds(), o.SegmentBytes, int64(o.CompressBytesMin)} {
		h.set(uint32(i), uint64(n))
	}
	handle := h.call("ingot_open_dir", h.write([]byte(path)))
	return &remote{host: h, handle: uint64(uint32(handle))}, handle
}

// errorText is what the engine says of the last error.
func (h *host) errorText() string { return string(h.read(0, int(h.call("ingot_error")))) }

// logStats are the numbers of ingot_log_stats.
func (r *remote) logStats() (numbers [15]uint64) {
	n, err := r.try("ingot_log_stats")
	require.NoError(r.t, err)
	p := &reply{r.read(0, int(n))}
	for i := range numbers {
		numbers[i] = p.u64()
	}
	require.Empty(r.t, p.rest, "nothing is wrong")
	return numbers
}

// TestEngineInADirectory hands a directory from engine.wasm to the native engine and
// back, closed and not closed.
func TestEngineInADirectory(t *testing.T) {
	path := t.TempDir()
	newHost := wazeroHostsOn(t, wazero.NewFSConfig().WithDirMount(path, "/data"))
	h := newHost()
	r, code := h.openDir("/data/below/store", engine.Options{CompressBytesMin: 200})
	require.Positive(t, code, h.errorText())
	_, code = h.openDir("/data/below/store", engine.Options{})
	require.EqualValues(t, codeLocked, code)
	for i := range 300 {
		_, err := r.Set(fmt.Sprint("wasm/", i), []byte(strings.Repeat("v", i)), engine.SetOptions{})
		require.NoError(t, err)
	}
	require.Equal(t, uint64(300), r.logStats()[6], "each write is synced")
	_, err := r.try("ingot_compact")
	require.NoError(t, err)
	_, _, err = r.Increment("counter", 5)
	require.NoError(t, err)
	require.Equal(t, uint64(1), r.logStats()[8])
	require.NoError(t, h.module.Close(t.Context())) // not closed: as if killed

	below := filepath.Join(path, "below", "store")
	require.Equal(t, 301, strings.Count(dump(t, below), "\n"))
	dir, err := storage.OpenDir(below)
	require.NoError(t, err)
	s, err := engine.Open(engine.Options{Dir: dir})
	require.NoError(t, err)
	require.False(t, s.LogStats().Recovered.Clean)
	_, _, err = s.Increment("counter", 37)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, dir.Close())

	h = newHost()
	r, code = h.openDir("/data/below/store", engine.Options{Sync: engine.SyncNever})
	require.Positive(t, code, h.errorText())
	entry, err := r.Get("counter")
	require.NoError(t, err)
	require.Equal(t, "42", string(entry.Value))
	require.Equal(t, uint64(1), r.logStats()[13], "it was closed")
	_, err = r.Set("later", nil, engine.SetOptions{})
	require.NoError(t, err)
	require.Zero(t, r.logStats()[6])
	_, err = r.try("ingot_flush")
	require.NoError(t, err)
	require.Positive(t, r.logStats()[6])
	require.NoError(t, r.Close())
	require.Equal(t, 302, strings.Count(dump(t, below), "\n"))
}

// TestEngineCompactsByWork has the log grow until a compaction is due, and does it in
// pieces.
func TestEngineCompactsByWork(t *testing.T) {
	path := t.TempDir()
	h := wazeroHostsOn(t, wazero.NewFSConfig().WithDirMount(path, "/data"))()
	r, code := h.openDir("/data", engine.Options{Sync: engine.SyncNever, SegmentBytes: 1 << 20})
	require.Positive(t, code, h.errorText())
	value, pieces := make([]byte, 64<<10), 0
	for r.logStats()[8] == 0 {
		for i := range 80 {
			_, err := r.Set(fmt.Sprint(i), value, engine.SetOptions{})
			require.NoError(t, err)
		}
		for more := int32(1); more == 1; pieces++ {
			var err error
			more, err = r.try("ingot_work")
			require.NoError(t, err)
		}
	}
	require.Greater(t, pieces, 3, "it is done in pieces")
	require.NoError(t, r.Close())
	require.Equal(t, 80, strings.Count(dump(t, path), "\n"))
}

func TestEngineRefusesDirectories(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
	damaged := filepath.Join(path, "damaged")
	require.NoError(t, os.Mkdir(damaged, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(damaged, "log-0000000000000001.ingot"), make([]byte, 500), 0o600))
	h := wazeroHostsOn(t, wazero.NewFSConfig().WithDirMount(path, "/data"))()
	for name, want := range map[string]int32{"/data/file": codeStorage, "/data/damaged": codeCorrupt, "/elsewhere": codeStorage} {
		_, code := h.openDir(name, engine.Options{})
		require.Equal(t, want, code, "%q: %s", name, h.errorText())
	}
	for _, o := range []engine.Options{{Sync: 3}, {SegmentBytes: -1}, {CompressBytesMin: -1}, {BytesMax: -1}} {
		_, code := h.openDir("/data", o)
		require.EqualValues(t, codeOptions, code, "%+v", o)
	}
	require.EqualValues(t, codeRequest, h.call("ingot_open_dir", 1<<30))
	_, code := wazeroHosts(t)().openDir("/data", engine.Options{})
	require.EqualValues(t, codeStorage, code, "the host offers no files")
}

var turnDir = flag.String("directory", "", "`directory` of a store that the builds open in turn")

// TestDirectoryInTurn adds 1 to a counter natively, then under wazero, then natively
// again, each time in the directory of the flag. node-directory.test.mjs runs it between
// turns of Node.
func TestDirectoryInTurn(t *testing.T) {
	path := *turnDir
	if path == "" {
		path = t.TempDir()
	}
	turns := func() int64 {
		dir, err := storage.OpenDir(path)
		require.NoError(t, err)
		s, err := engine.Open(engine.Options{Dir: dir})
		require.NoError(t, err)
		sum, _, err := s.Increment("turns", 1)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.NoError(t, dir.Close())
		return sum
	}
	before := turns()
	h := wazeroHostsOn(t, wazero.NewFSConfig().WithDirMount(path, "/data"))()
	r, code := h.openDir("/data", engine.Options{})
	require.Positive(t, code, h.errorText())
	sum, _, err := r.Increment("turns", 1)
	require.NoError(t, err)
	require.Equal(t, before+1, sum)
	require.NoError(t, r.Close())
	require.Equal(t, before+2, turns())
}
