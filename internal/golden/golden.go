// Package golden holds what a test prints against files of expected output, and
// rewrites them when the test runs with -update; a person reads the difference.
//
// [Match] compares one file. [Scripts] is for files that are both: the lines that
// a test acts out and, between them, what came of each.
//
//	golden.Scripts(t, "testdata/streams/*.txt", replay)
//
// # Caveats
//
// It defines the flag -update, so a test that imports it must not.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// Match fails t unless the file at path holds got. With -update it writes the file.
func Match(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run go test -update and read the difference")
}

// Scripts plays each file that pattern matches in a subtest of its own, and
// matches the file with what play returns: the script with what came of it. It
// fails t when there is no file.
func Scripts(t *testing.T, pattern string, play func(t *testing.T, script string) string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			script, err := os.ReadFile(file)
			require.NoError(t, err)
			Match(t, file, play(t, string(script)))
		})
	}
}
