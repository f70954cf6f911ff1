// Package report writes what the bench commands find into docs/BENCHMARKS.md.
//
// Options are the options that all commands have: they parse them, say where figures
// come from (Origin) and put the section into the file (Publish). Splice does so
// without touching the others' sections; Section wraps one in its markers. Median,
// Number, Ratio and Thousands make the figures, DescribeMachine the line that says
// where they come from, Root finds the repository.
//
//	o := report.Options{Name: "bench-mcp", Rounds: 5}
//	if err := o.Parse(o.Flags(), os.Args[1:], os.Stderr); err != nil {
//		return report.Exit(o.Name, err, os.Stderr)
//	}
//	err := o.Publish(report.Section(o.Name, "## MCP\n\n"+o.Origin(report.DescribeMachine())), os.Stdout)
//
// # Caveats
//
// Splice reads and writes the whole file; two commands that end in the same
// moment can lose one of the sections.
package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// fileHeader opens docs/BENCHMARKS.md when a command is the first to write it.
const fileHeader = `# Benchmarks

Every table here is made by one command, which stands above it, and each
command rewrites its own section. The machines are shared and noisy: **only
ratios within one run mean anything**, below about 1.3x they mean little, and
absolute figures from two runs must not be compared.

`

func startMarker(name string) string { return "<!-- " + name + ":start -->" }
func endMarker(name string) string   { return "<!-- " + name + ":end -->" }

// Section returns body between the two markers of name, as Splice wants it.
func Section(name, body string) string {
	return startMarker(name) + "\n" + body + endMarker(name) + "\n"
}

// Splice puts section, which Section made with the same name, into the file at
// path: in place of the one that is there, else at the end. A missing file is
// made with its header. A file whose markers are not a pair is left alone and
// gives an error.
func Splice(path, name, section string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		old = []byte(fileHeader)
	} else if err != nil {
		return err
	}
	text, err := replace(string(old), name, section)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func replace(text, name, section string) (string, error) {
	start, end := strings.Index(text, startMarker(name)), strings.Index(text, endMarker(name))
	switch {
	case start < 0 && end < 0:
		if text != "" && !strings.HasSuffix(text, "\n\n") {
			text = strings.TrimRight(text, "\n") + "\n\n"
		}
		return text + section, nil
	case start < 0 || end < start:
		return "", fmt.Errorf("want the marker %s and after it %s: put both back, or remove both", startMarker(name), endMarker(name))
	}
	after := strings.TrimPrefix(text[end+len(endMarker(name)):], "\n")
	return text[:start] + section + after, nil
}

// Machine says where figures come from.
type Machine struct {
	CPU    string // as the system names it
	System string // cores, operating system, architecture and Go version
}

// DescribeMachine describes the machine it runs on.
func DescribeMachine() Machine {
	m := Machine{CPU: "unknown CPU"}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	m.System = fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return m
}

// Root walks up from the working directory to the repository's root, which is
// the directory that holds bench/go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "bench", "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module github.com/ingot-run/ingot/bench") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no repository root found: run this inside the ingot repository")
		}
		dir = parent
	}
}

// Median returns the middle of values (the mean of the middle two), 0 without
// any. It leaves values as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// MedianRatio is the median of a[i]/b[i]: what two things measured in the same
// rounds have to do with each other. It reports false where the rounds are not
// the same number, there are none, or b holds a 0.
func MedianRatio(a, b []float64) (float64, bool) {
	if len(a) == 0 || len(a) != len(b) || slices.Contains(b, 0) {
		return 0, false
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return Median(ratios), true
}

// Number prints three significant figures at most; 0 (not known) is a dash.
func Number(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// Ratio prints the v of "v times".
func Ratio(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2fx", v)
	}
	return fmt.Sprintf("%.0fx", v)
}

// Thousands prints v without fraction, a comma before each three digits.
func Thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
