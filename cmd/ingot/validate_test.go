package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := write("forge.yaml", "forge: {name: demo, version: 1.2.3}\ntools:\n  - {type: cli, name: who, command: whoami}\n  - {type: http, name: get, endpoint: 'https://example.org', fallback: {type: native, handler: x}}\nprompts: [{name: hello}]\ninclude: more.yml\n")
	write("more.yml", "tests: [{tool: who}, {tool: get}]\n")
	bad := write("bad.yaml", "forge: {nam: demo}\ntools:\n  - {type: cli, name: who, comand: whoami, args: ['${INGOT_TEST_UNSET}']}\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"a good file", []string{"validate", good}, 0, []string{"forge.yaml: demo 1.2.3: 2 tools (1 cli, 1 http), 1 prompt, 2 tests, in 2 files\n"}},
		{"a bad file", []string{"validate", bad}, 1, []string{
			`bad.yaml:1:9: forge has no key "nam": did you mean "name"?`, `bad.yaml:3:28: a cli tool has no key "comand": did you mean "command"?`,
			"environment variable INGOT_TEST_UNSET is not set", "bad.yaml has 5 problems",
		}},
		{"no file", []string{"validate", filepath.Join(dir, "none.yaml")}, 1, []string{"none.yaml: no such file"}},
		{"the schema", []string{"validate", "--schema"}, 0, []string{`"$schema": "https://json-schema.org/draft/2020-12/schema"`, `"additionalProperties": false`}},
		{"help", []string{"validate", "--help"}, 0, []string{"Examples:", "ingot validate forge.yaml"}},
	} {
		code, stdout, stderr := runWith(t, c.args...)
		if code != c.code {
			t.Errorf("%s: exit %d, %s%s", c.name, code, stdout, stderr)
		}
		for _, s := range c.says {
			if !strings.Contains(stdout+stderr, s) {
				t.Errorf("%s: %q is not in %s%s", c.name, s, stdout, stderr)
			}
		}
	}

	var r report
	code, stdout, _ := runWith(t, "validate", "--json", bad)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 1 || r.Valid || len(r.Problems) != 5 || r.Problems[0].Line != 1 || r.Problems[0].File != bad {
		t.Errorf("exit %d, %v, %s", code, err, stdout)
	}
	r = report{}
	code, stdout, _ = runWith(t, "validate", "--json", good)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || !r.Valid || r.Tools["cli"] != 1 || r.Tools["native"] != 0 || r.Tests != 2 || len(r.Files) != 2 {
		t.Errorf("exit %d, %v, %s", code, err, stdout)
	}

	r = report{}
	many := write("many.yaml", "forge: {name: x}\n"+strings.Repeat("nokey: 1\n", 150))
	code, stdout, stderr := runWith(t, "validate", "--json", many)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 1 || len(r.Problems) != 100 || r.LeftOut != 50 || !strings.Contains(stderr, "has 150 problems") {
		t.Errorf("exit %d, %v, %s%s", code, err, stdout, stderr)
	}

	t.Chdir(dir)
	if code, stdout, _ := runWith(t, "validate"); code != 0 || !strings.HasPrefix(stdout, "forge.yaml: demo") {
		t.Errorf("in the folder: exit %d, %s", code, stdout)
	}
	t.Chdir(t.TempDir())
	if code, _, stderr := runWith(t, "validate"); code != 1 || !strings.Contains(stderr, "no forge.yaml") {
		t.Errorf("in an empty folder: exit %d, %s", code, stderr)
	}
}
