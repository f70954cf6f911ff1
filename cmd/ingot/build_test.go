package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/command"
)

// projectFiles writes a project and returns its folder.
func projectFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	return dir
}

// buildHere builds a project with this working copy.
func buildHere(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	source, err := filepath.Abs("../..")
	require.NoError(t, err)
	return runWith(t, append([]string{"build", dir, "--source", source}, args...)...)
}

// runProgram runs a built program, away from its project.
func runProgram(t *testing.T, path, stdin string, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(stdin)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s: %s", cmd, problems.String())
	}
	return string(out), err
}

// frames are a session over stdio: initialize, and requests from id 1 on.
func frames(requests ...string) string {
	all := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
	for i, r := range requests {
		all += `{"jsonrpc":"2.0","id":` + string(rune('1'+i)) + `,` + r + "}\n"
	}
	return all
}

// symbols says whether a program still has its symbols.
func symbols(t *testing.T, path string) bool {
	t.Helper()
	f, err := elf.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NotContains(t, sections(f), ".interp", "the program is not static")
	return slices.Contains(sections(f), ".symtab")
}

func sections(f *elf.File) (names []string) {
	for _, s := range f.Sections {
		names = append(names, s.Name)
	}
	return names
}

// What ingot new's fullest project becomes: a program that carries its Go function, its
// module and its files, has no symbols, and keeps its state where it is told to.
func TestBuildFull(t *testing.T) {
	if testing.Short() {
		t.Skip("it links a program")
	}
	source, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "my-shop")
	code, stdout, stderr := runWith(t, "new", "my-shop", "--template", "full", "--source", source, "--dir", dir)
	require.Equal(t, command.ExitOK, code, stderr)
	require.Contains(t, stdout, "./my-shop test")
	code, _, stderr = runWith(t, "validate", filepath.Join(dir, "forge.yaml"))
	require.Equal(t, command.ExitOK, code, stderr)
	before := tree(t, dir)

	code, stdout, stderr = runWith(t, "build", dir) // its go.mod says where ingot is
	require.Equal(t, command.ExitOK, code, stderr)
	require.Contains(t, stdout, "(release), carries ")
	require.ElementsMatch(t, append(before, "my-shop", "guests/loud/loud.wasm"), tree(t, dir), "what the build leaves in the project")
	built := filepath.Join(dir, "my-shop")
	if runtime.GOOS == "linux" {
		require.False(t, symbols(t, built), "optimization: release leaves symbols")
	}
	moved := filepath.Join(t.TempDir(), "moved")
	require.NoError(t, os.Rename(built, moved))
	require.NoError(t, os.RemoveAll(dir)) // it needs nothing of it
	t.Setenv("TMPDIR", t.TempDir())

	out, err := runProgram(t, moved, "", "--version")
	require.NoError(t, err)
	require.Regexp(t, `^my-shop 0\.1\.0, by ingot .*\n$`, out)
	out, err = runProgram(t, moved, "", "validate")
	require.NoError(t, err)
	require.Equal(t, "my-shop 0.1.0: 7 tools, 2 resources, 1 prompt\n", out)
	out, err = runProgram(t, moved, "", "test")
	require.NoError(t, err, out)
	require.Contains(t, out, "8 tests passed")
	_, err = runProgram(t, moved, "", "serve", "--no-such-flag")
	require.ErrorContains(t, err, "exit status 2")

	data := t.TempDir()
	for _, visits := range []string{`"visits":1}`, `"visits":2}`} { // two lives, one state
		out, err = runProgram(t, moved, frames(
			toolCall("welcome", `{"name":"Ada"}`), `"method":"resources/read","params":{"uri":"docs:///about.md"}`), "--data", data)
		require.NoError(t, err)
		require.Contains(t, out, "HELLO, ADA!!")
		require.Contains(t, out, visits)
		require.Contains(t, out, "This file is a resource")
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left, "what is unpacked goes with the process")
}

// tree lists the files below a folder.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(name))
		}
		return err
	}))
	return files
}

// A project without Go, with all that a file can name; built for debugging.
func TestBuildCarriesWhatTheFileNames(t *testing.T) {
	if testing.Short() {
		t.Skip("it links a program")
	}
	module, err := os.ReadFile(sha256Path)
	require.NoError(t, err)
	dir := projectFiles(t, map[string]string{
		"forge.yaml": `
forge: {name: "shop of ${SHOP_OWNER}", description: "for ${SHOP_TOKEN:-all}"}
include: more/tools.yaml
tools:
  - {type: wasm, module: guests/sha256/sha256.wasm}
  - {type: cli, name: script, command: bin/hello, args: ["{{who}}"], params: {who: string}}
  - {type: cli, name: reads, command: cat, args: [greeting.txt, "{{file}}"], cwd: work, params: {file: string}}
  - {type: cli, name: elsewhere, command: cat, args: [/etc/hostname]}
resources:
  - {uri: "file://./README.md"}
`,
		"more/tools.yaml":           "tools: [{type: native, name: included, handler: {inline: '1 + 1'}}]\n",
		"bin/hello":                 "#!/bin/sh\necho \"hello $1\"\n",
		"work/greeting.txt":         "good day\n",
		"work/unnamed.txt":          "not carried\n",
		"README.md":                 "read me",
		"guests/sha256/sha256.wasm": string(module),
		"guests/sha256/tool.c":      "this is no C",
		"shop.forge-test.yaml": `
tests:
  - {tool: included, expect: {text: "2"}}
  - {tool: script, input: {who: you}, expect: {text: "hello you\n"}}
  - {tool: reads, input: {file: greeting.txt}, expect: {text: "good day\ngood day\n"}}
  - {tool: reads, input: {file: unnamed.txt}, expect: {error: true, contains: ["unnamed.txt: No such file"]}}
  - {tool: sha256, input: {text: abc}, expect: {contains: [ba7816bf]}}
`,
	})
	t.Setenv("SHOP_TOKEN", "hush-hush-token")
	out := filepath.Join(t.TempDir(), "out")
	source := filepath.Join(dir, "guests", "sha256", "tool.c")
	require.NoError(t, os.Chtimes(source, time.Now().Add(time.Hour), time.Now().Add(time.Hour))) // newer than its module
	path := os.Getenv("PATH")
	onlyGo(t)
	code, stdout, stderr := buildHere(t, dir, "--out", out) // SHOP_OWNER is known when it runs
	require.Equal(t, command.ExitOK, code, stderr)
	require.Contains(t, stderr, "sha256.wasm is used as it is: clang is not installed")
	t.Setenv("PATH", path)
	require.Contains(t, stdout, "(debug), carries ")
	if runtime.GOOS == "linux" {
		require.True(t, symbols(t, out), "only optimization: release leaves the symbols out")
	}
	content, err := os.ReadFile(out)
	require.NoError(t, err)
	require.NotContains(t, string(content), "hush-hush-token", "the build's secrets are no part of the program")

	_, err = runProgram(t, out, "", "validate")
	require.Error(t, err, "SHOP_OWNER is not set")
	t.Setenv("SHOP_OWNER", "Ada")
	require.NoError(t, os.RemoveAll(dir))
	answer, err := runProgram(t, out, "", "test")
	require.NoError(t, err, answer)
	answer, err = runProgram(t, out, frames(`"method":"resources/list"`))
	require.NoError(t, err)
	require.Contains(t, answer, "README.md")
	require.Contains(t, answer, `"name":"shop of Ada"`)
}

// onlyGo leaves nothing in PATH but the go command.
func onlyGo(t *testing.T) {
	t.Helper()
	found, err := exec.LookPath("go")
	require.NoError(t, err)
	found, err = filepath.EvalSymlinks(found)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(found, filepath.Join(dir, "go")))
	t.Setenv("PATH", dir)
}

const handlerSource = `package handlers

import (
	"context"

	f "github.com/ingot-run/ingot/forge"
)

type in struct { Name string "json:\"name\"" }

func init() {
	f.Handle[in, string]("shop::greet", func(_ context.Context, p in) (string, error) { return p.Name, nil })
}
`

// What cannot be built says so before the go command does, with the place in the file.
func TestBuildProjectRefuses(t *testing.T) {
	named := func(handler string) string {
		return "forge: {name: shop}\ntools:\n  - {type: native, name: greet, handler: '" + handler + "'}\n"
	}
	gomod := "module shop\n\ngo 1.26.0\n"
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"a handler's name": {
			map[string]string{"forge.yaml": named("shop::gret"), "handlers/h.go": handlerSource, "go.mod": gomod},
			[]string{"forge.yaml:3:", "tool greet", `no Go file of the project registers "shop::gret": did you mean "shop::greet"?`}},
		"no handler": {
			map[string]string{"forge.yaml": named("shop::other")},
			[]string{"forge.yaml:3:", "call forge.Handle with that name"}},
		"only in a test": {
			map[string]string{"forge.yaml": named("shop::greet"), "handlers/h_test.go": handlerSource, "go.mod": gomod},
			[]string{"call forge.Handle with that name"}},
		"only in another module": {
			map[string]string{"forge.yaml": named("shop::greet"), "other/h.go": handlerSource, "other/go.mod": gomod},
			[]string{"call forge.Handle with that name"}},
		"package main": {
			map[string]string{"forge.yaml": named("shop::greet"), "main.go": strings.Replace(handlerSource, "package handlers", "package main", 1), "go.mod": gomod},
			[]string{"main.go:12:2", "package main, which no program can import"}},
		"no module": {
			map[string]string{"forge.yaml": named("shop::greet"), "handlers/h.go": handlerSource},
			[]string{"run go mod init in"}},
		"no syntax": {
			map[string]string{"forge.yaml": named("shop::greet"), "handlers/h.go": "package handlers\n\nfunc {", "go.mod": gomod},
			[]string{"h.go:3:6"}},
		"does not compile": {
			map[string]string{"forge.yaml": named("shop::greet"), "handlers/h.go": handlerSource + "\nvar x int = \"text\"\n", "go.mod": gomod},
			[]string{"the project does not compile", "h.go:15:13"}},
		"a faulty file": {
			map[string]string{"forge.yaml": "forge: {name: shop}\ntools: [{type: cli, name: a, comand: ls}]\n"},
			[]string{"forge.yaml:2:", `did you mean "command"?`}},
		"a file outside": {
			map[string]string{"forge.yaml": "forge: {name: shop}\nresources: [{uri: 'a:b', file: ../secret.txt}]\n", "../secret.txt": "x"},
			[]string{"secret.txt is outside of the project's folder"}},
		"a file that is missing": {
			map[string]string{"forge.yaml": "forge: {name: shop}\nresources: [{uri: 'a:b', file: none.txt}]\n"},
			[]string{"a file that the project names", "none.txt"}},
		"a module that is missing": {
			map[string]string{"forge.yaml": "forge: {name: shop}\ntools: [{type: wasm, module: tools/none.wasm}]\n"},
			[]string{"there is no module", "none.wasm"}},
		"a module that is another": {
			map[string]string{"forge.yaml": "forge: {name: shop}\ntools: [{type: wasm, module: tools/a.wasm, sha256: '" + strings.Repeat("0", 64) + "'}]\n", "tools/a.wasm": "x"},
			[]string{"a.wasm has the hash 2d711642b726b044", "and the file asks for sha256: 000"}},
		"the folder itself": {
			map[string]string{"forge.yaml": "forge: {name: shop}\nresources: [{uri: 'a:///{+p}', root: .}]\n"},
			[]string{"serves its whole folder"}},
		"a guest that is newer and does not compile": {
			map[string]string{"forge.yaml": "forge: {name: shop}\ntools: [{type: wasm, module: tools/a.wasm}]\n", "tools/go.mod": "module a\n\ngo 1.24\n", "tools/main.go": "package main\n\nfunc main() { none() }\n"},
			[]string{"building ", "main.go:3:15: undefined: none"}},
		"a program in a folder's place": {
			map[string]string{"forge.yaml": "forge: {name: shop}\n", "shop/x": ""},
			[]string{"shop is a folder: name a file with --out"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := projectFiles(t, c.files)
			before := tree(t, dir)
			code, _, stderr := buildHere(t, dir)
			require.Equal(t, command.ExitFailure, code, stderr)
			for _, says := range c.says {
				require.Contains(t, stderr, says)
			}
			require.ElementsMatch(t, before, tree(t, dir), "a build that fails leaves nothing")
		})
	}
}

func TestBuildProjectWithoutGo(t *testing.T) {
	dir := projectFiles(t, map[string]string{"forge.yaml": "forge: {name: shop}\n"})
	code, _, stderr := runWith(t, "build", dir)
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "--source DIR or the environment variable INGOT_SOURCE", "a working copy's ingot is no release")
	own := projectFiles(t, map[string]string{
		"forge.yaml": "forge: {name: shop}\n", "handlers/h.go": handlerSource,
		"go.mod": "module shop\n\ngo 1.26.0\n\nrequire github.com/ingot-run/ingot v0.0.0\n",
	})
	code, _, stderr = runWith(t, "build", own)
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "--source DIR or the environment variable INGOT_SOURCE")
	t.Setenv("PATH", t.TempDir())
	code, _, stderr = buildHere(t, dir)
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, "go is not installed: a project is compiled with Go 1.26")
}

// Outside of its program a project with Go functions says what to do.
func TestServeNamesBuild(t *testing.T) {
	dir := projectFiles(t, map[string]string{"forge.yaml": "forge: {name: shop}\ntools: [{type: native, name: a, handler: 'b::c'}]\n"})
	code, _, stderr := runWith(t, "serve", "--config", filepath.Join(dir, "forge.yaml"))
	require.Equal(t, command.ExitFailure, code)
	require.Contains(t, stderr, `there is no function "b::c" here`)
	require.Contains(t, stderr, `the program that "ingot build" makes`)
}

// The projects that need nothing but ingot: valid, tested by themselves, and served.
func TestNewServers(t *testing.T) {
	for template, call := range map[string]struct{ request, answer string }{
		"minimal": {toolCall("greet", `{"name":"Ada"}`), `"text":"Hello, Ada!"`},
		"http":    {toolCall("get_user", `{"username":"a/b"}`), `argument \"username\"`},
		"cli":     {toolCall("find_text", `{"text":"bread"}`), `shopping.txt:2:bread`},
	} {
		t.Run(template, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "my-server")
			code, stdout, stderr := runWith(t, "new", "my-server", "--template", template, "--dir", dir)
			require.Equal(t, command.ExitOK, code, stderr)
			require.Contains(t, stdout, "ingot test")
			file := filepath.Join(dir, "forge.yaml")
			code, stdout, stderr = runWith(t, "validate", file)
			require.Equal(t, command.ExitOK, code, stdout+stderr)
			code, stdout, stderr = runWith(t, "test", file, "--json")
			require.Equal(t, command.ExitOK, code, stdout+stderr)
			var tally struct{ Passed, Failed int }
			require.NoError(t, json.Unmarshal([]byte(stdout), &tally))
			require.Greater(t, tally.Passed, 1)
			answers, _ := session(t, file, call.request)
			require.Contains(t, answers[1], call.answer)
			readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
			require.NoError(t, err)
			require.Contains(t, string(readme), "# my-server")
			require.NotContains(t, string(readme), "[[")
		})
	}
	t.Run("minimal is the default", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a")
		code, _, stderr := runWith(t, "new", "a", "--dir", dir)
		require.Equal(t, command.ExitOK, code, stderr)
		require.ElementsMatch(t, []string{"forge.yaml", "README.md"}, tree(t, dir))
	})
}

// moduleProxy is a folder that serves this working copy to the go command as a released
// version, as proxies of modules do.
func moduleProxy(t *testing.T, version string) string {
	t.Helper()
	const module = "github.com/ingot-run/ingot"
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name string, content []byte) {
		part, err := w.Create(module + "@" + version + "/" + name)
		require.NoError(t, err)
		_, err = part.Write(content)
		require.NoError(t, err)
	}
	add("go.mod", gomod)
	for _, folder := range []string{"engine", "forge", "hash", "internal", "mcp", "state"} { // what a program needs
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			name, err := filepath.Rel(root, path)
			require.NoError(t, err)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			add(filepath.ToSlash(name), content)
			return nil
		}))
	}
	require.NoError(t, w.Close())
	dir := t.TempDir()
	folder := filepath.Join(dir, filepath.FromSlash(module), "@v")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, content := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".mod": gomod, version + ".zip": b.Bytes(),
		version + ".info": []byte(`{"Version":"` + version + `","Time":"2026-01-01T00:00:00Z"}`),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	return dir
}

// A project whose go.mod requires a released version is built with that, and its go.mod
// stays as it was: it needs to know nothing of what the program needs beside.
func TestBuildWithReleasedVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("it links a program")
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	t.Setenv("GOPROXY", "file://"+moduleProxy(t, "v0.9.9")+",file://"+filepath.Join(strings.TrimSpace(string(cache)), "cache", "download"))
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw") // so that the folder can be removed
	t.Setenv("GONOSUMDB", "*")
	gomod := "module shop\n\ngo 1.26.0\n\nrequire github.com/ingot-run/ingot v0.9.9\n"
	dir := projectFiles(t, map[string]string{
		"forge.yaml": "forge: {name: shop}\ntools: [{type: native, name: greet, handler: 'shop::greet', params: {name: string}}]\n",
		"go.mod":     gomod, "handlers/h.go": handlerSource,
	})
	code, _, stderr := runWith(t, "build", dir)
	require.Equal(t, command.ExitOK, code, stderr)
	out, err := runProgram(t, filepath.Join(dir, "shop"), frames(toolCall("greet", `{"name":"Ada"}`)))
	require.NoError(t, err)
	require.Contains(t, out, `"text":"Ada"`)
	out, err = runProgram(t, filepath.Join(dir, "shop"), "", "--version")
	require.NoError(t, err)
	require.Contains(t, out, "by ingot v0.9.9 ")
	left, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	require.Equal(t, gomod, string(left))
}
