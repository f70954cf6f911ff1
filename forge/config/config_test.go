package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

var update = flag.Bool("update", false, "rewrite the expected errors and configurations")

const testdata = "../testdata"

// environment is what the test files see.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"INGOT_TEST_SECRET": "hunter2", "INGOT_TEST_EMPTY": "", "INGOT_TEST_PORT": "8123"}[name]
	return v, ok
}

// golden compares text with a file; go test -update rewrites it, for a person to read.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// yamlFiles are the files of a folder, without those that others include.
func yamlFiles(t testing.TB, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, folder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// parseFile parses a file with slashes in its paths and the same name everywhere.
func parseFile(t testing.TB, file string) (*Config, error) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return Parse(file, text, Options{LookupEnv: environment})
}

// relative takes the folder of the test files off the paths in a text.
func relative(text string) string {
	if dir, err := filepath.Abs(testdata); err == nil {
		text = strings.ReplaceAll(text, dir, testdata)
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, testdata+"/bad/", ""), testdata+"/good/", "")
}

// Each bad file has the exact text of its errors beside it.
func TestBadFiles(t *testing.T) {
	files := yamlFiles(t, "bad")
	require.GreaterOrEqual(t, len(files), 80)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := parseFile(t, file)
			var p *Problems
			require.ErrorAs(t, err, &p)
			require.NotContains(t, err.Error(), "hunter2", "a secret in an error")
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", relative(err.Error())+"\n")
		})
	}
}

// Each good file has what is read from it beside it, as JSON.
func TestGoodFiles(t *testing.T) {
	for _, file := range yamlFiles(t, "good") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			c, err := parseFile(t, file)
			require.NoError(t, err)
			raw, err := json.Marshal(c)
			require.NoError(t, err)
			var whole any
			require.NoError(t, json.Unmarshal(raw, &whole))
			out, err := json.MarshalIndent(pruned(whole), "", "  ")
			require.NoError(t, err)
			require.NotContains(t, c.Secrets.Redact(string(out)), "hunter2")
			golden(t, strings.TrimSuffix(file, ".yaml")+".json", relative(string(out))+"\n")
		})
	}
}

// pruned leaves out what is not said.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil || e == "" || e == false || e == 0.0 {
				delete(v, k)
				continue
			}
			switch k {
			case "InputSchema", "OutputSchema", "Schema", "Default", "Enum", "Body", "Input", "Output", "Set", "Value", "JSON": // which are as they are
			default:
				v[k] = pruned(e)
			}
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

// manyTools is a file of n tools of several kinds, no two with the same texts.
func manyTools(n int) []byte {
	var b strings.Builder
	b.WriteString("forge:\n  name: many\n  version: 1.0.0\ntools:\n")
	for i := range n {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "  - type: http\n    name: tool_%d\n    description: Calls number %d of the many\n    endpoint: \"https://api%d.example.com/users/{{id}}\"\n    method: GET\n    headers: {Accept: application/json}\n    params:\n      id: string\n      limit: {type: integer, default: 10, minimum: 1, maximum: %d}\n    timeout_ms: 1000\n", i, i, i, i+100)
		case 1:
			fmt.Fprintf(&b, "  - type: cli\n    name: tool_%d\n    description: Runs number %d\n    command: program%d\n    args: [--name, \"{{name}}\", --count, \"{{count}}\"]\n    params:\n      name: {type: string, required: true, description: The name, max_length: %d}\n      count: {type: integer, default: 1}\n", i, i, i, i+10)
		case 2:
			fmt.Fprintf(&b, "  - type: native\n    name: tool_%d\n    description: Native number %d\n    handler:\n      path: handlers::h%d\n    params:\n      a: {type: float, required: true}\n      b: {type: float, required: true}\n      operation: {type: string, enum: [add, subtract, op%d]}\n", i, i, i, i)
		case 3:
			fmt.Fprintf(&b, "  - type: pipeline\n    name: tool_%d\n    description: Pipeline number %d\n    params:\n      name: string\n    steps:\n      - {tool: tool_%d, input: {name: \"{{name}}\"}, output_var: first}\n      - {tool: tool_%d, input: {a: 1, b: 2, operation: \"{{first}}\"}}\n", i, i, i-2, i-1)
		}
	}
	return []byte(b.String())
}

func TestManyTools(t *testing.T) {
	c, err := Parse("many.yaml", manyTools(1000), Options{})
	require.NoError(t, err)
	require.Len(t, c.Tools, 1000)
}

// BenchmarkLoad loads and validates 1,000 tools: at most 100 ms.
func BenchmarkLoad(b *testing.B) {
	text := manyTools(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("many.yaml", text, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, folder := range []string{"bad", "good"} {
		for _, file := range yamlFiles(f, folder) {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("fuzz.yaml", text, Options{LookupEnv: environment})
		if err == nil {
			for i := range c.Tools {
				if s := c.Tools[i].InputSchema; s != nil && !json.Valid(s) {
					t.Errorf("the schema of %s is no JSON: %s", c.Tools[i].Name, s)
				}
			}
			return
		}
		var p *Problems
		if !errors.As(err, &p) || len(p.List) == 0 || len(p.List) > yamlfile.ProblemsMax {
			t.Errorf("%T: %v", err, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret in %v", err)
		}
	})
}

func readText(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}
