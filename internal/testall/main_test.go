package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountGo(t *testing.T) {
	output := `{"Action":"run","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"A","Output":"why\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"B"}
{"Action":"skip","Package":"p","Test":"C"}
{"Action":"fail","Package":"p"}
not json
`
	require.Equal(t, counts{passed: 1, failed: 1, skipped: 1}, countGo(output))
	require.Contains(t, readable(output), "why")
	require.Contains(t, readable(output), "not json")
}

func TestTableRows(t *testing.T) {
	output := `{"Action":"output","Test":"A","Output":"| a | b |\n"}
{"Action":"output","Test":"A","Output":"no | row\n"}
| no event |
{"Action":"output","Test":"A","Output":"| c | d |\n"}
`
	require.Equal(t, "   | a | b |\n   | c | d |\n", tableRows(output))
}

func TestCountNode(t *testing.T) {
	require.Equal(t, counts{passed: 12, failed: 1, skipped: 2}, countNode("ok 1 - a\n# tests 15\n# pass 12\n# fail 1\n# skipped 2\n"))
	require.Equal(t, counts{passed: 3}, countNode("ℹ tests 3\nℹ pass 3\nℹ fail 0\nℹ skipped 0\n"))
}

func TestRunsAndCounts(t *testing.T) {
	t.Setenv("CI", "")
	var out bytes.Buffer
	ok := suite{name: "ok", command: []string{"go", "version"}}
	require.Equal(t, counts{passed: 1}, ok.run(context.Background(), &out))
	bad := suite{name: "bad", command: []string{"go", "nonsense"}}
	require.Equal(t, 1, bad.run(context.Background(), &out).failed)
	empty := suite{name: "empty", command: []string{"go", "version"}, count: countGo}
	require.Equal(t, counts{failed: 1}, empty.run(context.Background(), &out), "a suite that runs nothing fails")
	missing := suite{name: "missing", needs: []string{"no-such-tool"}, command: []string{"true"}}
	require.Equal(t, counts{skipped: 1}, missing.run(context.Background(), &out))
	t.Setenv("CI", "true")
	require.Equal(t, counts{failed: 1}, missing.run(context.Background(), &out))
}

func TestSkipsWhatCouldNotLook(t *testing.T) {
	t.Setenv("CI", "true")
	var out bytes.Buffer
	away := suite{name: "away", command: []string{"sh", "-c", "echo no such host; exit 1"}, unchecked: map[string]string{"no such host": "unreachable: not checked"}}
	require.Equal(t, counts{skipped: 1}, away.run(context.Background(), &out))
	require.Contains(t, out.String(), "unreachable: not checked")
	away.command[2] = "echo 1 vulnerability; exit 3"
	require.Equal(t, counts{failed: 1}, away.run(context.Background(), &out), "a finding is a failure")
	away.command[2] = "echo no such host"
	require.Equal(t, counts{passed: 1}, away.run(context.Background(), &out), "what passes has looked")
}

func TestChoose(t *testing.T) {
	all := suites()
	some, err := choose(all, all[1].name+","+all[0].name)
	require.NoError(t, err)
	require.Equal(t, all[1].name, some[0].name)
	_, err = choose(all, "nonsense")
	require.Error(t, err)
}

func TestRunAllKeepsLinesTogether(t *testing.T) {
	echo := func(name, text string) suite {
		return suite{name: name, what: text, command: []string{"go", "version"}}
	}
	bad := suite{name: "bad", command: []string{"go", "nonsense"}}
	var out bytes.Buffer
	total, failed := runAll(context.Background(), []suite{bad, echo("a", "first"), echo("b", "second")}, 2, &out)
	require.Equal(t, counts{passed: 2, failed: 1}, total)
	require.Equal(t, []string{"bad"}, failed)
	require.Regexp(t, `(?m)^== a: first\n   1 passed`, out.String())
	require.Regexp(t, `(?m)^== b: second\n   1 passed`, out.String())
}

// A fuzzer whose time is over is started again, and a finding is none the less one.
func TestFuzzOne(t *testing.T) {
	const over = "--- FAIL: FuzzX (5.19s)\n    context deadline exceeded\nFAIL"
	for _, c := range []struct {
		name, said string
		failures   int // before it passes
		runs       int
		passes     bool
	}{
		{"passes", "", 0, 1, true},
		{"time is over", over, 1, 2, true},
		{"time is always over", over, 9, 3, false},
		{"finding", "--- FAIL: FuzzX (0.1s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:1: wrong\n    Failing input written to testdata/fuzz/FuzzX/1", 1, 1, false},
		{"finding that took its time", over + "\n    Failing input written to testdata/fuzz/FuzzX/1", 1, 1, false},
		{"what does not build", "x.go:1: syntax error", 1, 1, false},
		{"error that quotes it", "    x_test.go:1: context deadline exceeded", 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			fake := fmt.Sprintf("#!/bin/sh\necho >> %[1]s/runs\ntest $(wc -l < %[1]s/runs) -gt %d && exit 0\ncat %[1]s/said\nexit 1\n", dir, c.failures)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(fake), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "said"), []byte(c.said+"\n"), 0o600))
			var out bytes.Buffer
			s := suite{name: "fuzz", command: []string{"sh", "-c", fuzzOne + "\nfuzz p FuzzX 5"}, path: []string{dir}}
			require.Equal(t, c.passes, s.run(t.Context(), &out).failed == 0, out.String())
			runs, err := os.ReadFile(filepath.Join(dir, "runs"))
			require.NoError(t, err)
			require.Len(t, runs, c.runs)
		})
	}
}
