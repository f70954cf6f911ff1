package report

import (
	"fmt"
	"strings"
)

// Target is something that was to be reached, and what became of it.
type Target struct {
	What  string
	Bound float64
	// AtLeast turns the bound round: it is the least, not the most.
	AtLeast bool
	// Format prints the bound and the figure; nil prints them as ratios.
	Format func(float64) string
	// Measured is the figure; Known is false where the run has none.
	Measured float64
	Known    bool
}

// Verdicts of Judge.
const (
	Met      = "met"
	Missed   = "**missed**"
	NotInRun = "not in this run"
)

// Judge returns one of the verdicts.
func (t Target) Judge() string {
	switch {
	case !t.Known:
		return NotInRun
	case t.AtLeast && t.Measured >= t.Bound, !t.AtLeast && t.Measured <= t.Bound:
		return Met
	}
	return Missed
}

// TargetTable returns the Markdown table of targets; what heads its first column.
func TargetTable(what string, targets []Target) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | target | measured | |\n|---|---|---|---|\n", what)
	for _, t := range targets {
		format := t.Format
		if format == nil {
			format = preciseRatio
		}
		bound, measured := "at most ", "–"
		if t.AtLeast {
			bound = "at least "
		}
		if t.Known {
			measured = format(t.Measured)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.What, bound+format(t.Bound), measured, t.Judge())
	}
	return b.String()
}

// preciseRatio keeps a digit more where a ratio is small.
func preciseRatio(v float64) string {
	if v < 0.1 {
		return fmt.Sprintf("%.3fx", v)
	}
	return Ratio(v)
}
