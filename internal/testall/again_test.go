package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// unsteadyModule is a package with tests that fail the first time only, and others.
const unsteadyModule = `package p

import (
	"os"
	"testing"
)

func once(t *testing.T, why string) {
	if _, err := os.Stat(t.Name()); err != nil {
		os.WriteFile(t.Name(), nil, 0o600)
		t.Fatal(why)
	}
}

func TestSteady(t *testing.T)   {}
func TestUnsteady(t *testing.T) { t.Run("part", func(t *testing.T) { if _, err := os.Stat("seen"); err != nil { os.WriteFile("seen", nil, 0o600); t.Fatal("too late") } }) }
func TestGrave(t *testing.T)    { once(t, "3 acknowledged writes are lost") }
func TestAlways(t *testing.T)   { t.Fatal("never right") }
`

func unsteadySuite(t *testing.T, run string) suite {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/p\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p_test.go"), []byte(unsteadyModule), 0o600))
	s := goTest("unsteady", "a test that fails at first", "-run", run, "./...")
	s.dir = dir
	s.env = []string{"GOWORK=off", "GOFLAGS=-mod=mod"}
	return s
}

// What fails once and then passes three times by itself is counted as passed, and named.
func TestAgain(t *testing.T) {
	var out bytes.Buffer
	c := unsteadySuite(t, "^Test(Steady|Unsteady)$").run(context.Background(), &out)
	require.Equal(t, counts{passed: 3, unsteady: []string{"unsteady: TestUnsteady"}}, c, out.String())
	require.Contains(t, out.String(), "too late", "what it said is shown")
}

// What goleak and the checks of histories say counts, too.
func TestGraveFailures(t *testing.T) {
	for text, is := range map[string]bool{
		"WARNING: DATA RACE": true, "panic: runtime error": true, "found unexpected goroutines: [Goroutine 7": true, "the history is not linearizable": true,
		"2 acknowledged writes are lost": true, "leaks: 3": true, "context deadline exceeded": false, "want 3, got 4": false,
	} {
		require.Equal(t, is, grave.MatchString(text), text)
	}
}

func TestAgainExcusesNoFailure(t *testing.T) {
	for _, run := range []string{"^Test(Steady|Grave)$", "^Test(Steady|Always)$", "^Test(Unsteady|Always)$"} {
		var out bytes.Buffer
		c := unsteadySuite(t, run).run(context.Background(), &out)
		require.NotZero(t, c.failed, run)
		require.Empty(t, c.unsteady, run)
	}
	var out bytes.Buffer
	s := unsteadySuite(t, "^TestSteady$")
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "broken_test.go"), []byte("package p\n\nvar x int = true\n"), 0o600))
	require.NotZero(t, s.run(context.Background(), &out).failed, "what does not build")
	check := suite{name: "check", command: []string{"sh", "-c", "test -e seen || { touch seen; exit 1; }"}, dir: t.TempDir()}
	require.NotZero(t, check.run(context.Background(), &out).failed, "a check is run once")
}

// Suites in other languages run once more as a whole.
func TestAgainForNode(t *testing.T) {
	script := `if test -e seen; then echo "# pass 2"; else touch seen; echo "# pass 1"; echo "# fail 1"; exit 1; fi`
	s := suite{name: "node", command: []string{"sh", "-c", script}, count: countNode, dir: t.TempDir()}
	var out bytes.Buffer
	require.Equal(t, counts{passed: 2, unsteady: []string{"node"}}, s.run(context.Background(), &out))
	s.dir = t.TempDir()
	s.command = []string{"sh", "-c", `echo "# pass 1"; echo "# fail 1"; exit 1`}
	require.Equal(t, counts{passed: 1, failed: 1}, s.run(context.Background(), &out))
}
