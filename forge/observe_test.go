package forge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge"
)

// The counts of a tool go on through a reload; a tool that is gone is not told of any
// more, and a reload that comes to nothing changes nothing.
func TestMetricsGoOnThroughReloads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "forge.yaml")
	write := func(tools string) {
		require.NoError(t, os.WriteFile(file, []byte("forge: {name: demo}\ntools: ["+tools+"]\n"), 0o600))
	}
	const echo = `{type: native, name: echo, handler: "ingot::echo"}`
	write(echo + `, {type: native, name: time, handler: "ingot::time"}`)
	p, err := forge.Open(t.Context(), file, forge.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	w := &world{ctx: t.Context(), patience: patience, project: p}
	counted := func() map[string]uint64 {
		calls := map[string]uint64{}
		for _, tool := range p.Metrics().Status(t.Context()).Tools {
			calls[tool.Name] = tool.Calls
		}
		return calls
	}
	w.call("echo", `{}`)
	w.call("time", `{}`)
	require.Equal(t, map[string]uint64{"echo": 1, "time": 1}, counted())

	write(echo + `, {type: native, name: time, handler: nobody::has}`)
	_, err = p.Reload(t.Context())
	require.Error(t, err)
	w.call("time", `{}`)
	require.Equal(t, map[string]uint64{"echo": 1, "time": 2}, counted())

	write(strings.Replace(echo, "echo,", "echo, description: Another,", 1) + `, {type: pipeline, name: twice, steps: [{tool: echo}, {tool: echo}]}`)
	_, err = p.Reload(t.Context())
	require.NoError(t, err)
	w.call("twice", `{}`)
	require.Equal(t, map[string]uint64{"echo": 3, "twice": 1}, counted(), "calls of pipelines count")
}
