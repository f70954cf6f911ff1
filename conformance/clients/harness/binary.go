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

func findOrBuild() (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("%s: %w", BinaryVariable, err)
		}
		return filepath.Abs(path)
	}
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	if built.dir, err = os.MkdirTemp("", "ingot-clients-"); err != nil {
		return "", err
	}
	path := filepath.Join(built.dir, "mcp-stdio")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/mcp-stdio")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mcp-stdio: %w\n%s", err, out)
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
