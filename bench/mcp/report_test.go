package main

import (
	"testing"
	"time"

	"github.com/ingot-run/ingot/bench/report"
	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	sorted := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	require.Equal(t, 5, quantile(sorted, 0.5))
	require.Equal(t, 9, quantile(sorted, 0.99))
	require.Equal(t, 7, quantile([]int{7}, 0.99))
}

// The ratio is the median of the rounds' ratios, not the ratio of medians.
func TestRatioIsPerRound(t *testing.T) {
	rate := func(v float64) sample { return sample{small: load{pipelinedPerSec: v}} }
	results := map[string][]sample{
		ours:   {rate(100), rate(10), rate(40)},
		"peer": {rate(50), rate(5), rate(1)},
	}
	figure := func(s sample) float64 { return s.small.pipelinedPerSec }
	require.Equal(t, "2.00x", ratio(server{short: "peer"}, results, figure))
	require.Equal(t, "–", ratio(server{short: ours}, results, figure))
	require.Equal(t, "–", ratio(server{short: "absent"}, results, figure))
}

func TestRenderSectionHoldsEveryServer(t *testing.T) {
	servers := []server{{short: ours, label: "ingot mine", modern: true}, {short: "peer", label: "peer 1.0"}}
	results := map[string][]sample{
		ours:   {{coldMillis: 2, driverMicros: 0.4, small: load{sequentialPerSec: 20, pipelinedPerSec: 30000}, modern: load{pipelinedPerSec: 24000}}},
		"peer": {{coldMillis: 4, endBytes: 14e6, endCalls: 5000, small: load{sequentialPerSec: 10, pipelinedPerSec: 1000}}},
	}
	text := renderSection(report.Machine{CPU: "CPU"}, options{Options: report.Options{Rounds: 1, Phase: time.Second}}, servers, results, []string{"ts-v1: node is not installed"})
	require.Contains(t, text, "| peer 1.0 |  | 10 | 2.00x | – / – | – | 1,000 | 30x | – |\n")
	require.Contains(t, text, "| peer 1.0 | 4.00 | – | 14.0 | 5,000 |\n")
	require.Contains(t, text, "| ingot mine | 24,000 | – | 0.80x | – |\n")
	require.Contains(t, text, "| ingot mine |  | 20 | – |")
	require.Contains(t, text, "Skipped: ts-v1: node is not installed.")
	require.Contains(t, text, "used 0.40 us of CPU")
	require.Contains(t, text, "| modern era against legacy era | at least 0.90x | 0.80x | **missed** |\n")
	require.Contains(t, text, "| p50 of one call at a time, of each peer against ours | at least 4.00x | – | not in this run |\n")
}
