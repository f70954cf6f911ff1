package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/bench/report"
)

// round is what the benchmarks print, with one that takes so long.
func round(slow string, nanos float64) string {
	out := "goos: linux\n"
	for _, name := range wanted {
		n := 1000.0
		if name == slow {
			n = nanos
		}
		out += fmt.Sprintf("Benchmark%s-2 \t 100\t %.1f ns/op\t 5 B/op\t 3 allocs/op\n", name, n)
	}
	return out + "PASS\n"
}

func TestFigures(t *testing.T) {
	f := figures{}
	for _, nanos := range []float64{2000, 4000, 3000} {
		if err := f.add(round("Pipelined/yaml", nanos)); err != nil {
			t.Fatal(err)
		}
	}
	if f.nanos("Pipelined/yaml") != 3000 || f.allocs("Open") != 3 || f.added("Pipelined/yaml", "Open") != 2000 {
		t.Errorf("medians %v, %v", f.nanos("Pipelined/yaml"), f.allocs("Open"))
	}
	if err := f.add("PASS\n"); err == nil || !strings.Contains(err.Error(), "Pipelined/bare") {
		t.Errorf("a round without benchmarks: %v", err)
	}
	verdicts := map[string]string{}
	for _, target := range targets(f) {
		verdicts[target.What] = target.Judge()
	}
	if got := verdicts["a Go function named in YAML, of the same on the bare core, pipelined"]; got != report.Missed {
		t.Errorf("a third of the bare core's speed is %s", got)
	}
	if got := verdicts["a page of 1,000 tools"]; got != report.Met {
		t.Errorf("a page in a microsecond is %s", got)
	}
	section := renderSection(report.Machine{}, report.Options{Name: sectionName}, f)
	for _, want := range []string{"| at least 0.70x | 0.33x | **missed** |", "| pipelined, named in YAML | 3,000 | 3 |"} {
		if !strings.Contains(section, want) {
			t.Errorf("no %q in\n%s", want, section)
		}
	}
}
