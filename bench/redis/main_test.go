package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The command measures and writes its section.
func TestQuick(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("INGOT_REDIS_REQUIRE") != "1" {
		t.Skip("redis-server is not installed (make tools installs it)")
	}
	out := filepath.Join(t.TempDir(), "out.md")
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--quick", "--out", out}, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d: %s", code, stderr.String())
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bench-redis:start", "| get, bare |", "| get by one, cached |", "a cached get"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the section lacks %q:\n%s", want, text)
		}
	}
}
