package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ran is what a process of the built binary has done.
type ran struct {
	code           int
	stdout, stderr string
}

// shipped runs the built ingot in a folder.
func shipped(t *testing.T, dir, stdin string, args ...string) ran {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(binariesDir, "ingot"), args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, strings.NewReader(stdin), &out, &log
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return ran{exit.ExitCode(), out.String(), log.String()}
	}
	if err != nil {
		t.Fatal(err)
	}
	return ran{0, out.String(), log.String()}
}

const callFile = `
forge: {name: called}
state: {backend: file, path: ./state}
tools:
  - {type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}
  - type: native
    name: echo
    handler: "ingot::echo"
    params:
      city: {type: string, required: true, description: Where.}
      count: {type: integer}
      live: {type: boolean}
      tags: {type: array, items: string}
      at: {type: object, properties: {lat: float, deep: {type: object, properties: {n: integer}}}}
  - {type: native, name: count, handler: "state::increment", params: {key: string}}
  - {type: cli, name: steps, command: sh, args: ["-c", "echo one; echo two"], stream: true}
  - {type: cli, name: fail, command: sh, args: ["-c", "echo because >&2; exit 3"]}
  - {type: cli, name: steer, command: printf, args: ["\\033[31mred"]}
  - {type: cli, name: sleep, command: sleep, args: ["60"]}
`

func callFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "forge.yaml"), []byte(callFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "args.json"), []byte(`{"city":"Oslo","count":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serveFolder serves the folder's file over HTTP.
func serveFolder(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	return serve(t, append([]string{"--config", filepath.Join(dir, "forge.yaml")}, args...)...)
}

// Calls of a file, and of a server that serves it: the same words, the same answers.
func TestCall(t *testing.T) {
	dir := callFolder(t)
	remote := serveFolder(t, dir)
	for _, c := range []struct {
		args   string // between blanks
		stdin  string
		code   int
		stdout string // "": not looked at
		stderr string // a part
	}{
		{"add a=1.5 b=2", "", 0, "3.5\n", ""},
		{"add a=1.5 b=2 --json", "", 0, `"text": "3.5"`, ""},
		{"echo city=Oslo count=3 live=true tags=a,b tags=c at.lat=59.9 at.deep.n=4", "", 0, `{"at":{"deep":{"n":4},"lat":59.9},"city":"Oslo","count":3,"live":true,"tags":["a","b","c"]}`, ""},
		{`echo city=x tags=["a,b"] at={"lat":1}`, "", 0, `{"at":{"lat":1},"city":"x","tags":["a,b"]}`, ""},
		{"echo --args @args.json count=2", "", 0, `{"city":"Oslo","count":2}`, ""},
		{"echo --args - live=false", `{"city":"Bergen"}`, 0, `{"city":"Bergen","live":false}`, ""},
		{`echo --args {"city":"3"}`, "", 0, `{"city":"3"}`, ""},
		{"steps", "", 0, "one\ntwo", "one"}, // streamed as progress
		{"steps -q", "", 0, "one\ntwo", ""},
		{"fail", "", 1, "", "because"},
		{"fail --json", "", 1, `"isError": true`, "fail answered with an error"},
		{"ad a=1", "", 2, "", `there is no tool "ad": did you mean "add"?`},
		{"echo ctiy=x", "", 2, "", `there is no "ctiy": did you mean "city"?`},
		{"add a=one b=2", "", 2, "", `argument a: is a number, not "one"`},
		{"echo", "", 2, "", "argument city is missing: give it as city=STRING (Where.)"},
		{"echo city", "", 2, "", "write city=VALUE"},
		{"echo --args [] city=x", "", 2, "", "not a JSON object"},
		{"echo --args @none.json", "", 2, "", "none.json"},
		{"", "", 2, "", "<tool>"},
		{"add a=1 b=2 --timeout 0s", "", 2, "", "more than 0"},
		{"sleep --timeout 300ms", "", 1, "", "give it longer with --timeout"},
	} {
		for _, target := range []string{"", remote.origin} {
			args := append([]string{"call"}, strings.Fields(c.args)...)
			if target != "" {
				args = append(args, "--url", target)
			} else if c.args == "" {
				continue
			}
			got := shipped(t, map[bool]string{true: dir, false: separate(t, dir)}[target != ""], c.stdin, args...)
			if got.code != c.code || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("%v: %+v, want exit %d, %q and %q", args, got, c.code, c.stdout, c.stderr)
			}
		}
	}
}

// separate is the folder once more, since a server has the state of the first.
func separate(t *testing.T, dir string) string {
	t.Helper()
	other := callFolder(t)
	if other == dir {
		t.Fatal("one folder")
	}
	return other
}

// What the command line says of targets.
func TestCallTargets(t *testing.T) {
	dir := callFolder(t)
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("# mine\n"+testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guarded := serveFolder(t, dir, "--token-file", token)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--url " + guarded.origin + " --token-file token", 0, "3"},
		{"--url " + guarded.origin, 1, "--token-file"},
		{"--url " + guarded.origin + " --token-file none", 2, "none"},
		{"--url localhost:7070", 2, "is not the URL of a server"},
		{"--url http://127.0.0.1:1/", 1, "reaching http://127.0.0.1:1/mcp"},
		{"--url " + guarded.origin + " --config forge.yaml", 2, "exclude each other"},
		{"--config none.yaml", 1, "none.yaml"},
		{"--config forge.yaml --token-file token", 2, "--url"},
		{"--config forge.yaml", 1, "is in use by process"}, // the state that the server has
	} {
		got := shipped(t, dir, "", append([]string{"call", "add", "a=1", "b=2"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
			t.Errorf("%s: %+v, want exit %d and %q", c.args, got, c.code, c.want)
		}
	}
	if got := shipped(t, t.TempDir(), "", "call", "add"); got.code != 2 || !strings.Contains(got.stderr, "no forge.yaml") {
		t.Errorf("in an empty folder: %+v", got)
	}
}

// The state of a file outlives a call, and a call of a file is served as any other.
func TestCallKeepsState(t *testing.T) {
	dir := callFolder(t)
	for i := 1; i <= 2; i++ {
		got := shipped(t, dir, "", "call", "count", "key=n")
		if want := fmt.Sprintf(`{"value":%d}`, i); got.code != 0 || strings.TrimSpace(got.stdout) != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

// What is not text goes into files, and what could steer a terminal is not printed on one.
func TestCallPrints(t *testing.T) {
	picture := []byte("\x89PNG\x00")
	result := fmt.Sprintf(`{"content":[{"type":"text","text":"a\u001b[31mb"},{"type":"image","mimeType":"image/png","data":%q},`+
		`{"type":"resource","resource":{"uri":"x:y","mimeType":"a/b","blob":"AAE="}},{"type":"resource_link","uri":"file:///z","name":"z"}]}`, base64.StdEncoding.EncodeToString(picture))
	peer := answering(t, result)
	dir := t.TempDir()
	got := shipped(t, dir, "", "call", "draw", "--url", peer, "--out", "pic.png")
	if got.code != 0 || got.stdout != "a\x1b[31mb\nfile:///z\n" {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{"pic.png": string(picture), "pic-2.png": "\x00\x01"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	got = shipped(t, dir, "", "call", "draw", "--url", peer)
	if got.code != 0 || !strings.Contains(got.stderr, "image/png, 5 bytes") {
		t.Errorf("without --out: %+v", got)
	}
	if on := onTerminal(t, dir, "call", "draw", "--url", peer); !strings.Contains(on, "a?[31mb") {
		t.Errorf("on a terminal: %q", on)
	}
}

// onTerminal runs the binary on a terminal, and returns what is shown there.
func onTerminal(t *testing.T, dir string, args ...string) string {
	t.Helper()
	script := installed(t, "script")
	line := filepath.Join(binariesDir, "ingot")
	for _, a := range args {
		line += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	cmd := exec.CommandContext(t.Context(), script, "-qec", line, os.DevNull)
	cmd.Dir = dir
	cmd.Env = append(withoutVariables("NO_COLOR", "TERM"), "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	return string(out)
}

// Colours and lines that are rewritten are for a terminal.
func TestTerminal(t *testing.T) {
	dir := callFolder(t)
	tests := "tests: [{tool: add, input: {a: 1, b: 2}, expect: {text: '4'}}]"
	if err := os.WriteFile(filepath.Join(dir, "x.forge-test.yaml"), []byte(tests), 0o600); err != nil {
		t.Fatal(err)
	}
	if plain := shipped(t, dir, "", "test"); plain.code != 1 || strings.Contains(plain.stdout+plain.stderr, "\x1b") {
		t.Errorf("%+v", plain)
	}
	if on := onTerminal(t, dir, "test"); !strings.Contains(on, "\x1b[31mFAIL\x1b[0m") {
		t.Errorf("no colours: %q", on)
	}
	if on := onTerminal(t, dir, "call", "steps"); !strings.Contains(on, "\r\x1b[K") {
		t.Errorf("no line that is rewritten: %q", on)
	}
	var lines strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&lines, `{"key":"k%d"}`+"\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "many.jsonl"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if on := onTerminal(t, dir, "state", "import", "many.jsonl", "--data", "many"); !strings.Contains(on, " entries stored\r") {
		t.Errorf("no progress of an import: %q", on)
	}
	t.Setenv("NO_COLOR", "1")
	cmd := exec.CommandContext(t.Context(), installed(t, "script"), "-qec", filepath.Join(binariesDir, "ingot")+" test", os.DevNull)
	cmd.Dir = dir
	if out, _ := cmd.CombinedOutput(); strings.Contains(string(out), "\x1b[") || !strings.Contains(string(out), "FAIL") {
		t.Errorf("with NO_COLOR: %q", out)
	}
}

// Tests run by the binary: what it prints, JSON, and a report for JUnit.
func TestTestCommand(t *testing.T) {
	dir := callFolder(t)
	tests := `
tests:
  - {tool: add, input: {a: 1, b: 2}, expect: {json: 3}}
  - {name: wrong, tool: echo, input: {city: Oslo}, expect: {json: {city: Bergen}}}
  - {tool: count, input: {key: n}, expect: {json: {value: 1}}}
`
	if err := os.WriteFile(filepath.Join(dir, "a.forge-test.yaml"), []byte(tests), 0o600); err != nil {
		t.Fatal(err)
	}
	got := shipped(t, dir, "", "test", "--junit", "report.xml", "--jobs", "2")
	for _, want := range []string{"ok   add (", "FAIL wrong (", "a.forge-test.yaml:4: tool echo", `-   "city": "Bergen"`, `+   "city": "Oslo"`, "3 tests: 2 passed, 1 failed, in "} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	if got.code != 1 || !strings.Contains(got.stderr, "1 test failed") {
		t.Errorf("%+v", got)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.xml"))
	if err != nil || !strings.Contains(string(report), `tests="3" failures="1"`) || !strings.Contains(string(report), `<failure message="the answer is not what was expected:">`) {
		t.Errorf("%s, %v", report, err)
	}
	var told tally
	got = shipped(t, dir, "", "test", "--json", "--filter", "count")
	if err := json.Unmarshal([]byte(got.stdout), &told); err != nil || got.code != 0 || told.Passed != 1 || told.Failed != 0 || told.Tests[0].Name != "count" {
		t.Errorf("%+v, %v", got, err)
	}
	if got := shipped(t, dir, "", "test", "--filter", "nothing"); got.code != 2 || !strings.Contains(got.stderr, `none of 3 tests has "nothing"`) {
		t.Errorf("%+v", got)
	}
	if got := shipped(t, callFolder(t), "", "test"); got.code != 1 || !strings.Contains(got.stderr, "there are no tests") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("tests have written the file's state: %v", err)
	}
}
