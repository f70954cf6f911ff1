package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

const head = "forge: {name: x}\n"

func TestBounds(t *testing.T) {
	native := head + "tools:\n  - type: native\n    name: a\n    handler: x\n"
	list := func(n int, element string) string { return "[" + strings.Repeat(element+", ", n) + "]" }
	for name, c := range map[string]struct{ text, says string }{
		"params":       {native + "    params:\n" + lines(257, "      p%d: string\n"), "params has 257 elements, at most 256 are read"},
		"enum":         {native + "    params: {p: {type: string, enum: " + list(1001, "a") + "}}", "enum has 1001 elements"},
		"text":         {native + "    description: " + strings.Repeat("a", 64<<10+1), "description has 65537 bytes, at most 65536"},
		"name":         {native + "    params: {" + strings.Repeat("p", 129) + ": string}", "name has 129 bytes, at most 128"},
		"tools":        {head + "tools: " + list(10_001, "{}"), "tools has 10001 elements"},
		"args":         {head + "tools: [{type: cli, name: a, command: b, args: " + list(1001, "a") + "}]", "args has 1001 elements"},
		"env":          {head + "tools:\n  - type: cli\n    name: a\n    command: b\n    env:\n" + lines(1001, "      V%d: x\n"), "env has 1001 elements"},
		"steps":        {head + "tools: [{type: pipeline, name: a, steps: " + list(257, "{tool: a}") + "}]", "steps has 257 elements"},
		"steps inside": {head + "tools: [{type: native, name: b, handler: x}, {type: pipeline, name: a, steps: [" + strings.Repeat("{parallel: "+list(99, "{tool: b}")+"}, ", 3) + "]}]", "the pipeline has 300 steps, at most 256"},
		"parallel":     {head + "tools: [{type: pipeline, name: a, steps: [" + strings.Repeat("{parallel: [", 10) + strings.Repeat("]}", 10) + "]}]", "nested more than 8 deep"},
		"fallbacks":    {head + "tools: [{type: http, name: a, endpoint: 'https://example.org'" + strings.Repeat(", fallback: {type: http, endpoint: 'https://example.org'", 10) + strings.Repeat("}", 10) + "}]", "fallbacks of fallbacks are nested more than 8 deep"},
		"middleware":   {head + "middleware: " + list(65, "{type: metrics}"), "middleware has 65 elements"},
		"schema":       {native + "    params:\n" + lines(250, "      p%d: {type: string, description: "+strings.Repeat("a", 300)+"}\n"), "the schema of the parameters has"},
		"file":         {strings.Repeat("#", yamlfile.FileBytesMax+1), "at most 4194304 are read"},
	} {
		_, err := Parse("a.yaml", []byte(c.text), Options{})
		require.ErrorContains(t, err, c.says, name)
	}
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestIncludesAreBounded(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for i := range 10 {
		write(fmt.Sprintf("deep%d.yaml", i), fmt.Sprintf("include: deep%d.yaml\n", i+1))
	}
	write("deep.yaml", head+"include: deep0.yaml\n")
	_, err := Load(filepath.Join(dir, "deep.yaml"), Options{})
	require.ErrorContains(t, err, "files include one another more than 8 deep")

	for i := range 100 {
		write(fmt.Sprintf("wide%d.yaml", i), "tools: []\n")
	}
	write("wide.yaml", head+"include: ["+lines(100, "wide%d.yaml, ")+"]\n")
	_, err = Load(filepath.Join(dir, "wide.yaml"), Options{})
	require.ErrorContains(t, err, "more than 100 files")

	large := "tools: []\n" + strings.Repeat("#", yamlfile.FileBytesMax/2)
	write("large1.yaml", large)
	write("large2.yaml", large)
	write("large.yaml", head+"include: [large1.yaml, large2.yaml]\n")
	_, err = Load(filepath.Join(dir, "large.yaml"), Options{})
	require.ErrorContains(t, err, "the files have more than 4194304 bytes in all")

	write("device.yaml", head+"include: "+os.DevNull+"\n")
	_, err = Load(filepath.Join(dir, "device.yaml"), Options{})
	require.ErrorContains(t, err, "is a folder or a device, and no file")

	_, err = Load(filepath.Join(dir, "none.yaml"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A file of many faults names the first hundred.
func TestProblemsAreBounded(t *testing.T) {
	_, err := Parse("a.yaml", []byte(head+lines(500, "key%d: x\n")), Options{})
	var p *Problems
	require.ErrorAs(t, err, &p)
	require.Len(t, p.List, yamlfile.ProblemsMax)
	require.Equal(t, 400, p.LeftOut)
	require.ErrorContains(t, err, "and 400 more problems: mend these first")
}

// What is broken is not looked at again, though its problems were left out: a native
// tool without a handler was, and ended the process.
func TestBrokenBeyondTheBound(t *testing.T) {
	for _, tail := range []string{
		"tools: [{type: native, name: a}]", "tools: [{type: cli, name: a}]", "tools: [{type: http, name: a}]", "tools: [{type: pipeline, name: a}]", "tools: [{type: wasm, name: a}]",
		"tools: [{type: http, name: a, endpoint: 'http://x.y', auth: 3, retry: 3, fallback: 4, bulkhead: 4}]",
		"tools: [{type: native, name: a, handler: x, params: {p: {type: [], default: x}, q: {default: 1}, r: {type: zz, enum: [1]}}}]",
		"middleware: [{type: fallback}, {type: retry, max_attempts: x}, {type: validation, schema: 4}, {type: transform, request: 4}]",
		"state: 4\nprompts: [{name: a, messages: 4}]\nresources: [{uri: 3, http: 4}]\ntests: [{tool: [1]}]",
	} {
		_, err := Parse("a.yaml", []byte(lines(101, "key%d: x\n")+tail+"\n"), Options{})
		var p *Problems
		require.ErrorAs(t, err, &p, tail)
		require.Greater(t, p.LeftOut, 1, tail)
	}
}

// Nobody looks for what was meant where nobody is told: this took three seconds, and
// a file of 4 MiB would have taken minutes.
func TestManyUnknownTools(t *testing.T) {
	_, err := Parse("a.yaml", []byte(head+"tools:\n"+lines(9_999, "  - {type: pipeline, name: p%d, steps: [{tool: zz}, {tool: zz}, {tool: zz}]}\n")), Options{})
	var p *Problems
	require.ErrorAs(t, err, &p)
	require.Equal(t, 3*9_999-yamlfile.ProblemsMax, p.LeftOut)
}

func TestPlacesAreKept(t *testing.T) {
	c, err := Parse("dir/a.yaml", []byte(head+`tools:
  - type: cli
    name: a
    command: echo
    args:
      - x
      - "{{p}}"
    env:
      NAME: y
    params:
      p: {type: string, default: z}
  - type: pipeline
    name: b
    steps:
      - tool: a
        condition: 1 == 1
`), Options{})
	require.NoError(t, err)
	a, b := c.Tool("a"), c.Tool("b")
	require.Equal(t, "dir/a.yaml:3:5", a.Pos.String())
	require.Equal(t, "dir/a.yaml:8:9", a.At("args[1]").String())
	require.Equal(t, "dir/a.yaml:10:13", a.At("env.NAME").String())
	require.Equal(t, "dir/a.yaml:12:34", a.Params[0].At("default").String())
	require.Equal(t, "dir/a.yaml:17:20", b.Pipeline.Steps[0].At("condition").String())
	require.True(t, a.Has("env"))
	require.False(t, a.Has("cwd"))
	require.Nil(t, c.Tool("none"))
}

// What came from the environment, and what stands where secrets stand, is redacted.
func TestSecrets(t *testing.T) {
	c, err := Parse("a.yaml", []byte(head+`tools:
  - {type: http, name: a, endpoint: "https://example.org", auth: {type: basic, username: me, password: plain-password}}
  - {type: http, name: b, endpoint: "https://example.org", headers: {X-Key: "${INGOT_TEST_SECRET}-and-more"}}
  - {type: http, name: c, endpoint: "https://example.org", auth: {type: bearer, token_env: INGOT_TEST_LONG}}
`), Options{LookupEnv: func(name string) (string, bool) {
		v, ok := map[string]string{"INGOT_TEST_SECRET": "hunter2", "INGOT_TEST_LONG": "hunter2-longer"}[name]
		return v, ok
	}})
	require.NoError(t, err)
	require.Equal(t, "hunter2-and-more", c.Tools[1].HTTP.Headers["X-Key"])
	require.Equal(t, "hunter2-longer", c.Tools[2].HTTP.Auth.Token)
	require.Equal(t, 3, c.Secrets.Len())
	require.Equal(t, "[secret] [secret] [secret] me", c.Secrets.Redact("hunter2-longer hunter2 plain-password me"))
	require.Empty(t, Secrets{}.Len())
}

// A variable's value is a text, whatever it looks like: it adds no structure, and no
// default lets it through.
func TestVariablesAddNoStructure(t *testing.T) {
	evil := func(string) (string, bool) { return "x', type: cli, command: rm}\n#${Y}", true }
	c, err := Parse("a.yaml", []byte(head+"tools:\n  - {type: native, name: a, handler: x, description: '${EVIL}'}\n"), Options{LookupEnv: evil})
	require.NoError(t, err)
	require.Equal(t, "x', type: cli, command: rm}\n#${Y}", c.Tools[0].Description)
	require.Len(t, c.Tools, 1)
}

func TestDefaults(t *testing.T) {
	c, err := Parse("a.yaml", []byte(head), Options{})
	require.NoError(t, err)
	require.Equal(t, Meta{Place: c.Forge.Place, Name: "x", Version: "0.1.0", Transport: TransportStdio, Host: "127.0.0.1", Port: 7070}, c.Forge)
	require.Equal(t, State{Backend: BackendMemory}, c.State)
	require.Equal(t, FaultTolerance{}, c.FaultTolerance)

	c, err = Parse("a.yaml", []byte(head+"fault_tolerance: {circuit_breaker: {}, retry: {}, error_tracking: {}}\n"), Options{})
	require.NoError(t, err)
	f := c.FaultTolerance
	require.Equal(t, CircuitBreaker{Place: f.CircuitBreaker.Place, FailuresMax: 5, OpenTime: time.Minute, Successes: 2, ProbesMax: 1}, *f.CircuitBreaker)
	require.Equal(t, 3, f.Retry.MaxAttempts)
	require.Equal(t, []time.Duration{100 * time.Millisecond, 30 * time.Second}, []time.Duration{f.Retry.Initial, f.Retry.Max})
	require.Equal(t, ErrorTracking{ErrorsMax: 1000}, *f.ErrorTracking)
}

func TestLoadTests(t *testing.T) {
	c, err := Parse("a.yaml", []byte(head+"tools: [{type: native, name: add, handler: x}]\n"), Options{})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "a.forge-test.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write("tests: [{tool: add, input: {a: 1}, expect: {json: 1}}]\n")
	tests, err := LoadTests(file, c, Options{})
	require.NoError(t, err)
	require.Len(t, tests, 1)
	require.JSONEq(t, `{"a":1}`, string(tests[0].Input))
	write("tests: [{tool: ad}]\ntools: []\n")
	_, err = LoadTests(file, c, Options{})
	require.ErrorContains(t, err, `the test's tool, "ad", is not among the tools: did you mean "add"?`)
	require.ErrorContains(t, err, `a file of tests has no key "tools": it has tests`)
	_, err = LoadTests(file+"x", c, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// An object may be a reference to another one.
func TestReferences(t *testing.T) {
	c, err := Parse("dir/a.yaml", []byte(head+`resources:
  - &readme {uri: "file://./README.md"}
  - {uri: "a:b", handler: &handler {path: x}}
  - {uri: "a:c", handler: *handler}
tools:
  - &one {type: native, name: one, handler: *handler, params: &params {a: string}}
  - {type: cli, name: two, command: echo, params: *params}
`), Options{})
	require.NoError(t, err)
	require.Equal(t, "x", c.Resources[2].Handler.Path)
	require.Equal(t, "README.md", filepath.Base(c.Resources[0].File))
	require.Equal(t, string(c.Tools[0].InputSchema), string(c.Tools[1].InputSchema))
	_, err = Parse("a.yaml", []byte(head+"resources: [&r {uri: 'file://./x'}, *r]\nprompts: [&p {name: a}, *p]\n"), Options{})
	require.ErrorContains(t, err, `the resource "file://./x" is named twice`)
	require.ErrorContains(t, err, `the prompt "a" is named twice`)
}

// {{ in a variable of the environment is no placeholder, wherever templates stand.
func TestVariablesAddNoPlaceholders(t *testing.T) {
	evil := func(string) (string, bool) { return "{{p}}", true }
	c, err := Parse("a.yaml", []byte(head+`tools:
  - {type: cli, name: a, command: echo, args: ["${E}"], env: {X: "${E}"}, params: {p: string}}
  - {type: http, name: b, endpoint: "https://example.org/", method: POST, headers: {X: "${E}"}, query: {x: "${E}"}, body: {x: "${E} {{p}}"}, params: {p: string}}
  - {type: http, name: c, endpoint: "https://example.org/", method: POST, body_template: "${E}"}
  - {type: pipeline, name: d, steps: [{tool: a, input: {p: "${E}"}}], output: ["${E}"], description: "${E}", params: {p: string}}
prompts: [{name: e, template: "${E}"}]
`), Options{LookupEnv: evil})
	require.NoError(t, err)
	const literal = `\{{p}}`
	http, flow := c.Tools[1].HTTP, c.Tools[3]
	require.Equal(t, []string{literal, literal, literal, literal, literal, literal}, []string{
		c.Tools[0].CLI.Args[0], c.Tools[0].CLI.Env["X"], http.Headers["X"], http.Query["x"], c.Tools[2].HTTP.BodyText, c.Prompts[0].Messages[0].Template,
	})
	require.Empty(t, c.Tools[2].Params)
	require.JSONEq(t, `{"x": "\\{{p}} {{p}}"}`, string(http.Body))
	require.JSONEq(t, `{"p": "\\{{p}}"}`, string(flow.Pipeline.Steps[0].Input))
	require.JSONEq(t, `["\\{{p}}"]`, string(flow.Pipeline.Output))
	require.Equal(t, "{{p}}", flow.Description)
}
