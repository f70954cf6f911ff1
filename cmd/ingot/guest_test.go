package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/guesttest"
	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
)

const sha256Path = "../../guest/examples/c-sha256/sha256.wasm"

func TestGuestTest(t *testing.T) {
	code, stdout, stderr := runWith(t, "guest", "test", "--timeout", "1m", sha256Path)
	require.Equal(t, command.ExitOK, code, stdout+stderr)
	require.Contains(t, stdout, "native/1, tools: sha256")
	require.Contains(t, stdout, " 0 failed")

	broken := filepath.Join(t.TempDir(), "broken.wasm")
	require.NoError(t, os.WriteFile(broken, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	code, stdout, stderr = runWith(t, "guest", "test", broken, sha256Path, "--timeout", "1m", "--json")
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "ingot: 1 checks failed")
	var reports []guesttest.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &reports))
	require.Len(t, reports, 2)
	require.Equal(t, 1, reports[0].Failed())
	require.Equal(t, "exports and imports", reports[0].Checks[0].Name)
	require.NotEmpty(t, reports[0].Checks[0].Mend)
	require.Zero(t, reports[1].Failed())

	code, _, stderr = runWith(t, "guest", "test", "none.wasm")
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "none.wasm: no such file")
	code, _, _ = runWith(t, "guest", "test", sha256Path, "--timeout", "0s")
	require.Equal(t, command.ExitUsage, code)
}

// A project of each template builds as it is written, and the kit finds nothing wrong
// with what it makes.
func TestNewAndBuild(t *testing.T) {
	for _, language := range []string{"go", "c", "rust", "as"} {
		t.Run(language, func(t *testing.T) {
			guestbuild.Require(t, language)
			if language == "as" { // stands in for npm install
				t.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+guestbuild.AscFolder())
			}
			dir := filepath.Join(t.TempDir(), "my-tool")
			code, stdout, stderr := runWith(t, "new", "my-tool", "--template", "wasm-"+language, "--dir", dir)
			require.Equal(t, command.ExitOK, code, stderr)
			require.Contains(t, stdout, "ingot guest test my-tool.wasm")
			code, stdout, stderr = runWith(t, "build", dir)
			require.Equal(t, command.ExitOK, code, stderr)
			require.Contains(t, stdout, "my-tool.wasm")
			code, stdout, stderr = runWith(t, "guest", "test", filepath.Join(dir, "my-tool.wasm"), "--timeout", "1m")
			require.Equal(t, command.ExitOK, code, stdout+stderr)
			require.Contains(t, stdout, "tools: my-tool")
			for line := range strings.Lines(stdout) {
				require.False(t, strings.HasPrefix(line, "  warn") && !strings.Contains(line, "  time "), line)
			}
			readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
			require.NoError(t, err)
			require.Contains(t, string(readme), "# my-tool")
			require.NotContains(t, string(readme), "{{")
		})
	}
}

func TestNewRefuses(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "mine"), nil, 0o600))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"new"}, command.ExitUsage, "<name>"},
		{[]string{"new", "my-tool", "--template", "wasm-cobol"}, command.ExitUsage, "it can be minimal, full, wasm-go, wasm-rust, wasm-c, wasm-as, http, cli"},
		{[]string{"new", "Shop"}, command.ExitUsage, "begin with a letter"},
		{[]string{"new", "shop", "--dir", full}, command.ExitFailure, "there and not empty"},
		{[]string{"new", "My Tool", "--template", "wasm-go"}, command.ExitUsage, "begin with a letter"},
		{[]string{"new", "../x", "--template", "wasm-go"}, command.ExitUsage, "begin with a letter"},
		{[]string{"new", "a-", "--template", "wasm-go"}, command.ExitUsage, "begin with a letter"},
		{[]string{"new", strings.Repeat("a", 41), "--template", "wasm-go"}, command.ExitUsage, "at most 40"},
		{[]string{"new", "my-tool", "--template", "wasm-go", "--dir", full}, command.ExitFailure, "there and not empty"},
	} {
		code, _, stderr := runWith(t, c.args...)
		require.Equal(t, c.code, code, c.args)
		require.Contains(t, stderr, c.says, c.args)
	}
	entries, err := os.ReadDir(full)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// Without a toolchain it says what to install, and leaves nothing behind.
func TestBuildWithoutToolchain(t *testing.T) {
	for language, says := range map[string]string{
		"go":   "go is not installed: install Go",
		"c":    "clang is not installed: install clang",
		"rust": "cargo is not installed: install Rust",
		"as":   "asc is not installed: run npm install",
	} {
		t.Run(language, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x")
			code, _, stderr := runWith(t, "new", "x", "--template", "wasm-"+language, "--dir", dir)
			require.Equal(t, command.ExitOK, code, stderr)
			t.Setenv("PATH", t.TempDir())
			code, _, stderr = runWith(t, "build", dir)
			require.Equal(t, command.ExitFailure, code)
			require.Contains(t, stderr, says)
			require.NoFileExists(t, filepath.Join(dir, "x.wasm"))
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	empty := t.TempDir()
	code, _, stderr := runWith(t, "build", empty)
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "Cargo.toml (Rust), go.mod (Go), tool.ts (AssemblyScript), *.c (C): make a project with ingot new")
	code, _, stderr = runWith(t, "build", filepath.Join(empty, "none"))
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "no such file")

	// What the compiler says is part of the error.
	guestbuild.Require(t, "c")
	require.NoError(t, os.WriteFile(filepath.Join(empty, "tool.c"), []byte("this is no C"), 0o600))
	code, _, stderr = runWith(t, "build", empty, "--out", filepath.Join(empty, "out.wasm"))
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "tool.c:1")
	require.NoFileExists(t, filepath.Join(empty, "out.wasm"))
}
