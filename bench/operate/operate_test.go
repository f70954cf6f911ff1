package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/bench/report"
)

func TestRender(t *testing.T) {
	all := variants("http://127.0.0.1:1")
	for i := range all {
		all[i].rates = []float64{1000, 2000, 4000}
	}
	all[2].rates = []float64{900, 1600, 4000}
	all[4].rates = []float64{500, 1000, 2000}
	text := render(report.Machine{}, report.Options{Name: sectionName, Rounds: 3}, all)
	for _, want := range []string{
		"| metrics and traces | at least 0.85x | 0.90x | met |", "| a record, group commit | at least 0.80x | 0.50x | **missed** |",
		"| nothing | 2,000 | 1.00x |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

// The whole command, shortened, writes its section.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the server and runs six of them")
	}
	out := filepath.Join(t.TempDir(), "out.md")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--quick", "--phase", "100ms", "--out", out}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d: %s%s", code, &stdout, &stderr)
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), "| watched by |") {
		t.Errorf("%v: %s", err, text)
	}
}
