package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/internal/audit"
	"github.com/ingot-run/ingot/internal/command"
)

// notRun are beginnings of examples that the test below does not run, with the reason.
var notRun = map[string]string{
	"ingot serve":                           "serves until it is stopped, at addresses that a test may not take; other tests serve",
	"openssl rand":                          "serves, see above",
	"INGOT_TOKEN=":                          "serves, see above",
	"INGOT_DATA=redis":                      "serves, see above; see conformance/cluster",
	"ingot state migrate ./data env":        "wants a redis, see below",
	"ingot state migrate file:./data redis": "wants a redis; see TestMigrate",
	"ingot state migrate redis+cluster":     "wants a redis, see above",
	"ingot dev":                             "serves until it is stopped; see dev_test.go",
	"ingot build":                           "runs compilers, in minutes; see build_test.go",
	"GOOS=linux":                            "runs compilers, see above",
	"ingot state backup now":                "needs a server with --backup; see TestBackupOfARunningServer",
	"ingot state watch greeting":            "waits for a change; see TestStateWatch",
	"ingot state watch --prefix":            "waits for a change; see TestStateWatch",
	"ingot audit tail audit.log --follow":   "goes on until it is stopped; see package audit",
	"ingot inspect http":                    "needs a server at the documented address; see TestInspectServer",
	"ingot completion zsh":                  "writes into a folder that zsh alone knows; see TestCompletionScripts",
	"ingot new my-tool --template w":        "writes a tool in a language; see guest_test.go",
}

// examples are the lines of a help that are commands.
func examples(help string) (lines []string) {
	_, below, found := strings.Cut(help, "Example")
	if !found {
		return nil
	}
	for line := range strings.Lines(below) {
		if text, ok := strings.CutPrefix(line, "  "); ok && strings.TrimSpace(text) != "" {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	return lines
}

// Each command's help ends with an example.
func TestHelpEndsWithAnExample(t *testing.T) {
	n := 0
	err := command.Walk(&commands{}, func(names []string, _ *kong.Node) {
		n++
		code, stdout, stderr := runWith(t, append(names, "--help")...)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		last := strings.TrimSpace(lines[len(lines)-1])
		if code != 0 || stderr != "" || !strings.HasPrefix(lines[len(lines)-1], "  ") || !strings.Contains(last, "ingot") {
			t.Errorf("ingot %s --help: exit %d, and ends with %q", strings.Join(names, " "), code, last)
		}
	})
	if err != nil || n < 25 {
		t.Errorf("%d commands, %v", n, err)
	}
}

// Each example of a help runs, in a folder that has what it names, by the binary.
func TestHelpExamplesRun(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	server := serve(t)
	server.callModern(t, "state_set", `{"key":"greeting","value":"hello"}`)
	left := map[string]bool{}
	for begin := range notRun {
		left[begin] = true
	}
	ran := 0
	err := command.Walk(&commands{}, func(names []string, node *kong.Node) {
		for _, line := range examples(node.Detail) {
			if begin := beginning(line); begin != "" {
				delete(left, begin)
				continue
			}
			ran++
			t.Run(line, func(t *testing.T) { runExample(t, server, line) })
		}
	})
	if err != nil || ran < 30 {
		t.Errorf("%d examples ran, %v", ran, err)
	}
	for begin := range left {
		t.Errorf("no help has the example %q, which is said not to be run", begin)
	}
}

func beginning(line string) string {
	for begin := range notRun {
		if strings.HasPrefix(line, begin) {
			return begin
		}
	}
	return ""
}

// runExample runs a line by a shell.
func runExample(t *testing.T, server *served, line string) {
	dir := exampleFolder(t)
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(line, documented, server.origin))
	cmd.Dir = dir
	cmd.Env = append(withoutVariables("INGOT_MEMORY", "INGOT_DATA"), "PATH="+binariesDir+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_DATA_HOME="+filepath.Join(dir, "share"), "INGOT_DATA="+filepath.Join(dir, "data"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

// withoutVariables is the environment without some variables.
func withoutVariables(names ...string) (left []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		keep := true
		for _, n := range names {
			keep = keep && n != name
		}
		if keep {
			left = append(left, v)
		}
	}
	return left
}

// exampleFolder is a folder with what the examples name.
func exampleFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"forge.yaml": `
forge: {name: examples}
tools:
  - {type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}
  - {type: native, name: greet, handler: {inline: '"Hello, " + name'}, params: {name: string}}
  - {type: cli, name: print, command: printf, args: ["%s ", "{{words}}"], params: {words: {type: array, items: string}}}
tests:
  - {tool: greet, input: {name: Ada}, expect: {text: "Hello, Ada"}}
`,
		"old.key":       "1:" + strings.Repeat("0a", 32),
		"logo.png":      "\x89PNG",
		"entries.jsonl": `{"key":"a","value":"1"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{".local/share/bash-completion/completions", ".config/fish/completions"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	module, err := os.ReadFile("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tool.wasm"), module, 0o600); err != nil {
		t.Fatal(err)
	}
	record, err := audit.Open(filepath.Join(dir, "audit.log"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, head := record.Head()
	if err := errors.Join(record.Close(), os.WriteFile(filepath.Join(dir, "head"), []byte(head+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "author")
	for _, args := range [][]string{
		{"keygen", key},
		{"state", "set", "greeting", "hello", "--data", filepath.Join(dir, "data")},
		{"state", "set", "session/1", "open", "--data", filepath.Join(dir, "data")},
		{"state", "set", "greeting", "hello", "--data", filepath.Join(dir, "old")},
		{"state", "set", "greeting", "hello", "--data", filepath.Join(dir, "sealed"), "--key-file", filepath.Join(dir, "old.key")},
		{"state", "backup", filepath.Join(dir, "earlier.backup"), "--data", filepath.Join(dir, "data")},
		{"state", "backup", filepath.Join(dir, "notes.ingot-snapshot"), "--snapshot", "--data", filepath.Join(dir, "data")},
	} {
		if code, _, stderr := runWith(t, args...); code != 0 {
			t.Fatalf("%v: %s", args, stderr)
		}
	}
	// Signing is what one of the examples does: the others find it done.
	if code, _, stderr := runWith(t, "sign", filepath.Join(dir, "tool.wasm"), "--key", key+".key"); code != 0 {
		t.Fatal(stderr)
	}
	return dir
}
