package program

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/command"
)

// file is an entry of an archive.
type file struct {
	name, text string
	mode       fs.FileMode
}

// archive is a project with these files.
func archive(t *testing.T, about About, files ...file) []byte {
	t.Helper()
	text, err := json.Marshal(about)
	require.NoError(t, err)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range append([]file{{AboutFile, string(text), 0o644}}, files...) {
		head := &zip.FileHeader{Name: f.name}
		head.SetMode(f.mode)
		part, err := w.CreateHeader(head)
		require.NoError(t, err)
		if !f.mode.IsDir() {
			_, err = part.Write([]byte(f.text))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

const shop = `
forge: {name: shop, version: 1.2.3}
state: {backend: file, path: kept}
tools:
  - {type: native, name: count, handler: "state::increment", params: {key: string}}
  - {type: cli, name: hello, command: ./bin/hello}
tests:
  - {tool: count, input: {key: n}, expect: {json: {value: 1}}}
  - {tool: hello, expect: {text: "hello\n"}}
`

func shopArchive(t *testing.T, text string) []byte {
	return archive(t, About{File: "forge.yaml", Name: "shop", Version: "1.2.3", Folders: []string{"kept"}},
		file{"forge.yaml", text, 0o644}, file{"bin/hello", "#!/bin/sh\necho hello\n", 0o755}, file{"empty/", "", fs.ModeDir | 0o755})
}

func try(t *testing.T, archive []byte, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Run(t.Context(), archive, args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

const counting = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"key":"n"}}}
`

func TestCommands(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	code, stdout, stderr := try(t, shopArchive(t, shop), "", "--version")
	require.Equal(t, command.ExitOK, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "shop 1.2.3, by ingot "), stdout)
	code, stdout, _ = try(t, shopArchive(t, shop), "", "validate")
	require.Equal(t, command.ExitOK, code)
	require.Equal(t, "shop 1.2.3: 2 tools, 0 resources, 0 prompts\n", stdout)
	code, stdout, stderr = try(t, shopArchive(t, shop), "", "test")
	require.Equal(t, command.ExitOK, code, stdout+stderr)
	require.Contains(t, stdout, "ok   count\n")
	require.Contains(t, stdout, "2 tests passed")

	code, stdout, stderr = try(t, shopArchive(t, strings.Replace(shop, "value: 1}", "value: 7}", 1)), "", "test")
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stdout, "FAIL count")
	require.Contains(t, stdout, "\n     -   \"value\": 7\n")
	require.Contains(t, stderr, "shop: 1 of 2 tests failed")
	code, _, stderr = try(t, shopArchive(t, strings.Replace(shop, "state::increment", "shop::other", 1)), "", "validate")
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, `tool count: the program registers no "shop::other"`)
	code, _, stderr = try(t, shopArchive(t, shop), "", "frobnicate")
	require.Equal(t, command.ExitUsage, code)
	require.Contains(t, stderr, "frobnicate")
	code, _, stderr = try(t, shopArchive(t, shop), "", "serve", "--allow-host", "x", "--data", t.TempDir())
	require.Equal(t, command.ExitUsage, code)
	require.Contains(t, stderr, "--allow-host is about HTTP")

	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left, "what is unpacked aside is removed")
}

// What the project writes stays in its folder over restarts and new versions of it.
func TestData(t *testing.T) {
	data := t.TempDir()
	for _, want := range []string{`{"value":1}`, `{"value":2}`} {
		code, stdout, stderr := try(t, shopArchive(t, shop), counting, "--data", data)
		require.Equal(t, command.ExitOK, code, stderr)
		require.Contains(t, stdout, want)
	}
	code, stdout, stderr := try(t, shopArchive(t, strings.Replace(shop, "1.2.3", "1.3.0", 1)), counting, "serve", "--data", data)
	require.Equal(t, command.ExitOK, code, stderr)
	require.Contains(t, stdout, `"version":"1.3.0"`)
	require.Contains(t, stdout, `{"value":3}`)
	info, err := os.Stat(filepath.Join(data, "bin", "hello"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	require.DirExists(t, filepath.Join(data, "empty"))
	require.NoFileExists(t, filepath.Join(data, AboutFile))

	// Without --data it is a folder of its own.
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	code, stdout, stderr = try(t, shopArchive(t, shop), counting)
	require.Equal(t, command.ExitOK, code, stderr)
	require.Contains(t, stdout, `{"value":1}`)
	require.DirExists(t, filepath.Join(os.Getenv("XDG_DATA_HOME"), "ingot", "projects", "shop", "kept"))
}

// A link in the folder, which somebody else made, leads no file out of it.
func TestUnpackFollowsNoLinkOut(t *testing.T) {
	data, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(data, "bin")))
	code, _, stderr := try(t, shopArchive(t, shop), counting, "--data", data)
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "unpacking the project to "+data)
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestBrokenArchive(t *testing.T) {
	for name, broken := range map[string][]byte{
		"no archive":  []byte("nothing"),
		"no about":    archive(t, About{}),
		"half of one": shopArchive(t, shop)[:200],
	} {
		code, stdout, stderr := try(t, broken, "", "validate")
		require.Equal(t, command.ExitFailure, code, name)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "build it again", name)
	}
}
