package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/forge/check"
)

// No run leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tools = `
forge: {name: checked}
state: {backend: file, path: ./data}
tools:
  - {type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}
  - {type: native, name: echo, handler: "ingot::echo", params: {v: object}}
  - {type: native, name: count, handler: "state::increment", params: {key: string}}
  - {type: cli, name: print, command: printf, args: ["one\ntwo\n${CHECK_SECRET:-hush}\n"]}
  - {type: native, name: say, handler: {inline: '"so\nmany"'}}
  - {type: cli, name: sleep, command: sleep, args: ["60"]}
  - {type: cli, name: fail, command: "false"}
`

// run writes the files and runs their tests.
func run(t *testing.T, o check.Options, main string, beside map[string]string) []check.Result {
	t.Helper()
	path := project(t, main, beside)
	c, tests, err := check.Load(path)
	require.NoError(t, err)
	o.Secrets = c.Secrets
	results, err := check.Run(t.Context(), path, tests, o)
	require.NoError(t, err)
	return results
}

func project(t *testing.T, main string, beside map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "[odd] na*me") // which a pattern would read otherwise
	require.NoError(t, os.Mkdir(dir, 0o700))
	for name, text := range beside {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	path := filepath.Join(dir, "forge.yaml")
	require.NoError(t, os.WriteFile(path, []byte(main), 0o600))
	return path
}

func TestPassing(t *testing.T) {
	results := run(t, check.Options{}, tools+`
tests:
  - {tool: add, input: {a: 1.5, b: 2}, expect: {text: "3.5", json: 3.5, contains: ["3", ".5"], matches: "^[0-9.]+$"}}
  - {name: json, tool: echo, input: {v: {a: [1, 2.50, null, {x: "y"}], b: true}}, expect: {json: {v: {b: true, a: [1, 2.5, null, {x: "y"}]}}}}
  - {tool: fail, expect: {error: true, contains: ["exit code 1"]}}
  - {tool: add, input: {a: text}, expect: {error: true, contains: ['argument "a"']}}
  - {tool: add, input: {a: 1, b: 2}}
`, map[string]string{"more.forge-test.yaml": "tests: [{tool: add, input: {a: 1, b: 1}, expect: {text: '2'}}]", "else.yaml": "no: tests"})
	require.Len(t, results, 6)
	for _, r := range results {
		assert.True(t, r.Passed, "%s: %q", r.Name, r.Faults)
		assert.Greater(t, r.Line, 0)
	}
	assert.Equal(t, "add", results[0].Name, "a test without a name has its tool's")
	assert.Equal(t, "more.forge-test.yaml", filepath.Base(results[5].File))
}

// What each expectation says when it does not hold; each must be able to fail.
func TestFailing(t *testing.T) {
	t.Setenv("CHECK_SECRET", "s3cret-value")
	for expect, want := range map[string]string{
		`tool: add, input: {a: 1, b: 2}, expect: {text: "4"}`:       "the text is not what was expected:\n--- expected\n+++ got\n- 4\n+ 3",
		`tool: add, input: {a: 1, b: 2}, expect: {text: "3\n"}`:     "the text ends with 0 line ends, and 1 were expected",
		`tool: add, input: {a: 1, b: 2}, expect: {contains: ["9"]}`: "the text does not contain \"9\":\n  3",
		`tool: add, input: {a: 1, b: 2}, expect: {matches: "^x"}`:   "the text does not match \"^x\":\n  3",
		`tool: add, input: {a: 1, b: 2}, expect: {json: 4}`:         "the answer is not what was expected:\n--- expected\n+++ got\n- 4\n+ 3",
		`tool: add, input: {a: 1, b: 2}, expect: {error: true}`:     "an error was expected, and the tool answered:\n  3",
		`tool: fail`:                      "the tool answered with an error:\n",
		`tool: say, expect: {json: {}}`:   "the answer is no JSON:\n  so\n  many",
		`tool: print, expect: {json: {}}`: "[secret]",
		`tool: print, expect: {text: x}`:  "+ [secret]",
		`tool: echo, input: {v: {a: 1, b: 2}}, expect: {json: {v: {a: 1, c: 2}}}`:                   "  {\n    \"v\": {\n      \"a\": 1,\n-     \"c\": 2\n+     \"b\": 2\n    }\n  }",
		`tool: echo, input: {v: {n: 9007199254740993}}, expect: {json: {v: {n: 9007199254740992}}}`: "+     \"n\": 9007199254740993",
		`tool: echo, input: {v: {n: [1]}}, expect: {json: {v: {n: [1, 2]}}}`:                        "+       1",
		`tool: echo, input: {v: {n: "1"}}, expect: {json: {v: {n: 1}}}`:                             "+     \"n\": \"1\"",
		`tool: sleep, timeout: 50ms`: "there was no answer after 50ms",
	} {
		results := run(t, check.Options{}, tools+"tests: [{"+expect+"}]\n", nil)
		require.Len(t, results, 1)
		assert.False(t, results[0].Passed, expect)
		all := strings.Join(results[0].Faults, "\n")
		assert.Contains(t, all, want, expect)
		assert.NotContains(t, all, "s3cret-value", expect)
	}
}

// Each test has a state of its own, but for those that share one; neither is the file's.
func TestState(t *testing.T) {
	results := run(t, check.Options{Jobs: 4}, tools+`
tests:
  - {tool: count, input: {key: n}, expect: {json: {value: 1}}}
  - {tool: count, input: {key: n}, state: shared, expect: {json: {value: 1}}}
  - {tool: count, input: {key: n}, state: fresh, expect: {json: {value: 1}}}
  - {tool: count, input: {key: n}, state: shared, expect: {json: {value: 2}}}
  - {tool: count, input: {key: n}, state: shared, expect: {json: {value: 3}}}
`, nil)
	for _, r := range results {
		assert.True(t, r.Passed, "line %d: %q", r.Line, r.Faults)
		_, err := os.Stat(filepath.Join(filepath.Dir(r.File), "data"))
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}

// Results are told in the order of the tests, whichever end first.
func TestOrder(t *testing.T) {
	var mu sync.Mutex
	var told []string
	results := run(t, check.Options{Jobs: 8, Done: func(r check.Result) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, r.Name)
	}}, tools+`
tests:
  - {name: a, tool: sleep, timeout: 100ms}
  - {name: b, tool: add, input: {a: 1, b: 1}}
  - {name: c, tool: add, input: {a: 1, b: 1}}
`, nil)
	assert.Equal(t, []string{"a", "b", "c"}, told)
	assert.Equal(t, []bool{false, true, true}, []bool{results[0].Passed, results[1].Passed, results[2].Passed})
}

func TestNotRun(t *testing.T) {
	path := project(t, tools, map[string]string{"x.forge-test.yaml": "tests: [{tool: ad}]"})
	_, _, err := check.Load(path)
	require.ErrorContains(t, err, `did you mean "add"`)

	broken := project(t, "forge: {name: x}\ntools: [{type: native, name: a, handler: 'no::body'}]\ntests: [{tool: a}, {tool: a}]\n", nil)
	_, tests, err := check.Load(broken)
	require.NoError(t, err)
	_, err = check.Run(t.Context(), broken, tests, check.Options{})
	require.ErrorContains(t, err, "no::body")
	results, err := check.Run(t.Context(), broken, nil, check.Options{Timeout: time.Second})
	require.NoError(t, err)
	assert.Empty(t, results)
}

func TestDiff(t *testing.T) {
	long := strings.Repeat("x\n", 20)
	for _, c := range []struct{ a, b, want string }{
		{"a\nb\nc", "a\nc", "  a\n- b\n  c"},
		{"", "a", "- \n+ a"},
		{long + "end", long + "END", "  …\n  x\n  x\n  x\n- end\n+ END"},
	} {
		assert.Equal(t, "--- expected\n+++ got\n"+c.want, check.Diff(c.a, c.b))
	}
	many := strings.Repeat("y\n", 100_000)
	assert.Less(t, len(check.Diff(many, "z")), 100_000)
}
