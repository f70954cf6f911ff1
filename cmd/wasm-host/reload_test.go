package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// put replaces a file as careful writers do.
func put(t *testing.T, path string, content []byte) {
	t.Helper()
	beside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	require.NoError(t, os.WriteFile(beside, content, 0o600))
	require.NoError(t, os.Rename(beside, path))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// relabelled is the example with another digit in the name of its algorithm, of
// the same length: what a new build of a tool is to the host.
func relabelled(t *testing.T, digit byte) []byte {
	t.Helper()
	module := string(read(t, sha256Path))
	require.Contains(t, module, `"sha-256"`)
	return []byte(strings.ReplaceAll(module, `"sha-256"`, fmt.Sprintf(`"sha-25%c"`, digit)))
}

// A served process follows its files: changed, new and gone ones, and calls in
// flight are answered all the while.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tool.wasm")
	put(t, path, read(t, sha256Path))
	c := start(t, "--reload", "10ms", dir)
	id := 0
	algorithm := func() string {
		id++
		m := c.answer(id, "sha256", `{"text":"abc"}`)
		require.False(t, m.Result.IsError, m.Result.Content)
		return string(m.Result.StructuredContent)
	}
	require.Contains(t, algorithm(), `"sha-256"`)
	for _, digit := range []byte("7890") {
		put(t, path, relabelled(t, digit))
		want := fmt.Sprintf(`"sha-25%c"`, digit)
		for !strings.Contains(algorithm(), want) { // each of these calls must be answered
			time.Sleep(time.Millisecond)
		}
	}
	put(t, path, []byte("no module"))
	require.Eventually(t, func() bool { return strings.Contains(c.stderr.String(), "not served as its file is now") }, time.Minute, time.Millisecond)
	require.Contains(t, algorithm(), `"sha-250"`)
	put(t, filepath.Join(dir, "hostile.wasm"), read(t, hostilePath))
	require.Eventually(t, func() bool { return strings.Contains(c.stderr.String(), "hostile.wasm") }, time.Minute, time.Millisecond)
	require.JSONEq(t, `{"seen":0}`, string(c.answer(9999, "hostile", `{"mode":"remember"}`).Result.StructuredContent))
	for _, m := range c.finish() { // news of the last tool may come after its answer
		require.Equal(t, "notifications/tools/list_changed", m.Method)
	}
}

// A configuration grants; what it does not grant is refused, by its name.
func TestConfig(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "hostile.wasm"), read(t, hostilePath))
	file := filepath.Join(dir, "forge.yaml")
	put(t, file, []byte(`forge: {name: test, version: 1.0.0}
tools:
  - type: wasm
    module: hostile.wasm
    timeout: 3s
    capabilities:
      clock: real
      random: {seed: a}
  - type: cli
    name: elsewhere
    command: "true"
`))
	c := start(t, "--config", file)
	require.Contains(t, c.stderr.String(), "elsewhere")
	probe := string(c.answer(1, "hostile", `{"mode":"probe","n":1}`).Result.StructuredContent)
	require.Regexp(t, `"wallNanos":1[6-9]\d{17}`, probe)
	require.Contains(t, c.answer(2, "hostile", `{"mode":"spin"}`).Result.Content[0].Text, "its time limit of 3s")
	require.Empty(t, c.finish())
}

// explain speaks of what a configuration grants, tool by tool.
func TestExplainConfig(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "hostile.wasm"), read(t, hostilePath))
	put(t, filepath.Join(dir, "sha256.wasm"), read(t, sha256Path))
	file := filepath.Join(dir, "forge.yaml")
	put(t, file, []byte(`tools:
  - {type: wasm, module: sha256.wasm}
  - type: wasm
    module: hostile.wasm
    capabilities:
      state: [{prefix: "notes/", access: read-write}]
      http: [{host: api.example.org, methods: [GET, POST]}]
      files: [{path: /data, root: .}]
      env: {TOKEN: very-secret}
`))
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"explain", "--config", file}, strings.NewReader(""), &stdout, &stderr), stderr.String())
	plain, granted, found := strings.Cut(stdout.String(), "\nhostile\n")
	require.True(t, found, stdout.String())
	require.Contains(t, plain, "read or write state")
	_, mayNot, _ := strings.Cut(granted, "it may not")
	require.NotContains(t, mayNot, "read or write state")
	for _, part := range []string{`"notes/"`, "api.example.org", "POST", "/data", "TOKEN"} {
		require.Contains(t, granted, part)
	}
	require.NotContains(t, granted, "very-secret")
}

// Over HTTP the same tools answer, and who may come in is asked as by ingot serve.
func TestHTTP(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	path, err := binary()
	require.NoError(t, err)
	cmd := exec.Command(path, sha256Path, "--http", "127.0.0.1:0", "--no-cache")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(stdout)
	endpoint := ""
	for endpoint == "" && lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "MCP" {
			endpoint = fields[1]
		}
	}
	require.NotEmpty(t, endpoint, stderr.String())
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},"name":"sha256","arguments":{"text":"abc"}}}`
	request, err := http.NewRequest("POST", endpoint, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "sha256"} {
		request.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(answer), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), stderr.String())

	var out, complaint bytes.Buffer
	require.Equal(t, command.ExitUsage, run(t.Context(), []string{sha256Path, "--http", "0.0.0.0:0"}, strings.NewReader(""), &out, &complaint))
	require.Contains(t, complaint.String(), "--http 0.0.0.0:0 can be reached from other machines")
}
