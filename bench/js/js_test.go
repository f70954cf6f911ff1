package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/bench/report"
)

// written is what bench-peers.mjs writes, with ingot's gets as given and all else 100 ns.
func written(t *testing.T, gets ...float64) []byte {
	flat := []float64{100, 100, 100}
	each := func(names ...string) map[string][]float64 {
		times := map[string][]float64{}
		for _, name := range names {
			times[name] = flat
		}
		return times
	}
	all := map[string]any{
		"node": "v22.0.0", "keys": 10_000, "valueBytes": 64, "many": 100, "rounds": len(flat),
		"leftOut": []map[string]string{{"name": "better-sqlite3", "reason": "no binary"}},
		"nanos": map[string]any{
			"get":  each("Map", "copying Map", "lmdb", "classic-level", "keyv", "sql.js"),
			"set":  each("ingot", "Map", "copying Map", "lmdb", "classic-level", "keyv", "sql.js"),
			"many": each("ingot", "lmdb"),
		},
	}
	all["nanos"].(map[string]any)["get"].(map[string][]float64)["ingot"] = gets
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return text
}

func TestTargets(t *testing.T) {
	m, err := parse(written(t, 200, 160, 140))
	require.NoError(t, err)
	verdicts := map[string]string{}
	for _, target := range targets(m) {
		verdicts[target.What] = target.Judge()
	}
	require.Equal(t, report.Missed, verdicts["get, of copying Map"])
	require.Equal(t, report.Met, verdicts["set, of copying Map"])
	require.Equal(t, report.NotInRun, verdicts["get, of better-sqlite3"])
	require.Equal(t, report.Met, verdicts["get-many of 100, per key, of a single get"], "100 of 160")
}

func TestSection(t *testing.T) {
	m, err := parse(written(t, 50, 50, 50))
	require.NoError(t, err)
	section := renderSection(report.Machine{CPU: "CPU", System: "2 cores"}, report.Options{Name: sectionName, Rounds: 3}, m)
	for _, want := range []string{
		"| ingot | 50 | 100 | 100 |", "| lmdb | 100 (2.00x) | 100 (1.00x) | 100 (1.00x) |", "| sql.js | 100 (2.00x) | 100 (1.00x) | – |",
		"Left out: better-sqlite3: no binary.", "Node v22.0.0", "10,000 keys",
	} {
		require.Contains(t, section, want)
	}
	require.True(t, strings.HasPrefix(section, "<!-- bench-js:start -->"))
}

func TestWhatIsNoReport(t *testing.T) {
	for _, text := range []string{"", "{}", `{"unknown": 1}`, string(written(t, 1))} {
		_, err := parse([]byte(text))
		require.ErrorContains(t, err, "bench-peers.mjs", text)
	}
}
