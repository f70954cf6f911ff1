package wasmtools

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp"
)

// A set shares what did not change with the one before, and what nobody has any more is
// closed.
func TestSets(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.wasm"), filepath.Join(dir, "two.wasm")
	replace(t, one, guest("one", `{"v":1}`, 1))
	replace(t, two, guest("two", `{"v":1}`, 1))
	host := sandbox.New(sandbox.Options{})
	defer func() { require.NoError(t, host.Close(context.Background())) }()
	load := func(before *Set) (*Set, error) {
		return LoadSet(t.Context(), SetOptions{Host: host, Origins: []Origin{open(t, one), open(t, two)}, Before: before})
	}
	loaded := func() []string { return slices.Sorted(maps.Keys(host.Stats())) }
	call := func(s *Set, tool string) string {
		server := mcp.NewServer(mcp.Options{})
		defer server.Close()
		server.Update(func(c *mcp.Catalog) {
			s.Enter(c, func(_ string, _ mcp.Tool, h mcp.Handler) mcp.Handler { return h })
		})
		return (&served{nil, t, server}).call(tool)
	}
	first, err := load(nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{one: "one", two: "two"}, func() map[string]string {
		names := map[string]string{}
		for source, tool := range first.Tools() {
			names[source] = tool.Name
		}
		return names
	}())

	replace(t, two, guest("two", `{"v":2}`, 1))
	second, err := load(first)
	require.NoError(t, err)
	require.Same(t, first.Module(one), second.Module(one))
	require.NotSame(t, first.Module(two), second.Module(two))
	require.Contains(t, call(first, "two"), `{"v":1}`)
	require.Contains(t, call(second, "two"), `{"v":2}`)

	replace(t, two, []byte("no module"))
	_, err = load(second)
	require.ErrorContains(t, err, "two.wasm")
	replace(t, two, guest("one", `{"v":3}`, 1))
	_, err = load(second)
	require.ErrorContains(t, err, "both hold the tool one")
	require.Contains(t, call(second, "one"), `{"v":1}`, "sets that could not be made took nothing with them")

	old := first.Module(two)
	first.Close(t.Context())
	_, err = old.Call(t.Context(), sandbox.CallRequest{Tool: "two"})
	require.ErrorIs(t, err, sandbox.ErrClosed)
	require.Contains(t, call(second, "one"), `{"v":1}`)
	require.Equal(t, []string{one, two}, loaded())
	second.Close(t.Context())
	require.Empty(t, loaded())
	require.Nil(t, second.Module("elsewhere"))
}
