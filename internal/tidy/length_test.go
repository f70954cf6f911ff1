package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The limits of STYLE for new code. A function over functionLinesMax needs an
// entry in testdata/long.txt, which is reviewed like code.
const (
	functionLinesMax = 70
	fileLinesMax     = 600
)

// TestLengths compares what is over the limits with testdata/long.txt: nothing
// may be added to it or grow.
func TestLengths(t *testing.T) {
	const ratchet = "testdata/long.txt"
	root := filepath.Join("..", "..")
	long := overlong(t, root)
	if os.Getenv("INGOT_UPDATE") != "" {
		require.NoError(t, os.WriteFile(ratchet, []byte(strings.Join(long, "")), 0o644))
	}
	want, err := os.ReadFile(ratchet)
	require.NoError(t, err)
	require.Equal(t, string(want), strings.Join(long, ""), "what is over the limits changed: shorten it, or (where it got shorter) run with INGOT_UPDATE=1")
}

// overlong lists every function and file over its limit, a line each.
func overlong(t *testing.T, root string) (long []string) {
	t.Helper()
	seen := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || name == "dist" || name == "bin" || name == "testdata" || strings.HasPrefix(name, ".git")) {
			return filepath.SkipDir
		}
		rel := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		switch filepath.Ext(name) {
		case ".go":
			seen++
			long = append(long, longFunctions(t, path, rel)...)
		case ".js", ".mjs", ".ts", ".s", ".c", ".h", ".css":
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		if lines := strings.Count(string(text), "\n"); lines > fileLinesMax {
			long = append(long, fmt.Sprintf("%s: %d lines\n", rel, lines))
		}
		return err
	}))
	require.Greater(t, seen, 30, "the walk found the source")
	slices.Sort(long)
	return long
}

// longFunctions lists the functions of a Go file that are over the limit. Tests
// are long tables at times and are left out.
func longFunctions(t *testing.T, path, rel string) (long []string) {
	t.Helper()
	if strings.HasSuffix(rel, "_test.go") || strings.HasPrefix(rel, "engine/enginetest/") {
		return nil
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	require.NoError(t, err)
	for _, declaration := range file.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok {
			lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1
			if lines > functionLinesMax {
				long = append(long, fmt.Sprintf("%s: %s has %d lines\n", rel, f.Name.Name, lines))
			}
		}
	}
	return long
}
