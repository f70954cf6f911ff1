package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/bench/report"
	"github.com/ingot-run/ingot/bench/worker"
)

// TestWorkersAgree builds every worker that this machine can build, in Go only with
// -short. All make the same keys out of the same numbers, and every store gives
// back what the others give back.
func TestWorkersAgree(t *testing.T) {
	var only []string
	if testing.Short() {
		only = []string{ours}
	}
	work := t.TempDir()
	root, err := report.Root()
	require.NoError(t, err)
	rows, skipped, err := buildRows(t.Context(), filepath.Join(root, "bench"), work, only, io.Discard)
	require.NoError(t, err)
	for _, line := range skipped {
		t.Log("skipped:", line)
	}
	require.Equal(t, ours, rows[0].name)
	require.Equal(t, "loop", rows[len(rows)-1].name)
	for _, r := range rows {
		require.NotContains(t, r.label, "unknown version", r.name)
		// What Go, Rust and C++ gave when the workload was written: a change of
		// the generator makes earlier figures incomparable.
		require.Equal(t, "ok sum=3877690968303553146", ask(t, r, "keys 10000"), r.name)
	}

	found := newResults()
	o := options{Options: report.Options{Rounds: 2}, effort: 0.005}
	small := table{keys: 700, valueBytes: 48}
	require.NoError(t, measureTable(t.Context(), small, rows, o, work, found, io.Discard))
	for _, r := range rows {
		if r.name != "haxmap" { // it is known to lose entries when two goroutines write
			require.Empty(t, found.wrong[r.name], r.name)
		}
		require.Len(t, found.figures[cell{small, r.name, "copy"}], 2, r.name)
		require.Equal(t, !r.oneThread, len(found.figures[cell{small, r.name, "mixedzipf"}]) == 2, r.name)
	}
}

func ask(t *testing.T, r row, line string) string {
	t.Helper()
	w, err := worker.Start(t.Context(), r.command)
	require.NoError(t, err)
	answer, err := w.Ask(line)
	require.NoError(t, err)
	require.NoError(t, w.Quit())
	return answer
}

// One process at a time gives the same figures to the report as all together.
func TestAlone(t *testing.T) {
	work := t.TempDir()
	root, err := report.Root()
	require.NoError(t, err)
	path, err := buildGo(t.Context(), filepath.Join(root, "bench"), work)
	require.NoError(t, err)
	rows, err := listRows(t.Context(), path)
	require.NoError(t, err)
	rows, err = choose(rows, []string{ours, oursOrdered, "xsync"})
	require.NoError(t, err)
	small := table{keys: 300, valueBytes: 16}
	zipf, err := writeZipf(work, small.keys)
	require.NoError(t, err)
	m := &measuring{ctx: t.Context(), table: small, rows: rows, options: options{Options: report.Options{Rounds: 3}, effort: 0.001}, zipf: zipf, found: newResults(), stdout: io.Discard}
	require.NoError(t, m.alone())
	m.found.compareSums(small, rows, 3)
	require.Empty(t, m.found.wrong)
	for _, op := range operations {
		for _, r := range rows {
			want := 3
			if op.large || op.key == "inplace" || op.key == "get" && r.name != "xsync" {
				want = 0
			}
			require.Len(t, m.found.figures[cell{small, r.name, op.key}], want, "%s %s", r.name, op.key)
		}
	}
}

func TestRunWritesReportAndChart(t *testing.T) {
	out := filepath.Join(t.TempDir(), "B.md")
	require.NoError(t, os.WriteFile(out, []byte("# Before\n"), 0o644))
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--quick", "--impl", "map,syncmap", "--out", out}, &stdout, &stderr), stderr.String())
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "# Before\n\n<!-- bench-engine:start -->\n## Engine\n"))
	for _, want := range []string{"quick run", "\n| **ingot** |", "\n| sync.Map |", "| not in this run |", "### Where ingot is behind"} {
		require.Contains(t, string(text), want)
	}
	require.NotContains(t, string(text), "xsync 4")
	chart, err := os.ReadFile(filepath.Join(filepath.Dir(out), "bench-engine.svg"))
	require.NoError(t, err)
	require.Contains(t, string(chart), ">sync.Map</text>")
	requireWellFormed(t, string(chart))
}

func requireWellFormed(t *testing.T, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else {
			require.NoError(t, err)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"--sizes", "1k,64k,1000", "--values", "64", "--full", "--impl", "xsync"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []int{1000, 64_000, 10_000_000}, o.sizes)
	require.Equal(t, []string{"xsync", ours, oursOrdered}, o.only)

	o, err = parseOptions(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []table{{1000, 64}, {1000, 1024}, {1_000_000, 64}, {1_000_000, 1024}}, tables(o))
	o.sizes = append(o.sizes, 10_000_000)
	require.Equal(t, at10M, tables(o)[4], "10M keys with short values only")
	require.Len(t, tables(o), 5)

	for _, bad := range [][]string{
		{"--sizes", "0"}, {"--sizes", "1x"}, {"--sizes", ""}, {"--sizes", "200M"}, {"--sizes", "99999999999999M"},
		{"--values", "8"}, {"--rounds", "0"}, {"stray"}, {"--no-such"},
	} {
		_, err := parseOptions(bad, io.Discard)
		require.Error(t, err, "%v", bad)
	}
	_, err = choose([]row{{name: ours}}, []string{"nobody"})
	require.ErrorContains(t, err, `no row "nobody" here; there are ingot`)
}
