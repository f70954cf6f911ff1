package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BinaryVariable is the environment variable that names the mcp-stdio to test.
const BinaryVariable = "INGOT_MCP_STDIO"

// Main runs the tests and then removes what Binary has built.
func Main(m *testing.M) int {
	code := m.Run()
	if err := os.RemoveAll(built.dir); err != nil {
		fmt.Fprintln(os.Stderr, "removing the built server:", err)
		return 1
	}
	return code
}

var built struct {
	once sync.Once
	dir  string // what Main removes; "" when nothing was built
	path string
	err  error
}

// Binary returns the path of the server under test.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() { built.path, built.err = findOrBuild() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func findOrBuild() (path string, err error) {
	return build(BinaryVariable, "./cmd/mcp-stdio", func() (string, error) {
		built.dir, err = os.MkdirTemp("", "ingot-clients-")
		return built.dir, err
	})
}

// Build returns the path of another command of the repository: the file that the
// environment variable names, or one built from package pkg for this test.
func Build(t testing.TB, variable, pkg string) string {
	t.Helper()
	path, err := build(variable, pkg, func() (string, error) { return t.TempDir(), nil })
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// build finds a command, or builds it into the directory that makeDir makes.
func build(variable, pkg string, makeDir func() (string, error)) (string, error) {
	if path := os.Getenv(variable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("%s: %w", variable, err)
		}
		return filepath.Abs(path)
	}
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	dir, err := makeDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// Root returns the root of the repository.
func Root(t testing.TB) string {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module github.com/ingot-run/ingot\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod of github.com/ingot-run/ingot above the working directory")
		}
		dir = parent
	}
}
