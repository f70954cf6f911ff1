package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
	set        = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"k","value":"v"}}}` + "\n"
)

// TestMain keeps tests that do not name a directory out of the user's.
func TestMain(m *testing.M) {
	os.Setenv("INGOT_MEMORY", "true")
	code := m.Run()
	os.RemoveAll(builtDir)
	os.Exit(code)
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		stdin  string
		code   int
		stdout string
		stderr string
	}{
		"serves to the end of input": {stdin: initialize + set, stdout: `"structuredContent":{"stored":true,"version":1}`},
		"version":                    {args: []string{"--version"}, stdout: "mcp-stdio "},
		"help":                       {args: []string{"--help"}, stdout: "--max-bytes"},
		"bad size":                   {args: []string{"--max-bytes", "3x"}, code: 2, stderr: `"3x" is not a size`},
		"unknown flag":               {args: []string{"--nope"}, code: 2, stderr: "--nope"},
		"budget is enforced": {
			args: []string{"--max-bytes", "10B"}, stdin: initialize + set,
			stdout: `0 of the store's 10 bytes are in use"}],"isError":true`,
		},
		"log level is heeded": {args: []string{"--log-level", "debug"}, stdin: "not json\n", stdout: "-32700"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), c.args, strings.NewReader(c.stdin), &stdout, &stderr)
			require.Equal(t, c.code, code, stderr.String())
			require.Contains(t, stdout.String(), c.stdout)
			require.Contains(t, stderr.String(), c.stderr)
		})
	}
}

func TestCancelledContextEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	in, held := io.Pipe()
	defer held.Close()
	var stderr bytes.Buffer
	code := make(chan int)
	go func() { code <- run(ctx, nil, in, io.Discard, &stderr) }()
	cancel()
	require.Equal(t, 0, <-code, stderr.String())
}

// TestSignal ends the built binary by SIGTERM while its stdin stays open.
func TestSignal(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "mcp-stdio")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	require.NoError(t, build.Run())
	cmd := exec.Command(binary)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.WriteString(stdin, initialize)
	require.NoError(t, err)
	first := make([]byte, 1)
	_, err = io.ReadFull(stdout, first) // it serves
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(stdout)
	require.NoError(t, err)
	require.Contains(t, string(rest), `"serverInfo"`)
	require.NoError(t, cmd.Wait(), "exit code 0")
}
