package main

import (
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// render is the section of docs/BENCHMARKS.md.
func render(m report.Machine, o report.Options, f *figures) string {
	var b strings.Builder
	b.WriteString("## Scale\n\n" + o.Origin(m))
	b.WriteString(`
What a server costs as what it holds grows, in processor time of its process (user and
system) over streamable HTTP, sixteen calls at once. docs/SCALE.md says what follows.
Memory is what one more takes, resident, against the row above it.

`)
	table(&b, "keys of 64 B", "state_get", f.keys, "", nil)
	table(&b, "tools in a forge.yaml", "call", f.tools, "ms of processor until it serves", func(p point) string { return report.Number(p.extra) })
	table(&b, "open sessions", "state_exists", f.sessions, "", nil)
	table(&b, "listeners to one key", "state_set of that key", f.listeners, "events a second", func(p point) string { return report.Thousands(p.extra) })
	b.WriteString("### Several servers on one Redis\n\n")
	b.WriteString("Three reads to a write, over 10,000 keys, round robin. The model takes the costs of one\nserver for those of all; all processes share the cores of this machine.\n\n")
	b.WriteString("| servers | µs of the servers, a call | µs of Redis | µs of the caller | calls a second | model | measured of model |\n|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(&b, "| 1, with its own state | %s | – | %s | %s | | |\n", report.Number(f.embedded.server), report.Number(f.embedded.client), report.Thousands(f.embedded.perSecond))
	for _, p := range f.servers {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s |\n", p.servers, report.Number(p.cost.server), report.Number(p.cost.redis), report.Number(p.cost.client),
			report.Thousands(p.cost.perSecond), report.Thousands(p.predicted), report.Ratio(p.cost.perSecond/p.predicted))
	}
	if len(f.servers) > 0 && f.servers[0].cost.redis > 0 { // a short run counts no tick of Redis
		one := f.servers[0].cost
		fmt.Fprintf(&b, "\nA core of servers makes %s calls a second on Redis, and %s with a state of its own. One\nRedis, which runs commands on one core, carries %s: it is what %s cores of servers keep busy.\n",
			report.Thousands(1e6/one.server), report.Thousands(1e6/f.embedded.server), report.Thousands(1e6/one.redis), report.Number(one.server/one.redis))
	}
	return report.Section(sectionName, b.String())
}

// table is one measure: a row for each size.
func table(b *strings.Builder, what, call string, points []point, extra string, cell func(point) string) {
	fmt.Fprintf(b, "| %s | bytes for each | µs, %s |", what, call)
	if cell != nil {
		fmt.Fprintf(b, " %s |", extra)
	}
	b.WriteString("\n|---|---|---|")
	if cell != nil {
		b.WriteString("---|")
	}
	b.WriteString("\n")
	for _, p := range points {
		fmt.Fprintf(b, "| %s | %s | %s |", report.Thousands(float64(p.size)), bytesText(p.bytes), report.Number(p.cost.server))
		if cell != nil {
			fmt.Fprintf(b, " %s |", cell(p))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// bytesText is a dash where nothing was measured, or less than what else goes on.
func bytesText(v float64) string {
	if v <= 0 {
		return "–"
	}
	return report.Thousands(v)
}
