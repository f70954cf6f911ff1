package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRotateKey(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data, older, newer := filepath.Join(dir, "data"), filepath.Join(dir, "1.key"), filepath.Join(dir, "2.key")
	for i, file := range []string{older, newer} {
		if err := os.WriteFile(file, []byte(fmt.Sprintf("%d:%064x", i+1, i+77)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lines, `{"key":"k/%04d","value":"%0200d"}`+"\n", i, i)
	}
	entries := filepath.Join(dir, "entries.jsonl")
	if err := os.WriteFile(entries, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runWith(t, "state", "import", entries, "--data", data, "--key-file", older); code != 0 {
		t.Fatal(stderr)
	}
	rotate := []string{"state", "rotate-key", data, "--key-file", older, "--new-key-file", newer}
	whole := func(what string, keys ...string) {
		t.Helper()
		args := []string{"state", "verify", data, "--json"}
		for _, k := range keys {
			args = append(args, "--key-file", k)
		}
		if code, stdout, stderr := runWith(t, args...); code != 0 || !strings.Contains(stdout, `"entries":3000`) {
			t.Fatalf("%s: exit %d, %s %s", what, code, stdout, stderr)
		}
	}
	// It is killed at whatever it does, and nothing is lost.
	for i := range 12 {
		cmd := exec.Command(filepath.Join(binariesDir, "ingot"), rotate...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killed := time.AfterFunc(time.Duration(i*4)*time.Millisecond, func() { cmd.Process.Kill() })
		_ = cmd.Wait() // killed, or done
		killed.Stop()
		whole(fmt.Sprint("killed, attempt ", i), newer, older)
	}
	if code, stdout, stderr := runWith(t, rotate...); code != 0 || !strings.Contains(stdout, "3000 entries") || !strings.Contains(stdout, "under the new key alone") {
		t.Fatalf("exit %d, %s %s", code, stdout, stderr)
	}
	whole("rotated", newer)
	if code, stdout, stderr := runWith(t, "state", "get", "k/0001", "--data", data, "--key-file", older); code == 0 || !strings.Contains(stderr, "encrypted with key 2") {
		t.Errorf("the old key opens it: exit %d, %s %s", code, stdout, stderr)
	}
	t.Setenv("INGOT_KEY", "")
	for want, args := range map[string][]string{
		"which key is the state under": {"state", "rotate-key", data, "--new-key-file", newer},
		"stands in another file too":   {"state", "rotate-key", data, "--key-file", newer, "--new-key-file", newer},
		"is empty":                     {"state", "rotate-key", t.TempDir(), "--key-file", older, "--new-key-file", newer},
	} {
		if code, _, stderr := runWith(t, args...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d, %s; want %s", args, code, stderr, want)
		}
	}
}
