package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMedianAndQuantile(t *testing.T) {
	require.Zero(t, median(nil))
	require.Equal(t, 3.0, median([]float64{9, 1, 3}))
	require.Equal(t, 2.0, median([]float64{9, 1, 3, 1}))
	sorted := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	require.Equal(t, 5, quantile(sorted, 0.5))
	require.Equal(t, 9, quantile(sorted, 0.99))
	require.Equal(t, 7, quantile([]int{7}, 0.99))
}

func TestNumbers(t *testing.T) {
	require.Equal(t, "–", number(0))
	require.Equal(t, "0.51", number(0.512))
	require.Equal(t, "12.3", number(12.34))
	require.Equal(t, "1235", number(1234.6))
	require.Equal(t, "999", thousands(999))
	require.Equal(t, "1,000", thousands(1000))
	require.Equal(t, "1,234,567", thousands(1234567))
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

func TestSpliceSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docs", "BENCHMARKS.md")
	read := func() string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	first, second := sectionStart+"\none\n"+sectionEnd+"\n", sectionStart+"\ntwo\n"+sectionEnd+"\n"

	require.NoError(t, spliceSection(path, first), "a missing file is made")
	require.Equal(t, fileHeader+first, read())

	require.NoError(t, os.WriteFile(path, []byte("before\n\n"+first+"\nafter\n"), 0o644))
	require.NoError(t, spliceSection(path, second))
	require.Equal(t, "before\n\n"+second+"\nafter\n", read())

	require.NoError(t, os.WriteFile(path, []byte("other section"), 0o644))
	require.NoError(t, spliceSection(path, first))
	require.Equal(t, "other section\n\n"+first, read())

	broken := "text " + sectionEnd + " text " + sectionStart
	require.NoError(t, os.WriteFile(path, []byte(broken), 0o644))
	require.ErrorContains(t, spliceSection(path, first), "put both back")
	require.Equal(t, broken, read(), "a file that is not understood is left alone")
}

func TestRenderSectionHoldsEveryServer(t *testing.T) {
	servers := []server{{short: ours, label: "mine", modern: true}, {short: "peer", label: "peer 1.0"}}
	results := map[string][]sample{
		ours:   {{coldMillis: 2, driverMicros: 0.4, small: load{sequentialPerSec: 20, pipelinedPerSec: 30000}}},
		"peer": {{coldMillis: 4, small: load{sequentialPerSec: 10, pipelinedPerSec: 1000}}},
	}
	text := renderSection(machine{cpu: "CPU"}, options{rounds: 1, phase: time.Second}, servers, results, []string{"ts-v1: node is not installed"})
	require.Contains(t, text, "| peer 1.0 |  | 10 | 2.00x | – / – | 1,000 | 30x | – | 4.00 | – / – |\n")
	require.Contains(t, text, "| mine |  | 20 | – |")
	require.Contains(t, text, "Skipped: ts-v1: node is not installed.")
	require.Contains(t, text, "used 0.40 us of CPU")
	replaced, err := replaceSection("x\n\n"+text, text)
	require.NoError(t, err)
	require.Equal(t, "x\n\n"+text, replaced, "rewriting a section with itself changes nothing")
}
