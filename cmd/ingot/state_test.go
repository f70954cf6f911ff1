package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// stored is a directory with a closed store of n entries, in two segments.
func stored(t *testing.T, n int) string {
	t.Helper()
	path := t.TempDir()
	for half := range 2 {
		dir, err := storage.OpenDir(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := engine.Open(engine.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for i := half * n / 2; i < (half+1)*n/2; i++ {
			if _, err := s.Set(fmt.Sprintf("key-%03d", i), fmt.Appendf(nil, "value \xff %d", i)[half*6:], engine.SetOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := dir.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// damage flips a byte in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask runs a command with --json and returns its exit code and answer.
func ask(t *testing.T, args ...string) (code int, answer map[string]any) {
	t.Helper()
	code, stdout, stderr := runWith(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatalf("%v: exit %d, %q is no JSON: %v; stderr: %s", args, code, stdout, err, stderr)
	}
	return code, answer
}

func TestStateOfAWholeDirectory(t *testing.T) {
	dir := stored(t, 20)
	if code, v := ask(t, "state", "verify", dir); code != 0 || v["entries"] != 20.0 || v["clean"] != true {
		t.Errorf("verify: exit %d, %v", code, v)
	}
	if code, v := ask(t, "state", "repair", "--yes", dir); code != 0 || v["repaired"] != false {
		t.Errorf("repair: exit %d, %v", code, v)
	}
	if code, v := ask(t, "state", "compact", dir); code != 0 || v["entries"] != 20.0 {
		t.Errorf("compact: exit %d, %v", code, v)
	}
	code, stdout, stderr := runWith(t, "state", "dump", dir)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 0 || len(lines) != 20 {
		t.Fatalf("dump: exit %d, %d lines; stderr: %s", code, len(lines), stderr)
	}
	if want := `{"key":"key-000","value_base64":"dmFsdWUg/yAw","version":1}`; lines[0] != want {
		t.Errorf("dump: %s, want %s", lines[0], want)
	}
	if want := `{"key":"key-019","value_base64":"/yAxOQ==","version":20}`; lines[19] != want {
		t.Errorf("dump: %s, want %s", lines[19], want)
	}
}

func TestStateOfADamagedDirectory(t *testing.T) {
	dir := stored(t, 20)
	damage(t, filepath.Join(dir, "log-0000000000000001.ingot"))
	code, stdout, stderr := runWith(t, "state", "verify", dir)
	if code != 1 || !strings.Contains(stdout, "damaged: log-0000000000000001.ingot at byte ") || !strings.Contains(stderr, "ingot state repair") {
		t.Errorf("verify: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, _, stderr = runWith(t, "state", "compact", dir)
	if code != 1 || !strings.Contains(stderr, "log-0000000000000001.ingot is damaged at byte") {
		t.Errorf("compact: exit %d, stderr %q", code, stderr)
	}
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, _ = runWith(t, "state", "repair", dir)
	after, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 || !strings.Contains(stdout, "Nothing was changed") || len(before) != len(after) {
		t.Errorf("repair without --yes: exit %d, stdout %q, %d files of %d", code, stdout, len(after), len(before))
	}
	if code, v := ask(t, "state", "repair", "--yes", dir); code != 0 || v["repaired"] != true || v["entries"] != 19.0 {
		t.Errorf("repair: exit %d, %v", code, v)
	}
	if code, v := ask(t, "state", "verify", dir); code != 0 || v["entries"] != 19.0 {
		t.Errorf("verify: exit %d, %v", code, v)
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.damaged"))
	if err != nil || len(old) != 2 {
		t.Errorf("the old files are %v, %v", old, err)
	}
}

func TestStateWithAKey(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("7:"+strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := stored(t, 4)
	if code, v := ask(t, "state", "compact", "--key-file", key, dir); code != 0 || v["entries"] != 4.0 {
		t.Errorf("compact: exit %d, %v", code, v)
	}
	code, _, stderr := runWith(t, "state", "verify", dir)
	if code != 1 || !strings.Contains(stderr, "encrypted with key 7") {
		t.Errorf("verify without the key: exit %d, stderr %q", code, stderr)
	}
	if code, v := ask(t, "state", "verify", "--key-file", key, dir); code != 0 || v["entries"] != 4.0 {
		t.Errorf("verify: exit %d, %v", code, v)
	}
	newer := filepath.Join(t.TempDir(), "newer")
	if err := os.WriteFile(newer, []byte("8:"+strings.Repeat("cd", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, v := ask(t, "state", "compact", "--key-file", newer, "--key-file", key, dir); code != 0 || v["entries"] != 4.0 {
		t.Errorf("rotating the key: exit %d, %v", code, v)
	}
	if code, v := ask(t, "state", "verify", "--key-file", newer, dir); code != 0 || v["entries"] != 4.0 {
		t.Errorf("verify with the newer key alone: exit %d, %v", code, v)
	}
	if code, _, stderr := runWith(t, "state", "verify", "--key-file", key, dir); code != 1 || !strings.Contains(stderr, "encrypted with key 8") {
		t.Errorf("verify with the older key: exit %d, stderr %q", code, stderr)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.ingot"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("value")) || bytes.Contains(b, []byte("key-0")) {
			t.Errorf("%s holds plain text", path)
		}
	}
}
