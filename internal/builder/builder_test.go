package builder

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/program"
)

// folder writes files and returns where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// Each way to call forge.Handle, and what is no call of it.
func TestFindHandlers(t *testing.T) {
	const imports = "package p\n\nimport \"github.com/ingot-run/ingot/forge\"\n\n"
	other := "windows"
	if runtime.GOOS == other {
		other = "linux"
	}
	dir := folder(t, map[string]string{
		"root.go":              imports + `func init() { forge.Handle("root", f) }`,
		"a/one.go":             imports + `func init() { forge.Handle("one", f); forge.Handle[In, Out]("two", f); forge.Handle[In](` + "`three`" + `, f) }`,
		"b/alias.go":           "package p\n\nimport ingot \"github.com/ingot-run/ingot/forge\"\n\nfunc init() { ingot.Handle(\"alias\", f) }\n",
		"c/dot.go":             "package p\n\nimport . \"github.com/ingot-run/ingot/forge\"\n\nfunc init() { Handle(\"dot\", f) }\n",
		"d/another.go":         "package p\n\nimport \"example.org/forge\"\n\nfunc init() { forge.Handle(\"another\", f) }\n",
		"e/method.go":          imports + `func init() { x.Handle("method", f); forge.Open("open") }`,
		"f/f_test.go":          imports + `func init() { forge.Handle("test", f) }`,
		"g/g_" + other + ".go": imports + `func init() { forge.Handle("platform", f) }`,
		"h/tagged.go":          "//go:build never\n\n" + imports + `func init() { forge.Handle("tagged", f) }`,
		"testdata/x.go":        imports + `func init() { forge.Handle("data", f) }`,
		".hidden/x.go":         imports + `func init() { forge.Handle("hidden", f) }`,
		"vendor/x/x.go":        imports + `func init() { forge.Handle("vendored", f) }`,
		"guest/go.mod":         "module guest\n",
		"guest/x.go":           imports + `func init() { forge.Handle("guest", f) }`,
	})
	found, err := findHandlers(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"alias", "dot", "one", "root", "three", "two"}, found.names)
	require.Equal(t, map[string]bool{".": true, "a": true, "b": true, "c": true}, found.packages)
	require.False(t, found.dynamic)

	// A name that is made while the program runs may be any.
	file := filepath.Join(dir, "forge.yaml")
	require.NoError(t, os.WriteFile(file, []byte("forge: {name: x}\ntools: [{type: native, name: a, handler: 'made::up'}]\n"), 0o600))
	c, err := config.Load(file, config.Options{})
	require.NoError(t, err)
	require.ErrorContains(t, found.check(c), `registers "made::up"; it registers alias, dot, one, root, three, two`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "loop.go"), []byte(imports+`func init() { for _, n := range names { forge.Handle(n, f) } }`), 0o600))
	found, err = findHandlers(dir)
	require.NoError(t, err)
	require.True(t, found.dynamic)
	require.NoError(t, found.check(c))
}

// The same files make the same archive, whenever they were written.
func TestArchiveIsTheSame(t *testing.T) {
	write := func() []byte {
		dir := folder(t, map[string]string{"forge.yaml": "forge: {name: x}\nresources: [{uri: 'd:///{+p}', root: docs}]\n", "docs/b.txt": "b", "docs/a/c.txt": "c"})
		require.NoError(t, os.Chtimes(filepath.Join(dir, "docs", "b.txt"), time.Now(), time.Now().Add(-time.Hour)))
		c, err := config.Load(filepath.Join(dir, "forge.yaml"), config.Options{})
		require.NoError(t, err)
		files, err := gather(dir, c, nil)
		require.NoError(t, err)
		require.Len(t, files.files, 4)
		var b bytes.Buffer
		require.NoError(t, files.writeZip(&b, files.about(c)))
		return b.Bytes()
	}
	require.Equal(t, write(), write())
}

// What is written to is no part of the program, which makes its folders instead.
func TestWrittenFoldersAreNotCarried(t *testing.T) {
	dir := folder(t, map[string]string{
		"forge.yaml": `
forge: {name: "of ${BUILDER_OWNER}", version: 2.0.0}
state: {backend: file, path: kept}
resources:
  - {uri: "w:///{+p}", root: notes, supports: [read, write]}
  - {uri: "o:x", file: one/page.txt, supports: [read, write]}
  - {uri: "a:x", file: /etc/hostname}
tools:
  - {type: wasm, module: m.wasm, capabilities: {files: [{path: /in, root: in}, {path: /out, root: out, access: read-write}]}}
`,
		"m.wasm": "", "kept/log": "x", "notes/n.txt": "n", "one/page.txt": "p", "in/i.txt": "i", "out/o.txt": "o",
	})
	t.Setenv("BUILDER_OWNER", "somebody secret")
	c, values, err := read(filepath.Join(dir, "forge.yaml"))
	require.NoError(t, err)
	files, err := gather(dir, c, values)
	require.NoError(t, err)
	names := []string{}
	for name := range files.files {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{"forge.yaml", "m.wasm", "in/", "in/i.txt"}, names)
	about := files.about(c)
	require.Equal(t, "of [secret]", about.Name)
	require.Equal(t, program.About{File: "forge.yaml", Name: about.Name, Version: "2.0.0", Folders: []string{"kept", "notes", "one", "out"}}, about)
}

// A program carries what its server would serve of a folder: links that stay inside, and
// no names that begin with a dot unless the file says so. Brackets in paths are plain.
func TestFoldersAreCarriedAsServed(t *testing.T) {
	dir := filepath.Join(folder(t, map[string]string{
		"a[1]/forge.yaml": `
forge: {name: x}
resources:
  - {uri: "d:///{+p}", root: docs}
  - {uri: "h:///{+p}", root: all, hidden: true}
`,
		"a[1]/one.forge-test.yaml": "tests: []\n", "a[1]/real/page.txt": "p", "a[1]/real/.env": "secret", "a[1]/real/.git/config": "c", "a[1]/real/sub/deep.txt": "d",
		"a[1]/all/.kept": "k", "a[1]/tool.c": "", "outside.txt": "o",
	}), "a[1]")
	for link, target := range map[string]string{"docs": "real", "real/inside.txt": "page.txt", "real/outside.txt": "../../outside.txt", "real/nothing.txt": "none"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "forge.yaml"), config.Options{})
	require.NoError(t, err)
	files, err := gather(dir, c, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"forge.yaml", "one.forge-test.yaml", "docs/", "docs/page.txt", "docs/inside.txt", "docs/sub/deep.txt", "all/", "all/.kept",
	}, slices.Collect(maps.Keys(files.files)))
	var b bytes.Buffer
	require.NoError(t, files.writeZip(&b, files.about(c)))
	packed, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	text, err := fs.ReadFile(packed, "docs/inside.txt")
	require.NoError(t, err)
	require.Equal(t, "p", string(text))

	l, _ := findLanguage(dir)
	require.NotNil(t, l)
	require.Equal(t, "C", l.name)
}

func TestStale(t *testing.T) {
	dir := folder(t, map[string]string{"tool.c": "", "node_modules/x": "", "tool.wasm": ""})
	module, now := filepath.Join(dir, "tool.wasm"), time.Now()
	at := func(name string, age time.Duration) {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), now.Add(-age), now.Add(-age)))
	}
	at("tool.wasm", time.Minute)
	at("tool.c", time.Hour)
	at("node_modules/x", 0)
	old, err := stale(dir, module)
	require.NoError(t, err)
	require.False(t, old, "what is installed is no source")
	at("tool.c", 0)
	old, err = stale(dir, module)
	require.NoError(t, err)
	require.True(t, old)
	old, err = stale(dir, filepath.Join(dir, "none.wasm"))
	require.NoError(t, err)
	require.True(t, old)
}
