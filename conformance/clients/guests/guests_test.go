package guests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

// languages are those of the SDKs, with the programs that compile them.
var languages = map[string][]string{
	"go": {"go"}, "c": {"clang", "wasm-ld"}, "rust": {"cargo", "rustc"}, "as": {"asc"},
}

// requireLanguage skips the test when a language cannot be compiled here, or fails it when it
// must be.
func requireLanguage(t *testing.T, language string) {
	t.Helper()
	if language == "as" {
		t.Setenv("PATH", strings.Join([]string{os.Getenv("PATH"), ascFolder(t)}, string(os.PathListSeparator)))
	}
	for _, program := range languages[language] {
		if err := harness.Compiler(program); err != nil {
			if slices.Contains(strings.Split(os.Getenv("INGOT_GUESTS_REQUIRE"), ","), language) {
				t.Fatalf("INGOT_GUESTS_REQUIRE asks for %s, but %v", language, err)
			}
			t.Skipf("%v: tools in %s are not tested", err, language)
		}
	}
}

// ascFolder is where AssemblyScript's compiler is, if it is in none of PATH's.
func ascFolder(t *testing.T) string {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	bin := filepath.Join("node_modules", ".bin")
	for _, dir := range []string{filepath.Join(cache, "ingot-guests", bin), filepath.Join(harness.Root(t), "guest", "examples", "as-count", bin)} {
		if _, err := os.Stat(filepath.Join(dir, "asc")); err == nil {
			return dir
		}
	}
	return ""
}

// must runs a command and returns what it printed.
func must(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", cmd, out)
	return string(out)
}

// serve starts wasm-host and connects to it. At the end it must have ended well.
func serve(t *testing.T, args ...string) *mcp.ClientSession {
	t.Helper()
	command := exec.Command(harness.Build(t, "INGOT_WASM_HOST", "./cmd/wasm-host"), append([]string{"serve"}, args...)...)
	command.Stderr = t.Output()
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command}, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, session.Close())
		require.True(t, command.ProcessState.Success(), "the server's exit: %v", command.ProcessState)
	})
	return session
}

// call calls a tool; the answer is its structured content as JSON, or "" and the text
// when it failed.
func call(t *testing.T, session *mcp.ClientSession, tool, args string) (structured, text string) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(args)})
	require.NoError(t, err)
	require.NotEmpty(t, result.Content)
	content, ok := result.Content[0].(*mcp.TextContent)
	require.True(t, ok, "content is a %T", result.Content[0])
	if result.IsError {
		return "", content.Text
	}
	raw, err := json.Marshal(result.StructuredContent)
	require.NoError(t, err)
	require.JSONEq(t, string(raw), content.Text, "structuredContent and its text differ")
	return string(raw), content.Text
}

// From nothing to an answer, in each language, with the same answers.
func TestFromNewToAnswer(t *testing.T) {
	ingot := harness.Build(t, "INGOT_BINARY", "./cmd/ingot")
	for language := range languages {
		t.Run(language, func(t *testing.T) {
			requireLanguage(t, language)
			work, name := t.TempDir(), "loud-"+language
			module := filepath.Join(work, name, name+".wasm")
			must(t, work, ingot, "new", name, "--template", "wasm-"+language)
			must(t, work, ingot, "build", name)
			require.Contains(t, must(t, work, ingot, "guest", "test", "--timeout", "1m", module), " 0 failed")

			session := serve(t, "--timeout", "1m", module)
			listed, err := session.ListTools(t.Context(), nil)
			require.NoError(t, err)
			require.Len(t, listed.Tools, 1)
			require.Equal(t, name, listed.Tools[0].Name)
			require.True(t, listed.Tools[0].Annotations.ReadOnlyHint)
			for args, want := range map[string]string{
				`{"text":"hello","marks":2}`:    `{"text":"HELLO!!"}`,
				`{"text":"caf\u00e9? \"x\"\n"}`: map[string]string{"c": `{"text":"CAFé? \"X\"\n!"}`}[language],
			} {
				if want == "" {
					want = `{"text":"CAFÉ? \"X\"\n!"}`
				}
				got, text := call(t, session, name, args)
				require.NotEmpty(t, got, text)
				require.JSONEq(t, want, got)
			}
			_, text := call(t, session, name, `{"text":" "}`)
			require.Contains(t, text, "the text is blank")
			require.Contains(t, text, "nothing_to_say")
			_, text = call(t, session, name, `{"text":"a","marks":11}`)
			require.Contains(t, text, `argument "marks"`)
		})
	}
}

// buildExample compiles one of the word counters as its README says.
func buildExample(t *testing.T, language, out string) {
	t.Helper()
	dir := filepath.Join(harness.Root(t), "guest", "examples", language+"-count")
	switch language {
	case "go":
		t.Setenv("GOOS", "wasip1")
		t.Setenv("GOARCH", "wasm")
		must(t, dir, "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, ".")
	case "c":
		must(t, dir, "make", "-B", "OUT="+out)
	case "rust":
		target := t.TempDir()
		t.Setenv("CARGO_TARGET_DIR", target)
		must(t, dir, "cargo", "build", "--release", "--target", "wasm32-unknown-unknown")
		module, err := os.ReadFile(filepath.Join(target, "wasm32-unknown-unknown", "release", "count_rust.wasm"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(out, module, 0o600))
	case "as":
		must(t, dir, "asc", "count.ts", "-Osize", "--runtime", "minimal", "--use", "abort=../../as/assembly/tool/abort", "-o", out)
	}
}

// One tool in four languages, served together with one state: each adds to the same
// total, whoever was before.
func TestCountersShareATotal(t *testing.T) {
	dir := t.TempDir()
	var config strings.Builder
	config.WriteString("tools:\n")
	var built []string
	for language := range languages {
		t.Run("build "+language, func(t *testing.T) {
			requireLanguage(t, language)
			buildExample(t, language, filepath.Join(dir, language+".wasm"))
			built = append(built, language)
			fmt.Fprintf(&config, "  - type: wasm\n    module: %s.wasm\n    timeout: 60s\n    capabilities:\n      state:\n        - {prefix: \"count/\", access: read-write}\n", language)
		})
	}
	require.NotEmpty(t, built)
	file := filepath.Join(dir, "forge.yaml")
	require.NoError(t, os.WriteFile(file, []byte(config.String()), 0o600))
	session := serve(t, "--config", file, "--state-data", filepath.Join(dir, "state"))
	total := 0
	for range 2 {
		for _, language := range built {
			total += 3
			got, text := call(t, session, "count_"+language, `{"text":"one two\tthree\n","counter":"shared"}`)
			require.NotEmpty(t, got, text)
			require.JSONEq(t, fmt.Sprintf(`{"words":3,"lines":1,"bytes":14,"total":%d}`, total), got)
		}
	}
	for _, language := range built {
		_, text := call(t, session, "count_"+language, `{"text":"x","counter":"a/b"}`)
		require.Contains(t, text, "bad_counter", language)
	}
	t.Run("in JavaScript", func(t *testing.T) { countInJavaScript(t, dir, built) })
}

// countInJavaScript runs the same files on the host in JavaScript, over one store.
func countInJavaScript(t *testing.T, dir string, built []string) {
	root := harness.Root(t)
	args := []string{filepath.Join(root, "conformance", "clients", "guests", "count.mjs"), root}
	var want strings.Builder
	for round := range 2 {
		for i, language := range built {
			if round == 0 {
				args = append(args, filepath.Join(dir, language+".wasm"))
			}
			fmt.Fprintf(&want, `{"words":3,"lines":1,"bytes":14,"total":%d}`+"\n", 3*(round*len(built)+i+1))
		}
	}
	want.WriteString(strings.Repeat("ERR_TOOL_FAILED bad_counter\n", len(built)))
	require.Equal(t, want.String(), must(t, dir, "node", args...))
}

// The crate's own tests, and those of its example.
func TestRustCrate(t *testing.T) {
	requireLanguage(t, "rust")
	target := t.TempDir()
	t.Setenv("CARGO_TARGET_DIR", target)
	for _, dir := range []string{"rust", "examples/rust-count"} {
		require.Contains(t, must(t, filepath.Join(harness.Root(t), "guest", dir), "cargo", "test", "--quiet"), "test result: ok")
	}
	must(t, filepath.Join(harness.Root(t), "guest", "rust"), "cargo", "build", "--no-default-features", "--target", "wasm32-unknown-unknown")
}
