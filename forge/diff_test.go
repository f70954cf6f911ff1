package forge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outlineOfText is the outline of one file.
func outlineOfText(t *testing.T, text string) *outline {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forge.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return outlineOf([]string{path})
}

func TestDiff(t *testing.T) {
	for name, c := range map[string]struct{ before, now, want string }{
		"nothing":       {"tools: [{name: a, timeout: 1s}]", "tools:\n  - timeout: 1s # why\n    name: a\n", ""},
		"order":         {"tools: [{name: a}, {name: b}]", "tools: [{name: b}, {name: a}]", ""},
		"added":         {"tools: []", "tools: [{name: a}]", "+ tool a"},
		"removed":       {"tools: [{name: a}]\nprompts: [{name: a}]", "prompts: [{name: a}]", "- tool a"},
		"renamed":       {"tools: [{name: a}]", "tools: [{name: b}]", "- tool a\n+ tool b"},
		"a duration":    {"tools: [{name: weather, timeout: 5s}]", "tools: [{name: weather, timeout: 10s, params: {city: string}}]", "~ tool weather: timeout 5s -> 10s, param city added"},
		"a number":      {"tools: [{name: a, max_output: 5}]", "tools: [{name: a, max_output: 1MiB}]", "~ tool a: max_output 5 -> 1MiB"},
		"a boolean":     {"tools: [{name: a, stream: true}]", "tools: [{name: a, stream: false}]", "~ tool a: stream true -> false"},
		"a word":        {"tools: [{name: a, method: GET}]", "tools: [{name: a, method: POST}]", "~ tool a: method GET -> POST"},
		"a sentence":    {"tools: [{name: a, description: One}]", "tools: [{name: a, description: Two}]", "~ tool a: description changed"},
		"params":        {"tools: [{name: a, params: {x: string, y: integer}}]", "tools: [{name: a, params: {x: integer, z: {type: string}}}]", "~ tool a: param y removed, param x string -> integer, param z added"},
		"a list":        {"tools: [{name: a, params: [{name: x, type: string}]}]", "tools: [{name: a, params: [{name: y, type: string}, {name: x, type: string}]}]", "~ tool a: param y added"},
		"no params":     {"tools: [{name: a, params: {x: string}}]", "tools: [{name: a}]", "~ tool a: param x removed"},
		"steps":         {"tools: [{name: a, steps: [{tool: x}, {tool: y}]}]", "tools: [{name: a, steps: [{tool: x}, {tool: z}]}]", "~ tool a: steps changed"},
		"another kind":  {"tools: [{name: a, handler: x}]", "tools: [{name: a, handler: {path: x}}]", "~ tool a: handler changed"},
		"middleware":    {"middleware: [{type: retry, max_attempts: 2}]", "middleware: [{type: retry, max_attempts: 3}, {type: metrics}]", "~ middleware: retry.max_attempts 2 -> 3, metrics added"},
		"a block":       {"state: {backend: memory}", "state: {backend: file, path: x}", "~ state: backend memory -> file, path added"},
		"a module":      {"tools: [{type: wasm, module: a.wasm}]", "tools: [{type: wasm, module: b.wasm}]", "- tool a.wasm\n+ tool b.wasm"},
		"a resource":    {"resources: [{uri: 'a://{x}', file: y}]", "resources: [{uri: 'a://{x}', file: z}]", "~ resource a://{x}: file changed"},
		"references":    {"tools: [{name: a, retry: &r {max_attempts: 2}}, {name: b, retry: *r}]", "tools: [{name: a, retry: &r {max_attempts: 3}}, {name: b, retry: *r}]", "~ tool a: retry.max_attempts 2 -> 3\n~ tool b: retry.max_attempts 2 -> 3"},
		"literal keys":  {"tools: [{name: a, auth: {type: bearer, token: '11111'}}]", "tools: [{name: a, auth: {type: bearer, token: '22222'}}]", "~ tool a: auth.token changed"},
		"variables":     {"tools: [{name: a, timeout: 5s}]", "tools: [{name: a, timeout: '${LIMIT}'}]", "~ tool a: timeout changed"},
		"addresses":     {"tools: [{name: a, endpoint: 'https://x/?key=1'}]", "tools: [{name: a, endpoint: 'https://x/?key=2'}]", "~ tool a: endpoint changed"},
		"environment":   {"tools: [{name: a, env: {PIN: 1234}}]", "tools: [{name: a, env: {PIN: 4321}}]", "~ tool a: env.PIN changed"},
		"arguments":     {"tools: [{name: a, args: [1]}]", "tools: [{name: a, args: [2]}]", "~ tool a: args changed"},
		"control bytes": {"tools: []", `tools: [{name: "a\u001b[31m"}]`, "+ tool a?[31m"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, diffOf(outlineOfText(t, c.before), outlineOfText(t, c.now)).String())
		})
	}
}

// What is large is told in short.
func TestDiffIsBounded(t *testing.T) {
	var keys strings.Builder
	for i := range 2 * keysMax {
		keys.WriteString(strings.Repeat("k", i+1) + ": 1\n  ")
	}
	d := diffOf(outlineOfText(t, "state:\n  x: 1\n"), outlineOfText(t, "state:\n  "+keys.String()))
	require.Len(t, d.Items, 1)
	require.Len(t, d.Items[0].Keys, keysMax)
	for _, k := range d.Items[0].Keys {
		require.LessOrEqual(t, len(k.Path), 110)
	}
}

// A file that is no YAML has no outline, and neither has one that is not there.
func TestOutlineOfBrokenFiles(t *testing.T) {
	for _, text := range []string{"", "[", "a: [", "- x", "word"} {
		require.Empty(t, outlineOfText(t, text).names, text)
	}
	require.Empty(t, outlineOf([]string{filepath.Join(t.TempDir(), "none")}).names)
}
