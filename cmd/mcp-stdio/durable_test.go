package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// builtDir holds what built made; TestMain removes it.
var builtDir string

// built builds mcp-stdio and ingot, once for all tests.
var built = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "ingot-stdio-"); err != nil {
		return "", err
	}
	builtDir = dir
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), ".", "../ingot").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, err
})

// server is a running mcp-stdio with its state in a directory.
type server struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
	id    int
}

func startServer(t *testing.T, data string) *server {
	t.Helper()
	dir, err := built()
	require.NoError(t, err)
	s := &server{t: t, cmd: exec.Command(filepath.Join(dir, "mcp-stdio"), "--data", data)}
	s.cmd.Env = append(os.Environ(), "INGOT_MEMORY=false")
	s.cmd.Stderr = t.Output()
	s.stdin, err = s.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.lines = bufio.NewReader(stdout)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { s.cmd.Process.Kill() })
	_, err = io.WriteString(s.stdin, initialize)
	require.NoError(t, err)
	_, err = s.lines.ReadString('\n')
	require.NoError(t, err)
	return s
}

// call calls a tool and returns its structured content.
func (s *server) call(tool, arguments string) (map[string]any, error) {
	s.id++
	fmt.Fprintf(s.stdin, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`+"\n", s.id, tool, arguments)
	line, err := s.lines.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result struct {
			StructuredContent map[string]any
			IsError           bool
		}
	}
	if err := json.Unmarshal(line, &answer); err != nil || answer.Result.IsError {
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	return answer.Result.StructuredContent, nil
}

// TestKilled kills the server again and again while it is written to. What it
// answered is there the next time.
func TestKilled(t *testing.T) {
	data := t.TempDir()
	answered := 0 // the counter's value in the last answer
	for round := range 10 {
		s := startServer(t, data)
		kill := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			<-kill
			done <- s.cmd.Process.Kill()
		}()
		for n := 0; ; n++ {
			if n == 20+7*round {
				close(kill)
			}
			content, err := s.call("state_increment", `{"key":"n"}`)
			if err != nil {
				require.GreaterOrEqual(t, n, 20+7*round, "it ended before it was killed: %v", err)
				break
			}
			sum, ok := content["value"].(float64)
			require.True(t, ok, "%v", content)
			if n == 0 { // one more may have been logged and not answered
				require.GreaterOrEqual(t, int(sum), answered+1)
				require.LessOrEqual(t, int(sum), answered+2)
			} else {
				require.Equal(t, answered+1, int(sum))
			}
			answered = int(sum)
		}
		require.NoError(t, <-done)
		_ = s.cmd.Wait() // it was killed
	}
	dir, err := built()
	require.NoError(t, err)
	out, err := exec.Command(filepath.Join(dir, "ingot"), "state", "verify", "--json", data).CombinedOutput()
	require.NoError(t, err, string(out))
	var v struct {
		Entries int
		Damage  []any
		Clean   bool
	}
	require.NoError(t, json.Unmarshal(out, &v))
	require.Equal(t, 1, v.Entries)
	require.Empty(t, v.Damage)
	require.False(t, v.Clean)
}

// TestSecondServerIsToldWhoIsFirst starts two on one directory.
func TestSecondServerIsToldWhoIsFirst(t *testing.T) {
	data := t.TempDir()
	first := startServer(t, data)
	dir, err := built()
	require.NoError(t, err)
	second := exec.Command(filepath.Join(dir, "mcp-stdio"), "--data", data)
	second.Env = append(os.Environ(), "INGOT_MEMORY=false")
	out, err := second.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), fmt.Sprintf("in use by process %d on ", first.cmd.Process.Pid))
	require.Contains(t, string(out), "--memory")
	require.NoError(t, first.stdin.Close())
	rest, err := io.ReadAll(first.lines)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.NoError(t, first.cmd.Wait())
}

func TestDataAndMemoryExclude(t *testing.T) {
	var stdout, stderr strings.Builder
	require.Equal(t, 1, run(t.Context(), []string{"--data", t.TempDir(), "--memory"}, strings.NewReader(""), &stdout, &stderr))
	require.Contains(t, stderr.String(), "exclude each other")
}

// TestDirectoryRemoved removes the directory under a running server: writes are refused,
// with the reason, and reads go on.
func TestDirectoryRemoved(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	_, err := s.call("state_set", `{"key":"a","value":"1"}`)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(data))
	_, err = s.call("state_set", `{"key":"b","value":"2"}`)
	require.ErrorContains(t, err, "removed while it was open")
	_, err = s.call("state_set", `{"key":"b","value":"2"}`)
	require.ErrorContains(t, err, "removed while it was open")
	content, err := s.call("state_get", `{"key":"a"}`)
	require.NoError(t, err)
	require.Equal(t, "1", content["value"])
}

// TestDefaultDirectory starts a server without --data twice: its state is in the user's
// data directory.
func TestDefaultDirectory(t *testing.T) {
	dir, err := built()
	require.NoError(t, err)
	home := t.TempDir()
	for round := range 2 {
		cmd := exec.Command(filepath.Join(dir, "mcp-stdio"))
		cmd.Env = append(os.Environ(), "INGOT_MEMORY=false", "INGOT_DATA=", "XDG_DATA_HOME="+home)
		cmd.Stdin = strings.NewReader(initialize + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"state_increment","arguments":{"key":"n"}}}` + "\n")
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Contains(t, string(out), fmt.Sprintf(`"value":%d`, round+1))
	}
	files, err := filepath.Glob(filepath.Join(home, "ingot", "stdio", "log-*.ingot"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
}

// TestProgress opens a state of 70 MB: the server says how far it is.
func TestProgress(t *testing.T) {
	data := t.TempDir()
	d, err := storage.OpenDir(data)
	require.NoError(t, err)
	store, err := engine.Open(engine.Options{Dir: d, Sync: engine.SyncNever})
	require.NoError(t, err)
	for i := range 70 {
		_, err := store.Set(fmt.Sprint(i), make([]byte, 1<<20), engine.SetOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, store.Compact())
	require.NoError(t, store.Close())
	require.NoError(t, d.Close())
	t.Setenv("INGOT_MEMORY", "false")
	var stdout, stderr strings.Builder
	require.Zero(t, run(t.Context(), []string{"--data", data}, strings.NewReader(""), &stdout, &stderr), &stderr)
	require.Equal(t, 1, strings.Count(stderr.String(), "reading the state"), stderr.String())
	require.Contains(t, stderr.String(), "file=snapshot-")
}
