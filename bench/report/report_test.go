package report

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	require.Zero(t, Median(nil))
	values := []float64{9, 1, 3}
	require.Equal(t, 3.0, Median(values))
	require.Equal(t, []float64{9, 1, 3}, values, "the caller's order is kept: rounds belong together by index")
	require.Equal(t, 2.0, Median([]float64{9, 1, 3, 1}))
}

// The ratio is the median of the rounds' ratios, not the ratio of medians.
func TestMedianRatioIsPerRound(t *testing.T) {
	ratio, ok := MedianRatio([]float64{100, 10, 40}, []float64{50, 5, 1})
	require.True(t, ok)
	require.Equal(t, 2.0, ratio)
	for _, bad := range [][]float64{nil, {1, 2}, {1, 0, 2}} {
		_, ok = MedianRatio([]float64{1, 2, 3}, bad)
		require.False(t, ok, "%v", bad)
	}
	_, ok = MedianRatio(nil, nil)
	require.False(t, ok)
}

func TestNumbers(t *testing.T) {
	require.Equal(t, "–", Number(0))
	require.Equal(t, "0.51", Number(0.512))
	require.Equal(t, "12.3", Number(12.34))
	require.Equal(t, "1235", Number(1234.6))
	require.Equal(t, "0.47x", Ratio(0.468))
	require.Equal(t, "31x", Ratio(30.6))
	require.Equal(t, "999", Thousands(999))
	require.Equal(t, "1,000", Thousands(1000))
	require.Equal(t, "1,234,567", Thousands(1234567))
}

func TestSplice(t *testing.T) {
	const name = "bench-x"
	path := filepath.Join(t.TempDir(), "docs", "BENCHMARKS.md")
	read := func() string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	first, second := Section(name, "one\n"), Section(name, "two\n")
	require.Equal(t, "<!-- bench-x:start -->\none\n<!-- bench-x:end -->\n", first)

	require.NoError(t, Splice(path, name, first), "a missing file is made")
	require.Equal(t, fileHeader+first, read())

	other := Section("bench-y", "another command's\n")
	require.NoError(t, Splice(path, "bench-y", other))
	require.NoError(t, Splice(path, name, second))
	require.Equal(t, fileHeader+second+"\n"+other, read(), "each command has its own section")
	require.NoError(t, Splice(path, name, second))
	require.Equal(t, fileHeader+second+"\n"+other, read(), "the same section again changes nothing")

	require.NoError(t, os.WriteFile(path, []byte("other text"), 0o644))
	require.NoError(t, Splice(path, name, first))
	require.Equal(t, "other text\n\n"+first, read())

	broken := "text " + endMarker(name) + " text " + startMarker(name)
	require.NoError(t, os.WriteFile(path, []byte(broken), 0o644))
	require.ErrorContains(t, Splice(path, name, first), "put both back")
	require.Equal(t, broken, read(), "a file that is not understood is left alone")
}

func TestTargetTable(t *testing.T) {
	require.Equal(t, `| thing | target | measured | |
|---|---|---|---|
| fast | at most 0.50x | 0.50x | met |
| slow | at most 0.50x | 0.51x | **missed** |
| rare | at most 0.033x | 0.031x | met |
| many | at least 1.30x | 1.29x | **missed** |
| small | at most 125 | 99.0 | met |
| absent | at most 1.00x | – | not in this run |
`, TargetTable("thing", []Target{
		{What: "fast", Bound: 0.5, Measured: 0.5, Known: true},
		{What: "slow", Bound: 0.5, Measured: 0.51, Known: true},
		{What: "rare", Bound: 1. / 30, Measured: 0.0312, Known: true},
		{What: "many", Bound: 1.3, AtLeast: true, Measured: 1.29, Known: true},
		{What: "small", Bound: 125, Format: Number, Measured: 99, Known: true},
		{What: "absent", Bound: 1},
	}))
}
