package conformance

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var exchangeDir = flag.String("exchange", "", "`directory` in which builds leave snapshots for each other")

// Each build runs exchange/write.txt and leaves its snapshot as NAME.snapshot in
// the exchange directory; then it runs exchange/read.txt on every snapshot that
// lies there. exchange.test.mjs does the same in Node and Chromium, and runs
// this test on the directory that it has filled.
func TestExchange(t *testing.T) {
	dir := *exchangeDir
	if dir == "" {
		dir = t.TempDir()
	}
	if *update {
		updateExchange(t)
	}
	newHost := wazeroHosts(t)
	builds := map[string]opener{"native": openNative, "wazero": newHost().open}
	write, read := exchangeScript(t, "write"), exchangeScript(t, "read")
	for name, open := range builds {
		r, err := newRunner(open)
		require.NoError(t, err)
		require.Equal(t, write, r.run(t, write), "written by %s", name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".snapshot"), r.snapshots["exchanged"], 0o644))
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.snapshot"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), len(builds))
	for _, path := range paths {
		from := strings.TrimSuffix(filepath.Base(path), ".snapshot")
		for name, open := range builds {
			t.Run(from+" to "+name, func(t *testing.T) {
				r, err := newRunner(open)
				require.NoError(t, err)
				r.loadFile = func(string) ([]byte, error) { return os.ReadFile(path) }
				require.Equal(t, read, r.run(t, read))
			})
		}
	}
}

func exchangeScript(t *testing.T, name string) string {
	script, err := os.ReadFile(filepath.Join("exchange", name+".txt"))
	require.NoError(t, err)
	return string(script)
}

// updateExchange writes what the native engine prints into both scripts.
func updateExchange(t *testing.T) {
	snapshots := map[string][]byte{}
	for _, name := range []string{"write", "read"} {
		r, err := newRunner(openNative)
		require.NoError(t, err)
		r.loadFile = func(name string) ([]byte, error) { return snapshots[name], nil }
		got := r.run(t, exchangeScript(t, name))
		maps.Copy(snapshots, r.snapshots)
		require.NoError(t, os.WriteFile(filepath.Join("exchange", name+".txt"), []byte(got), 0o644))
	}
}
