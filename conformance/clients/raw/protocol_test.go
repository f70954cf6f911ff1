package raw

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

func TestInitialize(t *testing.T) {
	tests := []struct{ asked, agreed string }{
		{"2025-11-25", "2025-11-25"},
		{"2025-06-18", "2025-06-18"},
		{"2025-03-26", "2025-03-26"},
		{"2024-11-05", "2024-11-05"},
		{"1999-01-01", "2025-11-25"}, // unknown: the newest that has initialize
		{"2026-07-28", "2025-11-25"}, // modern: it has no initialize
	}
	for _, test := range tests {
		t.Run(test.asked, func(t *testing.T) {
			p := start(t, legacy)
			result := p.result("InitializeResult", "initialize", initializeParams(test.asked))
			require.Equal(t, test.agreed, result["protocolVersion"])
			require.Contains(t, result["capabilities"], "tools")
			info := result["serverInfo"].(map[string]any)
			require.NotEmpty(t, info["name"])
			require.NotEmpty(t, info["version"])
			p.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n")
			p.requireAlive()
		})
	}
}

func TestDiscover(t *testing.T) {
	p := start(t, modern)
	result := p.result("DiscoverResult", "server/discover", nil)
	require.Contains(t, result["supportedVersions"], "2026-07-28")
	require.Contains(t, result["capabilities"], "tools")
	requireCacheHints(t, result)
	info := result["_meta"].(map[string]any)["io.modelcontextprotocol/serverInfo"].(map[string]any)
	require.NotEmpty(t, info["name"])
	require.NotEmpty(t, info["version"])
}

func requireCacheHints(t *testing.T, result map[string]any) {
	t.Helper()
	require.GreaterOrEqual(t, result["ttlMs"], float64(0))
	require.Contains(t, []any{"public", "private"}, result["cacheScope"])
}

// One process serves both eras, whichever comes first.
func TestErasMix(t *testing.T) {
	p := connect(t, legacy)
	p.call("state_set", map[string]any{"key": "k", "value": "from legacy"})
	p.era = modern
	got := p.call("state_get", map[string]any{"key": "k"}).(map[string]any)
	require.Equal(t, "from legacy", got["value"])
	p.era = legacy
	require.NotContains(t, p.result("CallToolResult", "tools/call", map[string]any{"name": "state_exists", "arguments": map[string]any{"key": "k"}}), "resultType")
}

// The answer to a modern request that lacks what each request must carry.
func TestModernMeta(t *testing.T) {
	p := start(t, modern)
	for name := range modern.meta() {
		meta := modern.meta()
		delete(meta, name)
		params := map[string]any{"_meta": meta}
		if name == "io.modelcontextprotocol/clientInfo" {
			p.result("ListToolsResult", "tools/list", params) // it SHOULD be there
			continue
		}
		require.Contains(t, p.refused(-32602, "tools/list", params).Message, name)
	}
	require.NotEmpty(t, p.refused(-32602, "tools/list", map[string]any{"_meta": map[string]any{}}).Message)

	meta := modern.meta()
	meta["io.modelcontextprotocol/protocolVersion"] = "2099-01-01"
	p.nextID++
	p.write(modern.request(t, p.nextID, "tools/list", map[string]any{"_meta": meta}))
	f := p.read()
	modern.validate(t, "UnsupportedProtocolVersionError", f.value)
	require.Equal(t, -32022, f.Error.Code)
	require.Contains(t, f.Error.Data["supported"], "2026-07-28")
	require.Equal(t, "2099-01-01", f.Error.Data["requested"])
	p.requireAlive()
}

func TestPing(t *testing.T) {
	p := connect(t, legacy)
	require.Empty(t, p.result("EmptyResult", "ping", nil))
	start(t, modern).refused(-32601, "ping", nil) // the modern era has none
}

func TestUnknownMethod(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		require.Contains(t, p.refused(-32601, "tools/lost", nil).Message, "tools/lost")
		p.requireAlive()
	})
}

// Each tool that is listed is called by calls.json; its listing is complete.
func TestToolsList(t *testing.T) {
	table := harness.LoadTable(t)
	eras(t, func(t *testing.T, e era) {
		tools := listTools(t, connect(t, e))
		require.Equal(t, table.Tools(), slices.Sorted(maps.Keys(tools)), "left: called by calls.json; right: listed by the server")
		for name, tool := range tools {
			require.NotEmpty(t, tool["description"], name)
			require.Contains(t, tool, "annotations", name)
			for _, schema := range []string{"inputSchema", "outputSchema"} {
				document, ok := tool[schema].(map[string]any)
				require.True(t, ok, "%s has no %s", name, schema)
				require.Equal(t, "object", document["type"], "%s of %s", schema, name)
				compile(t, document, "")
			}
		}
	})
}

// listTools reads every page and returns the tools by name. The list must be
// the same each time it is asked for.
func listTools(t *testing.T, p *process) map[string]map[string]any {
	t.Helper()
	var first []any
	for range 2 {
		var tools []any
		params := map[string]any{}
		for {
			page := p.result("ListToolsResult", "tools/list", params)
			if p.era.modern {
				requireCacheHints(t, page)
			}
			tools = append(tools, page["tools"].([]any)...)
			cursor, more := page["nextCursor"]
			if !more {
				break
			}
			params = map[string]any{"cursor": cursor}
		}
		if first == nil {
			first = tools
		}
		require.Equal(t, first, tools, "the order or content of tools/list changed")
	}
	byName := map[string]map[string]any{}
	for _, tool := range first {
		entry := tool.(map[string]any)
		byName[entry["name"].(string)] = entry
	}
	require.Len(t, byName, len(first), "a tool is listed twice")
	return byName
}

func TestInvalidCursor(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		connect(t, e).refused(-32602, "tools/list", map[string]any{"cursor": "no such page"})
	})
}

// The scripts of calls.json; the arguments and the results also follow the
// schemas that the tools list.
func TestScripts(t *testing.T) {
	table := harness.LoadTable(t)
	eras(t, func(t *testing.T, e era) {
		for _, script := range table.Scripts {
			t.Run(script.Name, func(t *testing.T) {
				p := connect(t, e)
				tools := listTools(t, p)
				var bindings harness.Bindings
				for i, step := range script.Steps {
					arguments, err := bindings.Fill(step.Arguments)
					require.NoError(t, err, "step %d", i)
					require.NoError(t, compile(t, tools[step.Tool]["inputSchema"], "").Validate(arguments), "step %d: arguments of %s", i, step.Tool)
					got := p.call(step.Tool, arguments)
					require.NoError(t, compile(t, tools[step.Tool]["outputSchema"], "").Validate(got), "step %d: result of %s", i, step.Tool)
					require.NoError(t, bindings.Match(step.Result, got), "step %d: %s %v", i, step.Tool, arguments)
				}
			})
		}
	})
}

func TestMistakesNameTheArgument(t *testing.T) {
	table := harness.LoadTable(t)
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		for _, mistake := range table.Mistakes {
			result := p.result("CallToolResult", "tools/call", map[string]any{"name": mistake.Tool, "arguments": mistake.Arguments})
			text := onlyText(t, result)
			require.Equal(t, true, result["isError"], text)
			require.Contains(t, text, mistake.Names)
		}
		p.requireAlive()
	})
}

// An id comes back as it was sent, whatever its type.
func TestIDsComeBackAsSent(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		for _, id := range []any{0, -7, "", "seven", "7", `quote " and \ and é`, int64(1)<<53 - 1} {
			p.write(e.request(t, id, "tools/list", nil))
			require.EqualValues(t, id, p.read().ID)
		}
	})
}

// A cancellation of a call that is unknown or done is not answered.
func TestLateCancellation(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		p.requireAlive()
		for _, id := range []string{"1", `"never sent"`} {
			p.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `,"reason":"too late"}}` + "\n")
		}
		p.requireAlive()
	})
}
