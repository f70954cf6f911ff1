package main

import (
	"strings"
	"testing"

	"github.com/ingot-run/ingot/bench/report"
)

// Targets compare rows of one era, and say nothing of what was not measured.
func TestRender(t *testing.T) {
	rows := []row{
		{label: labelOurs, rates: []float64{300, 330}, idle: idle{sessions: 42e6, streams: 90e6, again: 43e6}},
		{label: labelOurs + ", 2026-07-28", rates: []float64{400, 400}, modern: true},
		{label: labelGoSDK, rates: []float64{100, 100}, problem: "go-sdk: opening a stream: EOF"},
		{label: "mcp-go, 2026-07-28", rates: []float64{320, 320}, modern: true},
	}
	text := render(options{Options: report.Options{Rounds: 2}, idle: 10_000}, rows)
	for _, want := range []string{
		"| calls/s against go-sdk | at least 3.00x | 3.15x | met |",
		"| calls/s against any peer | at least 1.50x | 1.25x | **missed** |",
		"| 10,000 idle sessions, MB | at most 100 | 42.0 | met |",
		"| " + labelOurs + " | 42.0 | 90.0 | 43.0 |",
		"| " + labelGoSDK + " | – | – | – |",
		"go-sdk: opening a stream: EOF.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	text = render(options{Options: report.Options{Rounds: 2}}, rows)
	if strings.Contains(text, "open stream") || !strings.Contains(text, "| 10,000 idle sessions, MB | at most 100 | – | not in this run |") {
		t.Errorf("without idle sessions:\n%s", text)
	}
}
