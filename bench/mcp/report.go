package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	sectionStart = "<!-- bench-mcp:start -->"
	sectionEnd   = "<!-- bench-mcp:end -->"

	// fileHeader opens docs/BENCHMARKS.md when this command is the first to write it.
	fileHeader = `# Benchmarks

Every table here is made by one command, which stands above it, and each
command rewrites its own section. The machines are shared and noisy: **only
ratios within one run mean anything**, below about 1.3x they mean little, and
absolute figures from two runs must not be compared.

`
)

type machine struct{ cpu, goVersion, node string }

func describeMachine(ctx context.Context) machine {
	m := machine{cpu: "unknown CPU", goVersion: runtime.Version(), node: "no Node"}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	if out, err := exec.CommandContext(ctx, "node", "--version").Output(); err == nil {
		m.node = "Node " + strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	}
	return m
}

// renderSection returns the Markdown between, and with, the two markers.
func renderSection(m machine, o options, servers []server, results map[string][]sample, skipped []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n## MCP servers over stdio\n\n`make bench-mcp`\n\n", sectionStart)
	fmt.Fprintf(&b, "%s, %d cores, %s/%s, %s, %s; %s; medians of %d interleaved rounds, %v per measure.\n",
		m.cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, m.goVersion, m.node,
		time.Now().UTC().Format(time.DateOnly), o.rounds, o.phase)
	b.WriteString(`
Each server answers a tool call with the text it was sent; every answer is
checked for its id and its payload. "ours" is how many times ingot's echo is
ahead of that row (median of the per-round ratios). "Arguments" says what the
server does with them before the handler's answer: "schema" is a validation
against the tool's JSON Schema, the others decode or look up the one argument
and refuse a missing or mistyped one. The ` + "`state_get`" + ` row does more than an
echo: it looks a key up in the store and answers with structured content and
its text.
`)
	legacyTable(&b, "32-byte payload, "+legacyVersion, servers, results, true, func(s sample) load { return s.small })
	legacyTable(&b, "8-KiB payload, "+legacyVersion, servers, results, false, func(s sample) load { return s.large })
	modernTable(&b, servers, results)
	if driver := column(results[ours], func(s sample) float64 { return s.driverMicros }); driver > 0 {
		fmt.Fprintf(&b, "\nThe measuring program itself used %.2f us of CPU per pipelined 32-byte call against ingot's echo.\n", driver)
	}
	for _, line := range skipped {
		fmt.Fprintf(&b, "\nSkipped: %s.\n", line)
	}
	b.WriteString(sectionEnd + "\n")
	return b.String()
}

func legacyTable(b *strings.Builder, title string, servers []server, results map[string][]sample, process bool, of func(sample) load) {
	fmt.Fprintf(b, "\n### %s\n\n| server | arguments | one at a time, calls/s | ours | p50 / p99 us | %d in flight, calls/s | ours | CPU us/call |", title, windowSize)
	columns := 8
	if process {
		b.WriteString(" cold start ms | MB idle / after |")
		columns += 2
	}
	b.WriteString("\n|" + strings.Repeat("---|", columns) + "\n")
	for _, s := range servers {
		samples := results[s.short]
		rate := func(l load) float64 { return l.sequentialPerSec }
		pipelined := func(l load) float64 { return l.pipelinedPerSec }
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s / %s | %s | %s | %s |",
			s.label, s.checks,
			thousands(column(samples, on(of, rate))), ratio(s, results, on(of, rate)),
			number(column(samples, on(of, func(l load) float64 { return l.p50Micros }))),
			number(column(samples, on(of, func(l load) float64 { return l.p99Micros }))),
			thousands(column(samples, on(of, pipelined))), ratio(s, results, on(of, pipelined)),
			number(column(samples, on(of, func(l load) float64 { return l.cpuMicros }))))
		if process {
			fmt.Fprintf(b, " %s | %s / %s |",
				number(column(samples, func(s sample) float64 { return s.coldMillis })),
				number(column(samples, func(s sample) float64 { return float64(s.idleBytes) / 1e6 })),
				number(column(samples, func(s sample) float64 { return float64(s.endBytes) / 1e6 })))
		}
		b.WriteString("\n")
	}
}

func modernTable(b *strings.Builder, servers []server, results map[string][]sample) {
	fmt.Fprintf(b, "\n### 32-byte payload, %s\n\n| server | %d in flight, calls/s | ours | CPU us/call |\n|---|---|---|---|\n", modernVersion, windowSize)
	modern := func(s sample) load { return s.modern }
	pipelined := on(modern, func(l load) float64 { return l.pipelinedPerSec })
	for _, s := range servers {
		if !s.modern {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", s.label,
			thousands(column(results[s.short], pipelined)), ratio(s, results, pipelined),
			number(column(results[s.short], on(modern, func(l load) float64 { return l.cpuMicros }))))
	}
}

func on(of func(sample) load, field func(load) float64) func(sample) float64 {
	return func(s sample) float64 { return field(of(s)) }
}

// column is the median of one figure over the rounds; 0 without rounds.
func column(samples []sample, figure func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, figure(s))
	}
	return median(values)
}

// ratio is the median over the rounds of ours divided by s.
func ratio(s server, results map[string][]sample, figure func(sample) float64) string {
	mine, theirs := results[ours], results[s.short]
	if s.short == ours || len(mine) != len(theirs) {
		return "–"
	}
	var values []float64
	for i := range theirs {
		if figure(theirs[i]) == 0 {
			return "–"
		}
		values = append(values, figure(mine[i])/figure(theirs[i]))
	}
	if m := median(values); m < 10 {
		return fmt.Sprintf("%.2fx", m)
	} else {
		return fmt.Sprintf("%.0fx", m)
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// number prints three significant figures at most; 0 (not known) is a dash.
func number(v float64) string {
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

func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// spliceSection puts the section into the file, in place of the one that is
// there, else at the end. A missing file is made with its header.
func spliceSection(path, section string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		old = []byte(fileHeader)
	} else if err != nil {
		return err
	}
	text, err := replaceSection(string(old), section)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func replaceSection(text, section string) (string, error) {
	start, end := strings.Index(text, sectionStart), strings.Index(text, sectionEnd)
	switch {
	case start < 0 && end < 0:
		if text != "" && !strings.HasSuffix(text, "\n\n") {
			text = strings.TrimRight(text, "\n") + "\n\n"
		}
		return text + section, nil
	case start < 0 || end < start:
		return "", fmt.Errorf("want the marker %s and after it %s: put both back, or remove both", sectionStart, sectionEnd)
	}
	after := strings.TrimPrefix(text[end+len(sectionEnd):], "\n")
	return text[:start] + section + after, nil
}
