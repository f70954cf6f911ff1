package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// figure is what the rounds said of one benchmark.
type figure struct{ nanos, allocs []float64 }

// figures are those of the benchmarks by their names, as Dispatch/function.
type figures map[string]*figure

// wanted are the benchmarks that the report is made of.
var wanted = []string{
	"Pipelined/bare", "Pipelined/yaml", "Dispatch/handler", "Dispatch/function", "Chain/none", "Chain/full", "Chain/cached", "Open", "Page", "HTTP/bare", "HTTP/tool",
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op(?:.*\s([0-9]+) allocs/op)?`)

// add takes the output of one round; each benchmark has to be in it once.
func (f figures) add(output string) error {
	seen := map[string]bool{}
	for _, m := range benchmarkLine.FindAllStringSubmatch(output, -1) {
		nanos, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return fmt.Errorf("reading %q: %w", m[0], err)
		}
		one := f[m[1]]
		if one == nil {
			one = &figure{}
			f[m[1]] = one
		}
		one.nanos = append(one.nanos, nanos)
		if allocs, err := strconv.ParseFloat(m[3], 64); err == nil {
			one.allocs = append(one.allocs, allocs)
		}
		seen[m[1]] = true
	}
	for _, name := range wanted {
		if !seen[name] {
			return fmt.Errorf("the round has no benchmark %s:\n%s", name, output)
		}
	}
	return nil
}

func (f figures) nanos(name string) float64  { return report.Median(f[name].nanos) }
func (f figures) allocs(name string) float64 { return report.Median(f[name].allocs) }

// added is how much longer a benchmark takes than another of the same round.
func (f figures) added(name, than string) float64 {
	var all []float64
	for i, n := range f[name].nanos {
		all = append(all, n-f[than].nanos[i])
	}
	return report.Median(all)
}

// targets are those of the issue.
func targets(f figures) []report.Target {
	rate := func(what, ours, peer string, bound float64) report.Target {
		v, known := report.MedianRatio(f[peer].nanos, f[ours].nanos) // of calls a second
		return report.Target{What: what, Bound: bound, AtLeast: true, Measured: v, Known: known}
	}
	most := func(what, unit string, v, bound float64) report.Target {
		return report.Target{What: what, Bound: bound, Measured: v, Known: true, Format: func(v float64) string { return fmt.Sprintf("%.3g %s", v, unit) }}
	}
	return []report.Target{
		rate("a Go function named in YAML, of the same on the bare core, pipelined", "Pipelined/yaml", "Pipelined/bare", 0.7),
		most("dispatch in the process, arguments held to their schema", "ns", f.nanos("Dispatch/handler"), 400),
		most("its allocations", "a call", f.allocs("Dispatch/handler"), 2),
		most("full middleware chain, added", "us", f.added("Chain/full", "Chain/none")/1e3, 1.5),
		most("open a file of 1,000 tools: read, check, make", "ms", f.nanos("Open")/1e6, 100),
		most("a page of 1,000 tools", "ms", f.nanos("Page")/1e6, 1),
		rate("an http tool, 64 callers of a local server, of a bare Go client", "HTTP/tool", "HTTP/bare", 0.8),
	}
}

// renderSection writes what was measured.
func renderSection(m report.Machine, o report.Options, f figures) string {
	var b strings.Builder
	b.WriteString("## Forge\n\n" + o.Origin(m) + `
The measures are the Go benchmarks of forge/bench_test.go; each ratio is the median
of the rounds' ratios. Pipelined, all requests are there to be read, and each is
answered with structured content and its text; the bare core decodes the arguments
as the Go type says, the file's tool holds them to their JSON Schema before that. A
dispatch begins with a tool's name and its arguments as JSON, is counted for the
metrics, and ends with a result; with a Go function it decodes the arguments and
encodes the answer besides.

`)
	b.WriteString(report.TargetTable("what", targets(f)))
	b.WriteString("\n| | ns a call | allocations |\n|---|---|---|\n")
	for _, row := range []struct{ what, name string }{
		{"pipelined, bare core", "Pipelined/bare"}, {"pipelined, named in YAML", "Pipelined/yaml"},
		{"dispatch, a handler that answers at once", "Dispatch/handler"}, {"dispatch, a Go function", "Dispatch/function"},
		{"the same, full chain", "Chain/full"}, {"the same, answered by a cache inside of the chain", "Chain/cached"},
		{"64 callers, bare client", "HTTP/bare"}, {"64 callers, http tool", "HTTP/tool"},
	} {
		fmt.Fprintf(&b, "| %s | %s | %.0f |\n", row.what, report.Thousands(f.nanos(row.name)), f.allocs(row.name))
	}
	return report.Section(sectionName, b.String())
}
