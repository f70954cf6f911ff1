package golden

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "> a\n< old\n", "b.txt": "> b\n", "c.md": "not one"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	*update = true
	defer func() { *update = false }()
	play := func(t *testing.T, script string) string {
		line, _, _ := strings.Cut(script, "\n")
		return line + "\n< new\n"
	}
	Scripts(t, filepath.Join(dir, "*.txt"), play)
	*update = false
	Scripts(t, filepath.Join(dir, "*.txt"), play)
	for name, want := range map[string]string{"a.txt": "> a\n< new\n", "b.txt": "> b\n< new\n", "c.md": "not one"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

// failing is a test that notes that it has failed.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) FailNow()              { f.failed = true; runtime.Goexit() }

func TestMatchFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "want.txt")
	require.NoError(t, os.WriteFile(path, []byte("this"), 0o644))
	for _, c := range []struct {
		path, got string
		fails     bool
	}{{path, "this", false}, {path, "that", true}, {path + "x", "this", true}} {
		f, done := &failing{TB: t}, make(chan struct{})
		go func() {
			defer close(done)
			Match(f, c.path, c.got)
		}()
		<-done
		require.Equal(t, c.fails, f.failed, "%v", c)
	}
}
