package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// A server goes on writing while it sends backups; what it acknowledged before is in them.
func TestBackupOfARunningServer(t *testing.T) {
	dir, folder := filepath.Join(t.TempDir(), "state"), t.TempDir()
	token := fileOf(t, "token", testToken, 0o600)
	s := serve(t, "--memory=false", "--data", dir, "--backup", "--token-file", token)
	write := func(from, to int) {
		for i := from; i < to; i++ {
			s.post(t, map[string]string{"Authorization": "Bearer " + testToken, "MCP-Protocol-Version": "2025-06-18"},
				fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"k%03d","value":"v"}}}`, i))
		}
	}
	set := func(key, value string) {
		if _, stderr, code := runBinary(t, nil, "state", "set", key, value, "--url", s.origin, "--token-file", token); code != 0 {
			t.Fatal(stderr)
		}
	}
	set("acknowledged", "before")
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			write(n, n+1)
		}
		written <- n
	}()
	first, second := filepath.Join(folder, "1"), filepath.Join(folder, "2")
	backupOf := func(out string, more ...string) {
		stdout, stderr, code := runBinary(t, nil, append([]string{"state", "backup", out, "--url", s.origin, "--token-file", token}, more...)...)
		if code != 0 {
			t.Fatal(stdout, stderr)
		}
	}
	backupOf(first)
	set("acknowledged", "between")
	backupOf(second, "--since", first)
	stop()
	<-written

	if _, stderr, code := runBinary(t, nil, "state", "backup", filepath.Join(folder, "3"), "--url", s.origin); code != 1 || !strings.Contains(stderr, "401") {
		t.Errorf("without a token: exit %d, %s", code, stderr)
	}
	if _, stderr, code := runBinary(t, nil, "state", "backup", filepath.Join(folder, "3"), "--data", dir); code != 1 || !strings.Contains(stderr, "--url") {
		t.Errorf("of a directory in use: exit %d, %s", code, stderr)
	}
	for files, want := range map[string]string{first: "before", first + " " + second: "between"} {
		to := filepath.Join(t.TempDir(), "to")
		if stdout, stderr, code := runBinary(t, nil, append([]string{"state", "restore", "--data", to}, strings.Fields(files)...)...); code != 0 {
			t.Fatal(stdout, stderr)
		}
		if stdout, stderr, _ := runBinary(t, nil, "state", "get", "acknowledged", "--data", to); !strings.Contains(stdout, want) {
			t.Errorf("%s: %s %s, want %s", files, stdout, stderr, want)
		}
	}
	plain := serve(t)
	if _, stderr, code := runBinary(t, nil, "state", "backup", filepath.Join(folder, "4"), "--url", plain.origin); code != 1 || !strings.Contains(stderr, "--backup") {
		t.Errorf("of a server that offers none: exit %d, %s", code, stderr)
	}
}

// A snapshot, of a directory or of a running server, sealed or not, is what every build
// opens; it becomes a directory again, with the versions and the ends of its entries.
func TestSnapshotForEveryBuild(t *testing.T) {
	folder := t.TempDir()
	dir, key := filepath.Join(folder, "sealed"), fileOf(t, "key", "7:"+strings.Repeat("ab", 32), 0o600)
	run := func(code int, args ...string) string {
		t.Helper()
		stdout, stderr, got := runBinary(t, nil, append([]string{"state"}, args...)...)
		if got != code {
			t.Fatalf("%v: exit %d, %s%s", args, got, stdout, stderr)
		}
		return stdout + stderr
	}
	run(0, "set", "a", "1", "--data", dir, "--key-file", key)
	run(0, "set", "a", "2", "--data", dir, "--key-file", key)
	run(0, "set", "ends", "x", "--ttl", "1h", "--data", dir, "--key-file", key)
	before := run(0, "export", "--data", dir, "--key-file", key)

	local := filepath.Join(folder, "local.ingot-snapshot")
	if said := run(0, "backup", local, "--snapshot", "--data", dir, "--key-file", key); !strings.Contains(said, "a snapshot of 2 entries, not encrypted") {
		t.Error(said)
	}
	token := fileOf(t, "token", testToken, 0o600)
	s := serve(t, "--memory=false", "--data", dir, "--key-file", key, "--backup", "--token-file", token)
	served := filepath.Join(folder, "served.ingot-snapshot")
	if said := run(0, "backup", served, "--snapshot", "--json", "--url", s.origin, "--token-file", token, "--key-file", key); !strings.Contains(said, `"snapshot":true`) {
		t.Error(said)
	}
	for _, file := range []string{local, served} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		store, err := engine.Open(engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Restore(bytes.NewReader(text)); err != nil {
			t.Errorf("%s is no snapshot of the engine: %v", file, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		to := file + ".dir"
		run(0, "restore", file, "--check")
		run(0, "restore", file, "--data", to)
		if after := run(0, "export", "--data", to); after != before {
			t.Errorf("%s becomes %s, want %s", file, after, before)
		}
		damaged := fileOf(t, "damaged", string(text[:len(text)-3])+"???", 0o600)
		if said := run(1, "restore", damaged, "--data", to+"2"); !strings.Contains(said, "not a usable snapshot") {
			t.Error(said)
		}
		if _, err := os.Stat(to + "2"); err == nil {
			t.Error("a damaged snapshot left a directory")
		}
	}
	whole := filepath.Join(folder, "whole.backup")
	run(0, "backup", whole, "--data", local+".dir")
	if said := run(1, "restore", whole, local, "--check"); !strings.Contains(said, "restore it alone") {
		t.Error(said)
	}
	if said := run(2, "backup", whole+"2", "--snapshot", "--since", whole, "--data", dir); !strings.Contains(said, "does not go with --since") {
		t.Error(said)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".*unfinished")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Backups and restores that are killed at any time leave nothing that is taken for whole.
func TestKilledBackupAndRestore(t *testing.T) {
	dir := stored(t, 3000)
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	whole := filepath.Join(folder, "whole")
	began := time.Now()
	if _, stderr, code := runBinary(t, nil, "state", "backup", whole, "--data", dir); code != 0 {
		t.Fatal(stderr)
	}
	took := time.Since(began)
	target := filepath.Join(folder, "target")
	if _, stderr, code := runBinary(t, nil, "state", "set", "old", "value", "--data", target); code != 0 {
		t.Fatal(stderr)
	}
	cut, complete := 0, 0
	for i := range 12 { // from its beginning to some time after what it takes here
		after := took * time.Duration(i) / 8
		out := filepath.Join(folder, fmt.Sprintf("backup-%d", i))
		killed(t, after, "state", "backup", out, "--data", dir)
		if _, err := os.Stat(out); err == nil {
			complete++
			if _, stderr, code := runBinary(t, nil, "state", "restore", "--check", out); code != 0 {
				t.Errorf("a backup with its name is whole: %s", stderr)
			}
		} else {
			cut++
		}
		killed(t, after, "state", "restore", whole, "--data", target, "--force")
		code, v := ask(t, "state", "verify", target)
		if n := v["entries"]; code != 0 || n != 1.0 && n != 3000.0 {
			t.Fatalf("the target has neither the old nor the new contents: exit %d, %v", code, v)
		}
	}
	t.Logf("%d backups were cut off, %d were complete", cut, complete)
}

// killed runs a command and kills it after a time, unless it has ended.
func killed(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(binariesDir, "ingot"), args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait() // whether it ended or was killed is seen by what is there
}

func TestRestoreRefuses(t *testing.T) {
	dir := stored(t, 50)
	out := filepath.Join(t.TempDir(), "b")
	code, v := ask(t, "state", "backup", out, "--data", dir)
	if code != 0 || v["full"] != true || v["version"] != 50.0 {
		t.Fatalf("exit %d, %v", code, v)
	}
	if code, _, stderr := runWith(t, "state", "backup", out, "--data", dir); code != 1 || !strings.Contains(stderr, "there already") {
		t.Errorf("over a backup: exit %d, %s", code, stderr)
	}
	if code, _, stderr := runWith(t, "state", "restore", out, "--data", dir); code != 1 || !strings.Contains(stderr, "not empty") {
		t.Errorf("over a state: exit %d, %s", code, stderr)
	}
	if code, v := ask(t, "state", "restore", out, "--data", dir, "--force"); code != 0 || v["entries"] != 50.0 || v["replaced"] == nil {
		t.Errorf("with --force: exit %d, %v", code, v)
	}
	damage(t, out)
	for _, more := range [][]string{{"--check"}, {"--data", filepath.Join(t.TempDir(), "x")}} {
		if code, _, stderr := runWith(t, append([]string{"state", "restore", out}, more...)...); code != 1 || !strings.Contains(stderr, "at byte") {
			t.Errorf("of what is damaged: exit %d, %s", code, stderr)
		}
	}
	for _, more := range [][]string{{"--backup-scope", "x"}, {"--backup", "--backup-scope", "x"}, {"--backup", "--access", out}} {
		if code, _, stderr := runWith(t, append([]string{"serve", "--memory", "--listen", "127.0.0.1:0"}, more...)...); code != 2 {
			t.Errorf("%v: exit %d, %s", more, code, stderr)
		}
	}
}
