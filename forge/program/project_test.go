package program

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What cannot be put into its place leaves nothing beside it.
func TestFailedUnpackingLeavesNothing(t *testing.T) {
	p, err := read(archive(t, About{File: "forge.yaml", Name: "x"}, file{"forge.yaml", "forge: {name: x}\n", 0o644}))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "forge.yaml", "in its place"), 0o700))
	_, err = p.unpackTo(dir)
	require.ErrorContains(t, err, "unpacking the project to "+dir)
	left, err := fs.Glob(os.DirFS(dir), "*")
	require.NoError(t, err)
	require.Equal(t, []string{"forge.yaml"}, left)
}

// An older version's files stay in the folder for the data.
func TestFilesOfOlderVersionsStay(t *testing.T) {
	dir := t.TempDir()
	for _, version := range [][]file{{{"a.txt", "1", 0o644}, {"b.txt", "1", 0o644}}, {{"b.txt", "2", 0o644}}} {
		p, err := read(archive(t, About{File: "b.txt", Name: "x"}, version...))
		require.NoError(t, err)
		_, err = p.unpackTo(dir)
		require.NoError(t, err)
	}
	for name, want := range map[string]string{"a.txt": "1", "b.txt": "2"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
}
