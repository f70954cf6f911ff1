package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-mcp"

// describeMachine describes the machine and its Node.
func describeMachine(ctx context.Context) report.Machine {
	m := report.DescribeMachine()
	node := "no Node"
	if out, err := exec.CommandContext(ctx, "node", "--version").Output(); err == nil {
		node = "Node " + strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	}
	m.System += ", " + node
	return m
}

// renderSection returns the Markdown of the section, markers included.
func renderSection(m report.Machine, o options, servers []server, results map[string][]sample, skipped []string) string {
	var b strings.Builder
	b.WriteString("## MCP servers over stdio\n\n" + o.Origin(m))
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
	b.WriteString("\n" + report.TargetTable("what", targets(servers, results)))
	legacyTable(&b, "32-byte payload, "+legacyVersion, servers, results, func(s sample) load { return s.small })
	legacyTable(&b, "8-KiB payload, "+legacyVersion, servers, results, func(s sample) load { return s.large })
	modernTable(&b, servers, results)
	processTable(&b, servers, results)
	if driver := column(results[ours], func(s sample) float64 { return s.driverMicros }); driver > 0 {
		fmt.Fprintf(&b, "\nThe measuring program itself used %.2f us of CPU per pipelined 32-byte call against ingot's echo.\n", driver)
	}
	for _, line := range skipped {
		fmt.Fprintf(&b, "\nSkipped: %s.\n", line)
	}
	return report.Section(sectionName, b.String())
}

func legacyTable(b *strings.Builder, title string, servers []server, results map[string][]sample, of func(sample) load) {
	fmt.Fprintf(b, "\n### %s\n\n| server | arguments | one at a time, calls/s | ours | p50 / p99 us | p50, of ours | %d in flight, calls/s | ours | CPU us/call |\n|%s\n",
		title, windowSize, strings.Repeat("---|", 9))
	for _, s := range servers {
		samples := results[s.short]
		rate := func(l load) float64 { return l.sequentialPerSec }
		pipelined := func(l load) float64 { return l.pipelinedPerSec }
		p50 := func(l load) float64 { return l.p50Micros }
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s / %s | %s | %s | %s | %s |\n",
			s.label, s.checks,
			report.Thousands(column(samples, on(of, rate))), ratio(s, results, on(of, rate)),
			report.Number(column(samples, on(of, p50))),
			report.Number(column(samples, on(of, func(l load) float64 { return l.p99Micros }))),
			inverse(s, results, on(of, p50)),
			report.Thousands(column(samples, on(of, pipelined))), ratio(s, results, on(of, pipelined)),
			report.Number(column(samples, on(of, func(l load) float64 { return l.cpuMicros }))))
	}
}

// processTable is about the processes as such.
func processTable(b *strings.Builder, servers []server, results map[string][]sample) {
	fmt.Fprintf(b, "\n### Cold start and memory\n\nFrom the start of the process to the answer to its first call; resident memory\nafter that call, and after as many 32-byte calls as the last column says, %d in\nflight.\n\n| server | cold start ms | MB after one call | MB after many | calls |\n|---|---|---|---|---|\n", windowSize)
	for _, s := range servers {
		samples := results[s.short]
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", s.label,
			report.Number(column(samples, func(s sample) float64 { return s.coldMillis })),
			report.Number(column(samples, func(s sample) float64 { return float64(s.idleBytes) / 1e6 })),
			report.Number(column(samples, func(s sample) float64 { return float64(s.endBytes) / 1e6 })),
			report.Thousands(column(samples, func(s sample) float64 { return float64(s.endCalls) })))
	}
}

func modernTable(b *strings.Builder, servers []server, results map[string][]sample) {
	fmt.Fprintf(b, "\n### 32-byte payload, %s\n\n| server | %d in flight, calls/s | ours | of its own %s | CPU us/call |\n|---|---|---|---|---|\n", modernVersion, windowSize, legacyVersion)
	modern := func(s sample) load { return s.modern }
	pipelined := on(modern, func(l load) float64 { return l.pipelinedPerSec })
	for _, s := range servers {
		if !s.modern {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", s.label,
			report.Thousands(column(results[s.short], pipelined)), ratio(s, results, pipelined), eras(results[s.short]),
			report.Number(column(results[s.short], on(modern, func(l load) float64 { return l.cpuMicros }))))
	}
}

func on(of func(sample) load, field func(load) float64) func(sample) float64 {
	return func(s sample) float64 { return field(of(s)) }
}

// column is the median of one figure over the rounds; 0 without rounds.
func column(samples []sample, figure func(sample) float64) float64 {
	return report.Median(figures(samples, figure))
}

func figures(samples []sample, figure func(sample) float64) []float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, figure(s))
	}
	return values
}

// eras is the median over the rounds of the modern rate divided by the legacy one.
func eras(samples []sample) string {
	v, ok := report.MedianRatio(
		figures(samples, func(s sample) float64 { return s.modern.pipelinedPerSec }),
		figures(samples, func(s sample) float64 { return s.small.pipelinedPerSec }))
	if !ok {
		return "–"
	}
	return report.Ratio(v)
}

// inverse is the median over the rounds of s divided by ours: of times, how many
// times ours is ahead.
func inverse(s server, results map[string][]sample, figure func(sample) float64) string {
	v, ok := report.MedianRatio(figures(results[s.short], figure), figures(results[ours], figure))
	if s.short == ours || !ok {
		return "–"
	}
	return report.Ratio(v)
}

// ratio is the median over the rounds of ours divided by s.
func ratio(s server, results map[string][]sample, figure func(sample) float64) string {
	v, ok := report.MedianRatio(figures(results[ours], figure), figures(results[s.short], figure))
	if s.short == ours || !ok {
		return "–"
	}
	return report.Ratio(v)
}
