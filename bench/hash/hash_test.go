package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/bench/report"
)

// TestMain makes this binary its own worker.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{"worker"}) {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A whole run: measure fails where two implementations of XXH3 differ, so that the
// Go and the C generator are held equal, too.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "B.md")
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--quick", "--out", out}, nil, &stdout, &stderr), stderr.String())
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, want := range []string{
		"<!-- bench-hash:start -->\n## Hash\n", "quick run", "\n| ingot, generic |", "\n| ingot Batch, generic |",
		"\n| zeebo/xxh3 |", "\n| cespare/xxhash (XXH64) |", "\n| hash/maphash |", "\n| GB/s | 240 B | 1 KB | 64 KB | 1 MB |\n",
		"| one hash of 1 MB | at most 1.00x |", "### Where ingot is behind", "<!-- bench-hash:end -->",
	} {
		require.Contains(t, string(text), want)
	}
	// The C row is there, or the reason why not.
	require.NotEqual(t, strings.Contains(string(text), "XXH3 in C, inlined"), strings.Contains(string(text), "Skipped: the reference XXH3 in C"))
}

func TestBadArguments(t *testing.T) {
	for _, bad := range [][]string{{"--rounds", "0"}, {"stray"}, {"--no-such"}} {
		var stderr bytes.Buffer
		require.Equal(t, 1, run(t.Context(), bad, nil, &bytes.Buffer{}, &stderr))
		require.NotEmpty(t, stderr.String())
	}
}

func TestWorkerRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "what", "one", "one ours", "one nobody 8 1", "one ours 0 1", "one ours 2000000 1",
		"batch", "batch batch 0 5 1", "batch batch 6 5 1", "batch batch 1 65 1", "batch nobody 4 8 1",
	} {
		_, err := answerLine(bad)
		require.Error(t, err, bad)
	}
}

func TestInputs(t *testing.T) {
	for _, length := range lengths {
		list := inputs(length)
		require.Len(t, list, min(max(arenaBytes/length, 1), inputsMax))
		for _, input := range list {
			require.Len(t, input, length)
		}
		if length >= 8 && len(list) > 1 {
			require.NotEqual(t, list[0], list[1])
		}
	}
	for _, c := range classes {
		list, seen := keys(c), make(map[int]bool)
		require.Len(t, list, batches)
		for _, batch := range list {
			require.Len(t, batch, batchKeys)
			for _, key := range batch {
				seen[len(key)] = true
			}
		}
		require.Len(t, seen, c.high-c.low+1, "all lengths of %v", c)
		require.True(t, seen[c.low] && seen[c.high])
	}
}

func TestSectionJudgesTheBackendThatRuns(t *testing.T) {
	rows := []row{
		{label: "ingot, generic", backend: "generic"}, {label: "ingot Batch, generic", backend: "generic", batch: true},
		{label: "ingot, avx2", backend: "avx2"}, {label: "ingot Batch, avx2", backend: "avx2", batch: true},
		{label: zeebo}, {label: "maphash"},
	}
	require.Equal(t, "avx2", best(rows))
	found := make(results)
	for _, r := range rows {
		for _, w := range everything() {
			if !r.batch || w.length == 0 {
				found[cell{r.label, w}] = []float64{10, 10, 10}
			}
		}
	}
	found[cell{"ingot, avx2", work{length: 8}}] = []float64{12, 11, 30}
	found[cell{"ingot, avx2", work{length: 1 << 20}}] = []float64{1 << 18, 1 << 19, 1 << 19}
	found[cell{"ingot Batch, avx2", work{class: oneClass}}] = []float64{6, 7, 6}
	found[cell{"maphash", work{class: oneClass}}] = []float64{5, 5, 5}
	text := renderSection(report.Machine{CPU: "a CPU"}, options{Options: report.Options{Rounds: 3}}, rows, found, []string{"C: no gcc"})
	for _, want := range []string{
		"| batch of 100 keys of 17 to 32 B, AVX-512 | at most 0.50x | – | not in this run |\n",
		"| batch of 100 keys of 17 to 32 B, AVX2 | at most 0.65x | 0.60x | met |\n",
		"| one hash of 8 B | at most 1.00x | 1.20x | **missed** |\n",
		"| one hash of 1 KB | at most 1.00x | 1.00x | met |\n",
		"| ingot, avx2 | 10.0 | 10.0 | 12.0 |",
		"| ingot, avx2 | 24.0 | 102 | 6554 | 2.00 |\n",
		"- 8 B: ingot, generic 0.83x; zeebo/xxh3 0.83x; maphash 0.83x\n",
		"- batches of keys of 17 to 32 B: maphash 0.83x\n",
		"\nSkipped: C: no gcc.\n",
	} {
		require.Contains(t, text, want)
	}
}
