package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// The chart is four panels of bars, drawn in pixels.
const (
	panelWidth  = 480
	barHeight   = 14
	barStep     = 19
	labelWidth  = 235
	barWidthMax = 180
	titleHeight = 58
	panelGap    = 20
)

// chartStyle names the colours of light and dark; an img element follows the
// reader's preference.
const chartStyle = `text{font:12px system-ui,sans-serif;fill:#24292f}
.title{font-weight:600;font-size:13px}.note{fill:#57606a}
rect{fill:#8c959f}.ours{fill:#bc4c00}text.ours{fill:#bc4c00;font-weight:600}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}
rect{fill:#656c76}.ours{fill:#f0883e}text.ours{fill:#f0883e}}`

// panel is one chart.
type panel struct {
	title, note string
	key         string
	// high says that more is better.
	high bool
	// figure turns the result into what is drawn.
	figure func(float64) float64
}

func same(v float64) float64 { return v }

var panels = []panel{
	{title: "get with copy", note: "ns, less is better", key: "copy", figure: same},
	{title: "batch get of 100", note: "ns a key, less is better", key: "batch100", figure: same},
	{title: "set over an existing key", note: "ns, less is better", key: "set", figure: same},
	{title: "90/10 mixed on two threads, zipf", note: "million operations a second, more is better", key: "mixedzipf",
		high: true, figure: func(v float64) float64 { return 1000 / v }},
}

// bar is one row of a panel.
type bar struct {
	label string
	value float64
	ours  bool
}

// drawChart draws the table that the targets are about, or else the first one.
func drawChart(rows []row, found *results, all []table) string {
	t := all[0]
	if slices.Contains(all, at1M) {
		t = at1M
	}
	tallest := 0
	var drawn [][]bar
	for _, p := range panels {
		bars := panelBars(p, t, rows, found)
		drawn = append(drawn, bars)
		tallest = max(tallest, len(bars))
	}
	panelHeight := titleHeight + tallest*barStep + panelGap
	width, height := 2*panelWidth+panelGap, 30+2*panelHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>ingot's engine and its peers, %s</title>\n<style>%s</style>\n", escape(t.String()), chartStyle)
	fmt.Fprintf(&b, `<text x="0" y="18" class="title">%s, keys of 16 to 32 B, medians of one run</text>`+"\n", escape(t.String()))
	for i, p := range panels {
		x, y := i%2*(panelWidth+panelGap), 30+i/2*panelHeight
		drawPanel(&b, p, drawn[i], x, y)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panelBars returns the bars of a panel, the best first.
func panelBars(p panel, t table, rows []row, found *results) []bar {
	var bars []bar
	for _, r := range rows {
		if figure, ok := found.median(cell{t, r.name, p.key}); ok && r.name != "loop" && r.name != oursOrdered {
			bars = append(bars, bar{chartLabel(r), p.figure(figure), r.name == ours})
		}
	}
	slices.SortStableFunc(bars, func(a, b bar) int {
		if p.high {
			a, b = b, a
		}
		return cmp.Compare(a.value, b.value)
	})
	return bars
}

// chartLabel is what fits beside a bar.
func chartLabel(r row) string {
	label := shortLabel(r)
	if r.name == "map" {
		label, _, _ = strings.Cut(label, ",") // what it lacks is in the tables
	}
	return label
}

func drawPanel(b *strings.Builder, p panel, bars []bar, x, y int) {
	fmt.Fprintf(b, `<text x="%d" y="%d" class="title">%s</text>`+"\n", x, y+22, escape(p.title))
	fmt.Fprintf(b, `<text x="%d" y="%d" class="note">%s</text>`+"\n", x, y+40, escape(p.note))
	longest := 0.0
	for _, one := range bars {
		longest = max(longest, one.value)
	}
	for i, one := range bars {
		class := ""
		if one.ours {
			class = ` class="ours"`
		}
		top := y + titleHeight + i*barStep - 6
		length := max(one.value/longest*barWidthMax, 1)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end"%s>%s</text>`, x+labelWidth, top+11, class, escape(one.label))
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2"%s/>`, x+labelWidth+8, top, length, barHeight, class)
		fmt.Fprintf(b, `<text x="%.1f" y="%d"%s>%s</text>`+"\n", float64(x+labelWidth+14)+length, top+11, class, report.Number(one.value))
	}
}

func escape(text string) string {
	var b strings.Builder
	// A strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
