package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// targets are states that the same commands work on: a directory, that of a forge.yaml,
// and a running server.
func targets(t *testing.T) map[string][]string {
	t.Helper()
	dir := callFolder(t)
	return map[string][]string{
		"directory": {"--data", filepath.Join(t.TempDir(), "new")},
		"file":      {"--config", filepath.Join(dir, "forge.yaml")},
		"server":    {"--url", serve(t).origin},
	}
}

func TestStateKeys(t *testing.T) {
	for name, target := range targets(t) {
		t.Run(name, func(t *testing.T) { checkStateKeys(t, target) })
	}
}

func checkStateKeys(t *testing.T, target []string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bytes"), []byte("\xff\x00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		stdin  string
		code   int
		stdout string // all of it; "*": not looked at
		stderr string // a part
	}{
		{[]string{"set", "greeting", "hello"}, "", 0, "1\n", ""},
		{[]string{"get", "greeting"}, "", 0, "hello", ""},
		{[]string{"get", "greeting", "--json"}, "", 0, `{"key":"greeting","value":"hello","version":1}` + "\n", ""},
		{[]string{"set", "greeting", "hi", "--if-version", "7"}, "", 1, "", `"greeting" is at version 1, not at 7: nothing has changed`},
		{[]string{"set", "greeting", "hi", "--if-version", "0"}, "", 1, "", `asks that it is absent`},
		{[]string{"set", "greeting", "hi", "--if-version", "1", "--json"}, "", 0, `{"stored":true,"version":2}` + "\n", ""},
		{[]string{"set", "new", "x", "--if-version", "0"}, "", 0, "3\n", ""},
		{[]string{"set", "bytes", "--file", "bytes"}, "", 0, "4\n", ""},
		{[]string{"get", "bytes"}, "", 0, "\xff\x00\n", ""},
		{[]string{"get", "bytes", "--json"}, "", 0, `{"key":"bytes","value_base64":"/wAK","version":4}` + "\n", ""},
		{[]string{"set", "in", "--file", "-"}, "from stdin", 0, "5\n", ""},
		{[]string{"set", "empty", ""}, "", 0, "6\n", ""},
		{[]string{"get", "empty"}, "", 0, "", ""},
		{[]string{"set", "brief", "x", "--ttl", "1h"}, "", 0, "7\n", ""},
		{[]string{"list"}, "", 0, "brief\nbytes\nempty\ngreeting\nin\nnew\n", ""},
		{[]string{"list", "b", "--limit", "1"}, "", 0, "brief\n", ""},
		{[]string{"list", "gre", "--json"}, "", 0, `{"key":"greeting","size":2,"version":2}` + "\n", ""},
		{[]string{"list", "brief", "--long"}, "", 0, "*", ""},
		{[]string{"get", "none"}, "", 1, "", `there is no key "none"`},
		{[]string{"delete", "new", "--if-version", "9"}, "", 1, "", `"new" is at version 3, not at 9`},
		{[]string{"delete", "new", "--if-version", "3"}, "", 0, "", ""},
		{[]string{"delete", "in", "new"}, "", 1, "", `there is no key "new"`},
		{[]string{"delete", "empty", "--json"}, "", 0, "*", ""},
		{[]string{"list"}, "", 0, "brief\nbytes\ngreeting\n", ""},
		{[]string{"set", "x"}, "", 2, "", "give the value behind the key"},
		{[]string{"set", "x", "y", "--ttl=-1s"}, "", 2, "", "--ttl is -1s"},
		{[]string{"set", "x", "--file", "nowhere"}, "", 2, "", "nowhere"},
		{[]string{"list", "--limit=-1"}, "", 2, "", "not below 0"},
	} {
		got := shipped(t, dir, c.stdin, append(append([]string{"state"}, c.args...), target...)...)
		if got.code != c.code || c.stdout != "*" && got.stdout != c.stdout || !strings.Contains(got.stderr, c.stderr) {
			t.Errorf("%v: %+v, want exit %d, %q and %q", c.args, got, c.code, c.stdout, c.stderr)
		}
	}
	got := shipped(t, dir, "", append([]string{"state", "export", "--out", "all.jsonl"}, target...)...)
	text, err := os.ReadFile(filepath.Join(dir, "all.jsonl"))
	lines := strings.Split(string(text), "\n")
	if got.code != 0 || err != nil || len(lines) != 4 || !strings.HasPrefix(lines[0], `{"key":"brief","value":"x","version":7,"expires_at":`) || lines[1] != `{"key":"bytes","value_base64":"/wAK","version":4}` {
		t.Errorf("%+v: %q, %v", got, lines, err)
	}
}

// What an export writes, an import reads, whatever the target; and keys and values of all
// bytes come through directories.
func TestStateMoves(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	var lines bytes.Buffer
	for i := range 1200 { // of several pages and batches
		fmt.Fprintf(&lines, `{"key":"k/%04d","value":"v%d"}`+"\n", i, i)
	}
	fmt.Fprintln(&lines, `{"key_base64":"/wA=","value_base64":"AP8="}`)
	fmt.Fprintf(&lines, `{"key":"later","value":"x","expires_at":%d}`+"\n", time.Now().Add(time.Hour).UnixMilli())
	fmt.Fprintln(&lines, `{"key":"over","value":"x","expires_at":1000}`)
	got := shipped(t, t.TempDir(), lines.String(), "state", "import", "--data", from, "--json")
	if got.code != 0 || got.stdout != `{"stored":1202,"expired":1,"lines":1203}`+"\n" {
		t.Fatalf("%+v", got)
	}
	first := shipped(t, "", "", "state", "export", "--data", from)
	to := filepath.Join(t.TempDir(), "to")
	if got := shipped(t, "", first.stdout, "state", "import", "-", "--data", to, "--batch", "7"); got.code != 0 || got.stdout != "1202 entries stored\n" {
		t.Fatalf("%+v", got)
	}
	if second := shipped(t, "", "", "state", "export", "--data", to); versionless(t, second.stdout) != versionless(t, first.stdout) || strings.Count(first.stdout, "\n") != 1202 {
		t.Errorf("%d lines become %d others", strings.Count(first.stdout, "\n"), strings.Count(second.stdout, "\n"))
	}
	server := serve(t)
	text := strings.Join(strings.SplitAfter(first.stdout, "\n")[:1201], "") // without the key that is no text
	if got := shipped(t, "", text, "state", "import", "--url", server.origin); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if again := shipped(t, "", "", "state", "export", "--url", server.origin); versionless(t, again.stdout) != versionless(t, text) {
		t.Errorf("a server makes %d lines of %d", strings.Count(again.stdout, "\n"), strings.Count(text, "\n"))
	}
	if got := shipped(t, "", first.stdout, "state", "import", "--url", server.origin); got.code != 1 || !strings.Contains(got.stderr, "is not UTF-8") {
		t.Errorf("a key that is no text: %+v", got)
	}
}

// versionless are lines without versions, and the ends of entries to the minute: those
// of a server are told to the second.
func versionless(t *testing.T, lines string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(lines) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r.Version = 0
		if r.ExpiresAt != 0 {
			r.ExpiresAt = 1
		}
		if err := writeLine(&out, r); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// A line that is wrong: all batches before it are stored, nothing from it on.
func TestStateImportFaults(t *testing.T) {
	for text, want := range map[string]string{
		`{"key":"c"`:              "line 5 is no entry as ingot state export writes it",
		`{"key":"c","valeu":"x"}`: `unknown field "valeu"`,
		`{"value":"x"}`:           "a key has 1 to 65536 bytes, and this one 0",
		`{"key":"c","value":"x","value_base64":"YQ=="}`: "a text and the same in base64",
		`{"key":"c"} {"key":"d"}`:                       "more than one value",
		`null`:                                          "a key has 1 to 65536 bytes",
		`[1]`:                                           "line 5 is no entry",
		`{"key":"c","value":"` + "\xff" + `"}`:          "it is not UTF-8",
		`{"key":"c","expires_at":9223372036854775807}`: "expires_at is in Unix milliseconds",
		`{"key":"c","expires_at":-1}`:                  "expires_at is in Unix milliseconds",
	} {
		dir := filepath.Join(t.TempDir(), "data")
		lines := `{"key":"a","value":"1"}` + "\n\n" + `{"key":"b","value":"2"}` + "\n" + `{"key":"b2"}` + "\n" + text + "\n" + `{"key":"z","value":"3"}` + "\n"
		got := shipped(t, "", lines, "state", "import", "--data", dir, "--batch", "2")
		if got.code != 1 || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "2 entries of the lines before 4 are stored, and nothing of those from there on") {
			t.Errorf("%s: %+v, want %q", text, got, want)
		}
		if left := shipped(t, "", "", "state", "list", "--data", dir); left.stdout != "a\nb\n" {
			t.Errorf("%s: it left %q", text, left.stdout)
		}
	}
	// A key that comes twice has its last value, as the entries of one batch could not.
	dir := filepath.Join(t.TempDir(), "data")
	if got := shipped(t, "", `{"key":"a","value":"1"}`+"\n"+`{"key":"a","value":"2"}`, "state", "import", "--data", dir); got.code != 0 || got.stdout != "2 entries stored\n" {
		t.Errorf("%+v", got)
	}
	if got := shipped(t, "", "", "state", "get", "a", "--data", dir); got.stdout != "2" {
		t.Errorf("%+v", got)
	}
}

// A directory that is held, one that is not there, and targets that exclude each other.
func TestStateTargets(t *testing.T) {
	held := t.TempDir()
	dir, err := storage.OpenDir(held)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	store, err := engine.Open(engine.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	folder := callFolder(t)
	tools := serveFolder(t, folder)
	memory := filepath.Join(t.TempDir(), "forge.yaml")
	if err := os.WriteFile(memory, []byte("forge: {name: m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"get a --data " + held, 1, fmt.Sprintf("is in use by process %d", os.Getpid())},
		{"get a --data " + held, 1, "--url http://"},
		{"get a --config " + filepath.Join(folder, "forge.yaml"), 1, "--url http://"},
		{"get a --config " + memory, 1, "is in memory"},
		{"get a --data " + filepath.Join(held, "none"), 1, "there is no state in"},
		{"get a --data x --url http://127.0.0.1:1", 2, "exclude each other"},
		{"get a --url " + tools.origin, 1, `the server "called" has no tools state_*`},
		{"watch a", 2, "name the running server with --url"},
		{"watch --url http://127.0.0.1:1", 2, "name keys, or a prefix"},
		{"gett a", 2, `did you mean one of "get", "set"?`},
	} {
		got := shipped(t, "", "", append([]string{"state"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: %+v, want exit %d and %q", c.args, got, c.code, c.want)
		}
	}
}

// Changes of keys, and of keys that begin alike, as they come.
func TestStateWatch(t *testing.T) {
	server := serve(t)
	for _, c := range []struct{ watch, want string }{
		{"greeting other/é", `{"key":"greeting","value":"hello","version":1}|{"key":"other/é","value_base64":"/w==","version":2}|{"key":"greeting","deleted":true}|`},
		{"--prefix new/ --interval 20ms", `{"key":"new/1","value":"x","version":4}|{"key":"new/1","deleted":true}|`},
	} {
		args := append([]string{"state", "watch", "--url", server.origin, "--count", fmt.Sprint(strings.Count(c.want, "|"))}, strings.Fields(c.watch)...)
		cmd := exec.CommandContext(t.Context(), filepath.Join(binariesDir, "ingot"), args...)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stderr).ReadString('\n'); !strings.HasPrefix(line, "watching ") {
			t.Fatalf("%q, %v", line, err)
		}
		lines := bufio.NewReader(stdout)
		var seen strings.Builder
		next := func(tool, arguments string) {
			server.callModern(t, tool, arguments)
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("after %s %s: %v", tool, arguments, err)
			}
			seen.WriteString(strings.TrimSuffix(line, "\n") + "|")
		}
		if strings.HasPrefix(c.watch, "greeting") {
			next("state_set", `{"key":"greeting","value":"hello"}`)
			next("state_set", `{"key":"other/é","value_base64":"/w=="}`)
			next("state_delete", `{"key":"greeting"}`)
		} else {
			next("state_set", `{"key":"new/1","value":"x"}`)
			next("state_delete", `{"key":"new/1"}`)
		}
		rest, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil || seen.String() != c.want || len(rest) > 0 {
			t.Errorf("%s: %v, %s, want %s; then %q", c.watch, err, seen.String(), c.want, rest)
		}
	}
}
