package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/bench/report"
)

// Every row keeps what it was given, also with many writers, and finds it again.
func TestRowsStore(t *testing.T) {
	for _, row := range rows {
		for _, durable := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/durable=%v", row.name, durable), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "store")
				s, err := row.open(dir, durable)
				require.NoError(t, err)
				var wg sync.WaitGroup
				for w := range 4 {
					wg.Go(func() {
						for i := w; i < 40; i += 4 {
							require.NoError(t, s.Set(keyOf(nil, uint64(i)), value))
						}
					})
				}
				wg.Wait()
				require.NoError(t, s.Close())
				s, err = row.open(dir, durable)
				require.NoError(t, err)
				for i := range 40 {
					got, err := s.Get(keyOf(nil, uint64(i)), nil)
					require.NoError(t, err)
					require.Equal(t, value, got)
				}
				_, err = s.Get(keyOf(nil, 1000), nil)
				require.Error(t, err)
				require.NoError(t, s.Close())
			})
		}
	}
}

func TestTargets(t *testing.T) {
	r := &results{figures: map[cell][]float64{}, overheadBytes: 6, amplification: 3}
	for _, row := range rows {
		for _, kind := range []string{kindOne, kindMany, kindNever, kindGet, kindOpen} {
			r.add(row.name, kind, 1e-3)
		}
	}
	r.add(bareLoop, kindOne, 0.95e-3)
	verdicts := map[string]string{}
	for _, target := range r.targets() {
		verdicts[target.What] = target.Judge()
	}
	require.Equal(t, report.Met, verdicts["durable set, 1 writer, against a bare write + fdatasync"])
	require.Equal(t, report.Missed, verdicts["durable set, 64 writers, against pebble"])
	require.Equal(t, report.Met, verdicts["open 1M keys"])
	require.Equal(t, report.NotInRun, verdicts["open, time against reading the file and building a Go map"])
	require.Equal(t, report.Met, verdicts["bytes on disk for an entry after compaction, beside key and value"])
	require.Equal(t, report.Missed, verdicts["bytes written for each byte set, overwriting"])
	text := renderSection(report.Machine{CPU: "a CPU"}, options{Options: report.Options{Rounds: 1}}, r)
	require.Contains(t, text, "| sqlite | 1,000 | 1,000 | 1,000 | 1000 | 1.00 |")
}

// The measurement of stalls compacts a store under writes, and its figures are shown.
func TestStalls(t *testing.T) {
	r := &results{figures: map[cell][]float64{}}
	require.NoError(t, r.measureStalls(t.TempDir(), 20_000))
	for _, row := range []string{rowCompacting, rowQuiet, rowLooking} {
		require.Len(t, r.figures[cell{row, kindStall}], stallsInARound, row)
		require.Contains(t, r.stallTable(), "| "+row+" |")
	}
}

func TestOnly(t *testing.T) {
	var stdout, stderr strings.Builder
	require.Equal(t, 1, run(t.Context(), []string{"--only", "everything"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "stalls")
	require.Zero(t, run(t.Context(), []string{"--quick", "--only", kindStalls, "--dir", t.TempDir()}, &stdout, &stderr), &stderr)
	require.Contains(t, stdout.String(), rowCompacting)
	require.NotContains(t, stdout.String(), "written to")
}
