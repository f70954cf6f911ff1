package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// A test that a document names; with … behind it, all whose names begin so.
	namedTest = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*…?`)
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
)

// TestSecurityNamesTestsThatExist holds docs/SECURITY.md, and the documents beside
// it, to the tests that they name: one that is renamed or taken out takes its promise
// with it.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	root := filepath.Join("..", "..")
	tests := testsBelow(t, root)
	require.Greater(t, len(tests), 1000, "the walk found the tests")
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	named := 0
	for _, path := range documents {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if filepath.Base(path) == "SECURITY.md" {
			named = len(namedTest.FindAll(text, -1))
		}
		for _, name := range missingTests(string(text), tests) {
			t.Errorf("docs/%s names %s: there is no such test; name the one that shows it, or take the promise out", filepath.Base(path), name)
		}
	}
	require.Greater(t, named, 200, "docs/SECURITY.md was read, and names its tests")
}

// A name that no test has is found, also where one begins with it.
func TestSecurityNamesThatAreInvented(t *testing.T) {
	tests := map[string]bool{"TestOne": true, "TestHostileA": true, "FuzzOne": true}
	require.Empty(t, missingTests("Testing (`TestOne`, `TestHostile…`; `FuzzOne`)", tests))
	require.Equal(t, []string{"TestTwo", "FuzzOn", "TestGentle…", "TestHostile"}, missingTests("`TestTwo`,`FuzzOn` (TestGentle…)\n`TestHostile`.", tests))
}

// missingTests lists what a text names and tests does not hold.
func missingTests(text string, tests map[string]bool) (missing []string) {
	for _, name := range namedTest.FindAllString(text, -1) {
		start, isStart := strings.CutSuffix(name, "…")
		found := tests[name]
		for test := range tests {
			found = found || isStart && strings.HasPrefix(test, start)
		}
		if !found {
			missing = append(missing, name)
		}
	}
	return missing
}

// testsBelow returns the names of all tests and fuzz tests in Go below root. The
// files are read as text: those of other systems and modules count too.
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range testFunc.FindAllSubmatch(text, -1) {
			tests[string(match[1])] = true
		}
		return err
	}))
	return tests
}
