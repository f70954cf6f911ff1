package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/internal/redistest"
	"github.com/ingot-run/ingot/state"
)

// manyEntries is a directory with a state of n entries and some strange ones: bytes that are
// no text, an end, an empty value, and what a server keeps for itself.
func manyEntries(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "from")
	m, err := state.Open(state.Options{Path: dir, Sync: "never"})
	if err != nil {
		t.Fatal(err)
	}
	items := []state.Item{
		{Key: "\xff\x00", Value: []byte("\x00\xff")}, {Key: "empty"}, {Key: "ends", Value: []byte("x"), TTL: time.Hour},
		{Key: "\x00ingot/handles/records/x", Value: []byte("a server's own")},
	}
	for i := range n {
		items = append(items, state.Item{Key: fmt.Sprintf("k/%06d", i), Value: []byte(fmt.Sprintf("value %d", i))})
	}
	for len(items) > 0 {
		some := items[:min(len(items), 1000)]
		if _, err := m.SetMany(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		items = items[len(some):]
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// whole is all of a state as text, without versions.
func whole(t *testing.T, target string) string {
	t.Helper()
	got := shipped(t, "", "", "state", "export", "--data", target)
	if got.code != 0 {
		t.Fatalf("%s: %+v", target, got)
	}
	return versionless(t, got.stdout)
}

// migrate runs the command, which answers in JSON.
func migrate(t *testing.T, args ...string) (m migrated) {
	t.Helper()
	got := shipped(t, "", "", append([]string{"state", "migrate", "--json"}, args...)...)
	if got.code != 0 {
		t.Fatalf("migrate %v: %+v", args, got)
	}
	if err := json.Unmarshal([]byte(got.stdout), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// A state goes to another directory, to redis, to a cluster and back, with all that is in
// it.
func TestMigrate(t *testing.T) {
	from := manyEntries(t, 1500)
	want := whole(t, from)
	places := []string{filepath.Join(t.TempDir(), "copy")}
	t.Run("redis", func(t *testing.T) {
		const password = "correct-horse-battery"
		single := redistest.Single(t, "--requirepass", password)
		cluster := redistest.Cluster(t, 3, 0)
		t.Setenv("INGOT_TEST_REDIS", "redis://:"+password+"@"+single.Address)
		places = append([]string{"env:INGOT_TEST_REDIS", cluster.URL()}, places...)
		checkMigrations(t, from, places, want, password)
	})
	if len(places) == 1 { // there is no redis-server
		checkMigrations(t, from, places, want, "")
	}
}

func checkMigrations(t *testing.T, from string, places []string, want, password string) {
	for i, to := range places {
		got := migrate(t, from, to)
		if got.Entries != 1504 || got.Copied != 1504 || got.Resumed || len(got.Hash) != 64 {
			t.Errorf("%s: %+v", to, got)
		}
		if password != "" && strings.Contains(fmt.Sprint(got), password) {
			t.Errorf("the password is shown: %+v", got)
		}
		if i == len(places)-1 {
			if got := whole(t, to); got != want {
				t.Errorf("%d lines become %d", strings.Count(want, "\n"), strings.Count(got, "\n"))
			}
		}
		from = to
	}
	// What a server keeps for itself came along.
	m, err := state.Open(state.Options{Path: places[len(places)-1]})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e, err := m.Get(t.Context(), "\x00ingot/handles/records/x")
	if err != nil || string(e.Value) != "a server's own" {
		t.Errorf("%q, %v", e.Value, err)
	}
	page, err := m.List(t.Context(), state.ListOptions{Prefix: "\x00ingot/migrate/"})
	if err != nil || len(page.Entries) > 0 {
		t.Errorf("the mark stays: %v, %v", page, err)
	}
}

// A target with entries is refused but with --merge, which replaces those of the same
// keys; a dry run changes nothing; what is wrong is said before anything is done.
func TestMigrateRefuses(t *testing.T) {
	from, to := manyEntries(t, 10), filepath.Join(t.TempDir(), "to")
	if got := shipped(t, "", "", "state", "migrate", from, to, "--dry-run"); got.code != 0 || !strings.Contains(got.stdout, "14 entries of") || !strings.Contains(got.stdout, "Nothing was changed") {
		t.Errorf("%+v", got)
	}
	if got := shipped(t, "", "", "state", "list", "--data", to); !strings.Contains(got.stderr, "there is no state") {
		t.Errorf("a dry run made it: %+v", got)
	}
	for _, key := range []string{"other", "k/000003"} {
		if got := shipped(t, "", "", "state", "set", key, "mine", "--data", to); got.code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{from, to}, 1, "is not empty"},
		{[]string{from, to, "--dry-run"}, 1, "is not empty"},
		{[]string{from, "file:" + from}, 2, "there is nothing to migrate"},
		{[]string{filepath.Join(t.TempDir(), "none"), to}, 1, "there is no state in"},
		{[]string{from, "env:INGOT_TEST_NOTHING"}, 2, "INGOT_TEST_NOTHING is empty"},
		{[]string{from, "redis://127.0.0.1:1"}, 1, "127.0.0.1:1"},
		{[]string{from, "nothing://x"}, 1, "scheme"},
		{[]string{from, to, "--batch", "0"}, 2, "--batch is from 1"},
	} {
		got := shipped(t, "", "", append([]string{"state", "migrate"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%v: %+v, want exit %d and %q", c.args, got, c.code, c.want)
		}
	}
	if got := migrate(t, from, to, "--merge"); got.Copied != 14 || got.Entries != 14 {
		t.Errorf("%+v", got)
	}
	for key, want := range map[string]string{"other": "mine", "k/000003": "value 3"} {
		if got := shipped(t, "", "", "state", "get", key, "--data", to); got.stdout != want {
			t.Errorf("%s: %+v, want %q", key, got, want)
		}
	}
}

// A migration that is killed again and again goes on where it was, and ends with the
// whole state.
func TestMigrateIsKilled(t *testing.T) {
	targets := map[string]func(t *testing.T) string{
		"directory": func(t *testing.T) string { return filepath.Join(t.TempDir(), "to") },
		"redis":     func(t *testing.T) string { return redistest.Single(t).URL() },
	}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			to := target(t)
			for entries := 1000; ; entries *= 2 {
				from := manyEntries(t, entries)
				if !killOften(t, from, to) {
					if entries > 16_000 {
						t.Fatal("a migration is never killed before it is done")
					}
					to = target(t) // it was done before the signal came: once more, with more to do
					continue
				}
				got := migrate(t, from, to)
				if !got.Resumed || got.Copied >= got.Entries || got.Entries != int64(entries+4) {
					t.Errorf("%+v", got)
				}
				if whole(t, to) != whole(t, from) {
					t.Error("the copy is another state")
				}
				return
			}
		})
	}
}

// killOften starts a migration some times and kills it as soon as it tells of progress;
// false when it was done before.
func killOften(t *testing.T, from, to string) bool {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(binariesDir, "ingot"), "state", "migrate", from, to, "--batch", "1")
		progress, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(progress).ReadString('\n')
		if !strings.Contains(line, "entries copied") {
			t.Logf("the first line is %q", line)
		}
		if err := cmd.Process.Kill(); err != nil {
			return false
		}
		if err := cmd.Wait(); err == nil {
			return false
		}
	}
	return true
}

// A target that holds a part of one state does not take another one, and the whole of an
// encrypted directory goes into one that is not, or is under another key.
func TestMigrateOfAnother(t *testing.T) {
	first, second, to := manyEntries(t, 5), manyEntries(t, 6), filepath.Join(t.TempDir(), "to")
	m, err := state.Open(state.Options{Path: to})
	if err != nil {
		t.Fatal(err)
	}
	marks, err := state.System(m, migrateSpace)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(mark{From: first, Cursor: "k/000001"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := marks.Set(t.Context(), markKey, text, state.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	got := shipped(t, "", "", "state", "migrate", second, to)
	if got.code != 1 || !strings.Contains(got.stderr, "holds a part of "+first) {
		t.Errorf("%+v", got)
	}
	// Entries before the cursor are missing, as if somebody had removed them: that shows.
	got = shipped(t, "", "", "state", "migrate", first, to)
	if got.code != 1 || !strings.Contains(got.stderr, "differ") || !strings.Contains(got.stderr, `"empty" is missing`) {
		t.Errorf("%+v", got)
	}

	key, err := seal.ParseKey("7:" + strings.Repeat("0a", 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed := filepath.Join(t.TempDir(), "sealed")
	o := state.Options{Path: sealed, Encryption: seal.AES256GCM(key)}
	if m, err = state.Open(o); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Set(t.Context(), "k", []byte("v"), state.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INGOT_KEY", "7:"+strings.Repeat("0a", 32))
	if got := migrate(t, sealed, filepath.Join(t.TempDir(), "copy")); got.Entries != 1 {
		t.Errorf("%+v", got)
	}
	if bytes.Contains([]byte(fmt.Sprint(got)), []byte("0a0a")) {
		t.Error("the key is shown")
	}
}

// The commands of keys take redis in the place of a directory, by the environment, and
// show no password.
func TestStateKeysOnRedis(t *testing.T) {
	const password = "correct-horse-battery"
	server := redistest.Single(t, "--requirepass", password)
	t.Setenv("INGOT_DATA", "redis://:"+password+"@"+server.Address+"/0")
	for _, c := range []struct {
		args   []string
		code   int
		stdout string
	}{
		{[]string{"set", "greeting", "hello", "--if-version", "0"}, 0, ""},
		{[]string{"set", "greeting", "hi", "--if-version", "1"}, 1, ""},
		{[]string{"get", "greeting"}, 0, "hello"},
		{[]string{"list"}, 0, "greeting\n"},
		{[]string{"delete", "greeting"}, 0, ""},
		{[]string{"get", "greeting"}, 1, ""},
	} {
		got := shipped(t, "", "", append([]string{"state"}, c.args...)...)
		if got.code != c.code || c.stdout != "" && got.stdout != c.stdout || strings.Contains(got.stderr, password) {
			t.Errorf("%v: %+v, want exit %d and %q", c.args, got, c.code, c.stdout)
		}
	}
	lines := `{"key":"a","value":"1"}` + "\n" + `{"key":"b","value":"2"}` + "\n"
	if got := shipped(t, "", lines, "state", "import"); got.code != 0 || got.stdout != "2 entries stored\n" {
		t.Errorf("%+v", got)
	}
	if got := shipped(t, "", "", "state", "list", "--key-file", filepath.Join(server.Dir, "redis.log")); got.code != 2 || !strings.Contains(got.stderr, "--key-file is for a directory") {
		t.Errorf("%+v", got)
	}
	server.Kill()
	got := shipped(t, "", "", "state", "get", "a")
	if got.code != 1 || !strings.Contains(got.stderr, server.Address) || strings.Contains(got.stderr, password) {
		t.Errorf("%+v", got)
	}
}
