package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the native engine prints into the scripts")

func TestScriptsNative(t *testing.T) {
	eachScript(t, func(t *testing.T, path, script string) {
		got := runScript(t, script, openNative)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			return
		}
		require.Equal(t, script, got)
	})
}

func TestScriptsWazero(t *testing.T) {
	newHost := wazeroHosts(t)
	eachScript(t, func(t *testing.T, path, script string) {
		h := newHost()
		h.t = t
		require.Equal(t, script, runScript(t, script, h.open))
	})
}

// eachScript runs f once per script, as a subtest of its name.
func eachScript(t *testing.T, f func(t *testing.T, path, script string)) {
	paths, err := filepath.Glob("scripts/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(path)
			require.NoError(t, err)
			f(t, path, string(script))
		})
	}
}

// runScript returns the script with the output that the build in hand gives.
func runScript(t *testing.T, script string, open opener) string {
	r, err := newRunner(open)
	require.NoError(t, err)
	return r.run(t, script)
}

func (r *runner) run(t *testing.T, script string) string {
	got, err := rewrite(script, r.do)
	require.NoError(t, err)
	require.NotContains(t, got, "the script is wrong")
	require.NoError(t, r.close())
	return got
}
