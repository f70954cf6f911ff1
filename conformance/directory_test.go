package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// wasi runs commands of this module, built for wasip1, under wazero.
type wasi struct {
	runtime wazero.Runtime
	modules map[string]wazero.CompiledModule
}

func newWASI(t *testing.T, commands ...string) *wasi {
	t.Helper()
	ctx := context.Background()
	w := &wasi{runtime: wazero.NewRuntime(ctx), modules: map[string]wazero.CompiledModule{}}
	t.Cleanup(func() { require.NoError(t, w.runtime.Close(ctx)) })
	wasi_snapshot_preview1.MustInstantiate(ctx, w.runtime)
	for _, name := range commands {
		path := filepath.Join(t.TempDir(), name+".wasm")
		build := exec.Command("go", "build", "-o", path, "../cmd/"+name)
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		out, err := build.CombinedOutput()
		require.NoError(t, err, string(out))
		code, err := os.ReadFile(path)
		require.NoError(t, err)
		w.modules[name], err = w.runtime.CompileModule(ctx, code)
		require.NoError(t, err)
	}
	return w
}

// run runs a command with dir as /data, and returns its stdout.
func (w *wasi) run(t *testing.T, dir, stdin, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithArgs(append([]string{name}, args...)...).
		WithStdin(strings.NewReader(stdin)).WithStdout(&stdout).WithStderr(&stderr).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep().
		WithFSConfig(wazero.NewFSConfig().WithDirMount(dir, "/data"))
	module, err := w.runtime.InstantiateModule(context.Background(), w.modules[name], config)
	if exit, ok := err.(*sys.ExitError); ok && exit.ExitCode() == 0 {
		err = nil
	}
	require.NoError(t, err, stderr.String())
	if module != nil {
		require.NoError(t, module.Close(context.Background()))
	}
	return stdout.String()
}

// setCalls are the messages that set keys over MCP.
func setCalls(prefix string, n int) string {
	var b strings.Builder
	b.WriteString(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n")
	for i := range n {
		fmt.Fprintf(&b, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"%s-%d","value":"%s"}}}`+"\n",
			i+1, prefix, i, strings.Repeat("v", i))
	}
	return b.String()
}

// dump is a directory's contents as the native engine reads them.
func dump(t *testing.T, path string) string {
	t.Helper()
	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, engine.Dump(engine.Options{Dir: dir}, &b))
	require.NoError(t, dir.Close())
	return b.String()
}

// getCalls are the messages that get keys over MCP.
func getCalls(keys []string) string {
	b := strings.Builder{}
	b.WriteString(setCalls("", 0))
	for i, key := range keys {
		fmt.Fprintf(&b, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"state_get","arguments":{"key":%q}}}`+"\n", i+1, key)
	}
	return b.String()
}

// TestDirectoryOfAnotherBuild hands a directory from wasip1 to the native build and
// back: each goes on with what the other wrote, logs and snapshots alike.
func TestDirectoryOfAnotherBuild(t *testing.T) {
	w := newWASI(t, "mcp-stdio")
	path := t.TempDir()
	answers := w.run(t, path, setCalls("wasi", 40), "mcp-stdio", "--data", "/data")
	require.Equal(t, 40, strings.Count(answers, `"structuredContent":{"stored":true`), answers)
	require.Equal(t, 40, strings.Count(dump(t, path), "\n"))

	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	s, err := engine.Open(engine.Options{Dir: dir, CompressBytesMin: 100})
	require.NoError(t, err)
	require.True(t, s.LogStats().Recovered.Clean)
	require.NoError(t, s.Compact())
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("native-%d", i), fmt.Sprintf("wasi-%d", i))
		_, err := s.Set(fmt.Sprintf("native-%d", i), bytes.Repeat([]byte("n"), 10*i), engine.SetOptions{})
		require.NoError(t, err)
	}
	_, _, err = s.Delete("wasi-7", engine.DeleteOptions{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, dir.Close())
	want := dump(t, path)
	require.Equal(t, 79, strings.Count(want, "\n"))

	answers = w.run(t, path, getCalls(keys), "mcp-stdio", "--data", "/data")
	require.Equal(t, 79, strings.Count(answers, `"structuredContent":{"found":true`), answers)
	require.Equal(t, 1, strings.Count(answers, `"structuredContent":{"found":false`), answers)
	for i := range 40 {
		require.Contains(t, answers, fmt.Sprintf(`"value":"%s"`, strings.Repeat("n", 10*i)))
	}
	require.Equal(t, want, dump(t, path))
}
