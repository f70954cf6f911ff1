package wasmtools

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
	"github.com/ingot-run/ingot/mcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a shelf with its server.
type served struct {
	*Shelf
	t      *testing.T
	server *mcp.Server
}

func serve(t *testing.T, from ...Origin) *served {
	t.Helper()
	return serveOn(t, sandbox.New(sandbox.Options{}), from...)
}

// serveOn serves the modules of a host.
func serveOn(t *testing.T, host *sandbox.Host, from ...Origin) *served {
	t.Helper()
	server := mcp.NewServer(mcp.Options{})
	s := &served{New(Options{Host: host, Server: server, Origins: from}), t, server}
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, host.Close(context.Background()))
		server.Close()
	})
	return s
}

// ask sends a request of a legacy client and returns the answer.
func (s *served) ask(method, params string) string {
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	return string(s.server.NewExchange([]byte(frame)).Answer(context.Background(), mcp.VersionLegacy, nil))
}

func (s *served) call(tool string) string {
	return s.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{}}`, tool))
}

// replace writes a file as careful writers do: whole, and then into place.
func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	beside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	require.NoError(t, os.WriteFile(beside, content, 0o600))
	require.NoError(t, os.Rename(beside, path))
}

func reload(t testing.TB, s *Shelf) Changes {
	t.Helper()
	c, err := s.Reload(context.Background())
	require.NoError(t, err)
	return c
}

func open(t testing.TB, path string) Origin {
	t.Helper()
	o, err := Open(path, sandbox.Policy{})
	require.NoError(t, err)
	return o
}

func TestFolderFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.wasm"), filepath.Join(dir, "b.wasm")
	replace(t, a, guest("first", `{"v":1}`, 1))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no module"), 0o600))
	s := serve(t, open(t, dir))
	require.NoError(t, s.Load(t.Context()))
	require.Contains(t, s.call("first"), `{"v":1}`)
	untouched := reload(t, s.Shelf)
	require.False(t, untouched.Any())

	replace(t, b, guest("second", `{"v":2}`, 1))
	require.Equal(t, []string{b}, reload(t, s.Shelf).Added)
	require.Contains(t, s.call("second"), `{"v":2}`)
	require.Contains(t, s.ask("tools/list", "{}"), `"second"`)

	replace(t, b, guest("second", `{"v":3}`, 1))
	require.Equal(t, []string{b}, reload(t, s.Shelf).Replaced)
	require.Contains(t, s.call("second"), `{"v":3}`)

	replace(t, b, guest("second", `{"v":3}`, 1))
	same := reload(t, s.Shelf)
	require.False(t, same.Any(), "a file that was touched is no change")

	require.NoError(t, os.Remove(b))
	require.Equal(t, []string{b}, reload(t, s.Shelf).Removed)
	require.NotContains(t, s.ask("tools/list", "{}"), `"second"`)
	require.Contains(t, s.call("second"), "-32602")
}

func TestABrokenFileLeavesTheModuleThatServes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.wasm")
	good := guest("tool", `{"v":1}`, 1)
	replace(t, path, good)
	s := serve(t, open(t, path))
	require.NoError(t, s.Load(t.Context()))
	replace(t, path, good[:len(good)/2])
	failed := reload(t, s.Shelf).Failed
	require.ErrorIs(t, failed[path], sandbox.ErrModule)
	require.Contains(t, s.call("tool"), `{"v":1}`)
	again := reload(t, s.Shelf)
	require.False(t, again.Any(), "it is told once")
	replace(t, path, guest("renamed", `{"v":2}`, 1))
	require.Equal(t, []string{path}, reload(t, s.Shelf).Replaced)
	require.Contains(t, s.call("renamed"), `{"v":2}`)
	require.Contains(t, s.call("tool"), "-32602")
	require.NoError(t, os.Remove(path))
	require.Equal(t, []string{path}, keys(reload(t, s.Shelf).Failed), "a file that is named stays in service when it goes")
	require.Contains(t, s.call("renamed"), `{"v":2}`)
}

func keys[V any](m map[string]V) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestOneNameOneModule(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.wasm"), filepath.Join(dir, "b.wasm")
	replace(t, a, guest("tool", `{"v":1}`, 1))
	replace(t, b, guest("tool", `{"v":2}`, 1))
	s := serve(t, open(t, dir))
	require.ErrorContains(t, s.Load(t.Context()), `both hold the tool tool`)
	require.NoError(t, os.Remove(b))
	require.NoError(t, s.Load(t.Context()))
	replace(t, b, guest("tool", `{"v":2}`, 1))
	require.ErrorContains(t, reload(t, s.Shelf).Failed[b], "both hold")
	require.Contains(t, s.call("tool"), `{"v":1}`)
	// The two swap their names at once.
	replace(t, b, guest("other", `{"v":2}`, 1))
	reload(t, s.Shelf)
	replace(t, a, guest("other", `{"v":3}`, 1))
	replace(t, b, guest("tool", `{"v":4}`, 1))
	require.Len(t, reload(t, s.Shelf).Replaced, 2)
	require.Contains(t, s.call("other"), `{"v":3}`)
	require.Contains(t, s.call("tool"), `{"v":4}`)
}

// TestNoCallIsLost replaces a module again and again while calls run on it.
func TestNoCallIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wasm")
	replace(t, path, guest("tool", `{"v":0}`, 20_000))
	s := serve(t, open(t, path))
	require.NoError(t, s.Load(t.Context()))
	var stop atomic.Bool
	var calls atomic.Int64
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for !stop.Load() {
				answer := s.call("tool")
				if !strings.Contains(answer, `\"v\":`) || strings.Contains(answer, "isError\":true") {
					t.Errorf("a call was lost: %s", answer)
					return
				}
				calls.Add(1)
			}
		})
	}
	for v := 1; v <= 30; v++ {
		replace(t, path, guest("tool", fmt.Sprintf(`{"v":%d}`, v), 20_000))
		require.Equal(t, []string{path}, reload(t, s.Shelf).Replaced)
		require.Contains(t, s.call("tool"), fmt.Sprintf(`{"v":%d}`, v), "a call that comes later gets the new one")
	}
	stop.Store(true)
	callers.Wait()
	require.Greater(t, calls.Load(), int64(30))
	t.Logf("%d calls over 30 changes", calls.Load())
}

func TestWatchSeesAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wasm")
	replace(t, path, guest("tool", `{"v":1}`, 1))
	s := serve(t, open(t, path))
	require.NoError(t, s.Load(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { s.Watch(ctx, time.Millisecond) })
	replace(t, path, guest("tool", `{"v":2}`, 1))
	require.Eventually(t, func() bool { return strings.Contains(s.call("tool"), `{"v":2}`) }, time.Minute, time.Millisecond)
	cancel()
	watching.Wait()
}

// A module that the cache knows is listed at once, loaded by its first call, and
// replaced like any other.
func TestModulesThatLoadLater(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.wasm")
	replace(t, path, guest("tool", `{"v":1}`, 1))
	o := sandbox.Options{CacheDir: filepath.Join(dir, "cache"), Lazy: true}
	require.NoError(t, serveOn(t, sandbox.New(o), open(t, path)).Load(t.Context()))
	s := serveOn(t, sandbox.New(o), open(t, path))
	require.NoError(t, s.Load(t.Context()))
	require.Contains(t, s.ask("tools/list", "{}"), `"tool"`)
	require.Zero(t, s.Modules()[path].Stats().Started)
	require.Contains(t, s.call("tool"), `{"v":1}`)
	require.Positive(t, s.Modules()[path].Stats().Started)
	replace(t, path, guest("tool", `{"v":2}`, 1))
	require.Len(t, reload(t, s.Shelf).Replaced, 1)
	require.Contains(t, s.call("tool"), `{"v":2}`)
	replace(t, path, guest("tool", `{"v":1}`, 1)) // which is known
	require.Len(t, reload(t, s.Shelf).Replaced, 1)
	require.Contains(t, s.call("tool"), `{"v":1}`)
}

func TestConfigChangesThePolicy(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "a.wasm"), filepath.Join(dir, "forge.yaml")
	replace(t, path, guest("tool", `{"v":1}`, 1_000_000))
	write := func(extra string) {
		replace(t, file, []byte("tools:\n  - type: wasm\n    module: a.wasm\n"+extra))
	}
	write("")
	s := serve(t, Config(file, grants.Options{}))
	require.NoError(t, s.Load(t.Context()))
	require.Contains(t, s.call("tool"), `{"v":1}`)
	write("    capabilities:\n      limits: {fuel: 1000}\n")
	require.Equal(t, []string{path}, reload(t, s.Shelf).Replaced)
	require.Contains(t, s.call("tool"), "fuel")
	write("    capabilites: {}\n")
	_, err := s.Reload(t.Context())
	require.ErrorContains(t, err, "forge.yaml:4:5")
	require.Contains(t, s.call("tool"), "fuel", "a configuration that cannot be read changes nothing")
}

func TestOnlyWhatIsSigned(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a.wasm")
	module := guest("tool", `{"v":1}`, 1)
	replace(t, path, module)
	origin, err := Open(path, sandbox.Policy{PublicKey: public})
	require.NoError(t, err)
	s := serve(t, origin)
	require.ErrorContains(t, s.Load(t.Context()), "reading the signature of")
	require.NoError(t, os.WriteFile(path+signature.FileSuffix, signature.Sign(module, private), 0o600))
	require.NoError(t, s.Load(t.Context()))
	replace(t, path, guest("tool", `{"v":2}`, 1))
	require.Len(t, reload(t, s.Shelf).Failed, 1)
	require.Contains(t, s.call("tool"), `{"v":1}`)
}

// writeLayout makes an OCI image layout with modules as layers.
func writeLayout(t *testing.T, dir string, mediaType string, modules ...[]byte) {
	t.Helper()
	blob := func(content []byte, mediaType string) map[string]any {
		sum := sha256.Sum256(content)
		digest := hex.EncodeToString(sum[:])
		at := filepath.Join(dir, "blobs", "sha256", digest)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
		require.NoError(t, os.WriteFile(at, content, 0o600))
		return map[string]any{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(content)}
	}
	document := func(v any) []byte {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return raw
	}
	layers := []any{blob([]byte("{}"), "application/vnd.oci.empty.v1+json")}
	for _, m := range modules {
		layers = append(layers, blob(m, mediaType))
	}
	manifest := blob(document(map[string]any{"schemaVersion": 2, "layers": layers}), "application/vnd.oci.image.manifest.v1+json")
	inner := blob(document(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}}), indexTypes[0])
	replace(t, filepath.Join(dir, indexFile), document(map[string]any{"schemaVersion": 2, "manifests": []any{inner}}))
	replace(t, filepath.Join(dir, layoutFile), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

func TestLayout(t *testing.T) {
	dir := t.TempDir()
	writeLayout(t, dir, moduleTypes[0], guest("one", `{"v":1}`, 1), guest("two", `{"v":2}`, 1))
	s := serve(t, open(t, dir))
	require.NoError(t, s.Load(t.Context()))
	require.Contains(t, s.call("one"), `{"v":1}`)
	require.Contains(t, s.call("two"), `{"v":2}`)
	writeLayout(t, dir, moduleTypes[1], guest("two", `{"v":3}`, 1))
	changes := reload(t, s.Shelf)
	require.Len(t, changes.Added, 1)
	require.Len(t, changes.Removed, 2)
	require.Contains(t, s.call("two"), `{"v":3}`)
}

func TestBadLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"another version": {func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, layoutFile), []byte(`{"imageLayoutVersion":"2.0.0"}`))
		}, "version \"2.0.0\""},
		"no JSON": {func(t *testing.T, dir string) { replace(t, filepath.Join(dir, indexFile), []byte(`{`)) }, indexFile},
		"a digest that climbs": {func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, indexFile), []byte(`{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`))
		}, "is no digest"},
		"an unknown digest": {func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, indexFile), []byte(`{"manifests":[{"digest":"md5:00"}]}`))
		}, "is no digest"},
		"a blob that is not there": {func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "blobs"))) }, "no such file"},
		"blobs that were changed": {func(t *testing.T, dir string) {
			blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
			require.NoError(t, err)
			for _, b := range blobs {
				replace(t, b, []byte(`{"layers":[]}`))
			}
		}, "the layout is damaged"},
		"no layer of wasm": {func(t *testing.T, dir string) { writeLayout(t, dir, "application/octet-stream", guest("one", "{}", 1)) }, "no image of the layout has a layer of WebAssembly"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeLayout(t, dir, moduleTypes[0], guest("one", `{"v":1}`, 1))
			c.spoil(t, dir)
			s := serve(t, open(t, dir))
			require.ErrorContains(t, s.Load(t.Context()), c.want)
		})
	}
}

func TestOriginsThatHaveNothing(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none.wasm"), sandbox.Policy{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, serve(t, open(t, t.TempDir())).Load(t.Context()), "no module to serve")
	path := filepath.Join(t.TempDir(), "a.wasm")
	replace(t, path, guest("tool", "{}", 1))
	require.ErrorContains(t, serve(t, open(t, path), open(t, path)).Load(t.Context()), "named twice")
}

// Under the isolation "session" a guest remembers within one session, and callers
// without one share nothing.
func TestSessionsDoNotMix(t *testing.T) {
	origin, err := Open("../sandbox/testdata/hostile.wasm", sandbox.Policy{Isolation: sandbox.IsolationSession})
	require.NoError(t, err)
	s := serve(t, origin)
	require.NoError(t, s.Load(t.Context()))
	const remember = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hostile","arguments":{"mode":"remember"}}}`
	seen := func(e *mcp.Exchange) string {
		_, rest, _ := strings.Cut(string(e.Answer(t.Context(), mcp.VersionLegacy, nil)), `"structuredContent":`)
		return strings.TrimRight(rest, "}")
	}
	first, second := s.server.NewSession(mcp.SessionOptions{}), s.server.NewSession(mcp.SessionOptions{})
	defer first.Close()
	defer second.Close()
	for _, c := range []struct {
		exchange *mcp.Exchange
		want     string
	}{
		{first.NewExchange([]byte(remember)), `{"seen":0`},
		{first.NewExchange([]byte(remember)), `{"seen":1`},
		{second.NewExchange([]byte(remember)), `{"seen":0`},
		{s.server.NewExchange([]byte(remember)), `{"seen":0`},
		{s.server.NewExchange([]byte(remember)), `{"seen":0`},
		{first.NewExchange([]byte(remember)), `{"seen":2`},
	} {
		require.Equal(t, c.want, seen(c.exchange))
	}
}

// Wrap stands around each tool, and knows where its module came from.
func TestWrapKnowsTheSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wasm")
	replace(t, path, guest("tool", `{"v":1}`, 1))
	host, server := sandbox.New(sandbox.Options{}), mcp.NewServer(mcp.Options{})
	defer server.Close()
	shelf := New(Options{Host: host, Server: server, Origins: []Origin{open(t, path)}, Wrap: func(source string, tool mcp.Tool, h mcp.Handler) mcp.Handler {
		require.Equal(t, path, source)
		require.Equal(t, "tool", tool.Name)
		return func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			return mcp.TextResult("wrapped"), nil
		}
	}})
	require.NoError(t, shelf.Load(t.Context()))
	defer func() { require.NoError(t, host.Close(context.Background())) }()
	defer shelf.Close()
	require.Contains(t, (&served{shelf, t, server}).call("tool"), "wrapped")
}
