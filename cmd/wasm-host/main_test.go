package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
)

const (
	sha256Path  = "../../guest/examples/c-sha256/sha256.wasm"
	hostilePath = "../../internal/sandbox/testdata/hostile.wasm"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.wasm")
	require.NoError(t, os.WriteFile(broken, []byte("no module"), 0o600))
	module, err := os.ReadFile(sha256Path)
	require.NoError(t, err)
	twin := filepath.Join(t.TempDir(), "twin.wasm")
	require.NoError(t, os.WriteFile(twin, module, 0o600))
	empty := t.TempDir()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	text, err := signature.MarshalPublicKey(public)
	require.NoError(t, err)
	key := filepath.Join(t.TempDir(), "author.pub")
	require.NoError(t, os.WriteFile(key, text, 0o600))
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"version":             {args: []string{"version"}, stdout: "wasm-host "},
		"help":                {args: []string{"--help"}, stdout: "explain [<path>]"},
		"help of serve":       {args: []string{"serve", "--help"}, stdout: "--max-output"},
		"no command":          {code: 2, stderr: "name modules, folders or OCI image layouts"},
		"no tool":             {args: []string{"serve"}, code: 2, stderr: "name modules, folders or OCI image layouts"},
		"without its name":    {args: []string{sha256Path}, stderr: "serving a tool"},
		"a token for nobody":  {args: []string{sha256Path, "--auth-disabled"}, code: 2, stderr: "--auth-disabled is about HTTP"},
		"state for nobody":    {args: []string{sha256Path, "--state-sync", "never"}, code: 2, stderr: "no tool is granted any"},
		"a scope for no tool": {args: []string{sha256Path, "--http", "127.0.0.1:0", "--oauth-issuer", "https://issuer.example", "--oauth-audience", "https://box.example", "--oauth-tool-scope", "nothing=read"}, code: 2, stderr: `there is no tool "nothing"`},
		"bad reload":          {args: []string{"--reload=-1s", sha256Path}, code: 2, stderr: "--reload is -1s"},
		"bad size":            {args: []string{"serve", "--memory", "big", sha256Path}, code: 2, stderr: `"big" is not a size`},
		"bad clock":           {args: []string{"serve", "--clock", "atomic", sha256Path}, code: 2, stderr: "--clock"},
		"bad timeout":         {args: []string{"serve", "--timeout", "0s", sha256Path}, code: 2, stderr: "--timeout is 0s"},
		"bad concurrency":     {args: []string{"serve", "--concurrency=-1", sha256Path}, code: 2, stderr: "--concurrency is -1"},
		"too much memory":     {args: []string{"serve", "--memory", "5GiB", sha256Path}, code: 1, stderr: "MemoryBytesMax is 5368709120"},
		"a missing file":      {args: []string{"serve", filepath.Join(dir, "none.wasm")}, code: 1, stderr: "none.wasm: no such file"},
		"a folder":            {args: []string{"serve", dir}, code: 1, stderr: "broken.wasm: load: bad module"},
		"an empty folder":     {args: []string{"serve", empty}, code: 1, stderr: "there is no module to serve"},
		"unsigned":            {args: []string{"serve", "--public-key", key, sha256Path}, code: 1, stderr: "reading the signature of"},
		"no key":              {args: []string{"serve", "--public-key", broken, sha256Path}, code: 1, stderr: "broken.wasm: "},
		"no configuration":    {args: []string{"--config", broken}, code: 1, stderr: "broken.wasm:1:1: "},
		"explain a folder":    {args: []string{"explain", dir}, code: 1, stderr: "is a directory"},
		"explain nothing":     {args: []string{"explain"}, code: 2, stderr: "name one module, or a forge.yaml"},
		"inspect":             {args: []string{"inspect", sha256Path}, stdout: `"abi": "native/1"`},
		"inspect a broken":    {args: []string{"inspect", broken}, code: 1, stderr: "bad module"},
		"bench":               {args: []string{"bench", sha256Path, "--args", `{"text":"a"}`, "--for", "10ms", "--parallel", "2"}, stdout: "fuel a call"},
		"bench, a moment":     {args: []string{"bench", sha256Path, "--args", `{"text":"a"}`, "--for", "1ns", "--parallel", "2"}, stdout: " 2, "},
		"bench, bad args":     {args: []string{"bench", sha256Path}, code: 1, stderr: "--args: "},
		"bench, a failure":    {args: []string{"bench", hostilePath, "--args", `{"mode":"trap"}`}, code: 1, stderr: "trap"},
		"bench, no time":      {args: []string{"bench", sha256Path, "--for", "0s"}, code: 2, stderr: "--for (0s)"},
		"no module":           {args: []string{"serve", sha256Path, broken}, code: 1, stderr: "broken.wasm: load: bad module"},
		"one name twice":      {args: []string{"serve", hostilePath, sha256Path, hostilePath}, code: 1, stderr: hostilePath + " is named twice"},
		"two with one name":   {args: []string{"serve", twin, sha256Path}, code: 1, stderr: "both hold the tool sha256"},
		"too little memory":   {args: []string{"serve", "--memory", "64KiB", sha256Path}, code: 1, stderr: "raise the memory limit"},
		"end of input":        {args: []string{"serve", sha256Path}, stderr: "serving a tool"},
		"a quiet log":         {args: []string{"serve", "--log-level", "error", sha256Path}},
		"explain a broken":    {args: []string{"explain", broken}, code: 1, stderr: "does not start with"},
		"explain, bad flags":  {args: []string{"explain", "--timeout=-1s", sha256Path}, code: 2, stderr: "--timeout is -1s"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), c.args, strings.NewReader(""), &stdout, &stderr)
			require.Equal(t, c.code, code, stderr.String())
			require.Contains(t, stdout.String(), c.stdout)
			require.Contains(t, stderr.String(), c.stderr)
			if c.stdout == "" {
				require.Empty(t, stdout.String())
			}
			if name == "a quiet log" {
				require.Empty(t, stderr.String())
			}
		})
	}
}

func TestExplain(t *testing.T) {
	explained := func(args ...string) string {
		var stdout, stderr bytes.Buffer
		require.Zero(t, run(context.Background(), append([]string{"explain"}, args...), strings.NewReader(""), &stdout, &stderr), stderr.String())
		return stdout.String()
	}
	c := explained(sha256Path)
	for _, part := range []string{"sha256\n", "SHA-256", "native/1", "read-only", "128 KiB", "64 MiB", "nothing: it can only compute", "compute for 2s", "virtual clock", "operating system"} {
		require.Contains(t, c, part)
	}
	h := explained("--clock", "real", "--seed", "x", "--timeout", "7s", "--memory", "1MiB", "--max-output", "3KiB", "--concurrency", "9", hostilePath)
	for _, part := range []string{"ingot.log: writes a line", "path_open: reaches files, as far as they are granted", "open files or folders", "sock_accept: finds no sockets", "real clock", "seeded", "7s", "9 calls", "1 MiB", "return 3 KiB", "hints        none"} {
		require.Contains(t, h, part)
	}
	require.Equal(t, 1, strings.Count(h, "fd_write"))
}

// binary builds wasm-host once per test run.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wasm-host")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wasm-host")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Stderr = os.Stderr
	return path, build.Run()
})

func TestMain(m *testing.M) {
	cache, err := os.MkdirTemp("", "wasm-host-cache")
	if err != nil {
		panic(err)
	}
	os.Setenv("INGOT_WASM_CACHE", cache) // leave the user's alone
	code := m.Run()
	os.RemoveAll(cache)
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// client speaks raw JSON-RPC to a wasm-host process.
type client struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Scanner
	stderr *lockedBuffer
}

// lockedBuffer takes stderr while tests look at it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// message is what a frame on stdout may hold.
type message struct {
	JSONRPC string
	Method  string
	ID      *int
	Result  *struct {
		Content           []struct{ Type, Text string }
		StructuredContent json.RawMessage
		IsError           bool
		Tools             []struct {
			Name         string
			InputSchema  map[string]any
			OutputSchema map[string]any
			Annotations  map[string]bool
		}
	}
	Error *struct {
		Code    int
		Message string
	}
}

// start runs the built binary and initializes.
func start(t *testing.T, args ...string) *client {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	c := &client{t: t, cmd: exec.Command(path, append([]string{"serve"}, args...)...), stderr: &lockedBuffer{}}
	c.cmd.Stderr = c.stderr
	c.stdin, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.lines = bufio.NewScanner(stdout)
	c.lines.Buffer(nil, 16<<20)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	c.send(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	require.Equal(t, 0, *c.next().ID)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return c
}

func (c *client) send(line string) {
	c.t.Helper()
	_, err := io.WriteString(c.stdin, line+"\n")
	require.NoError(c.t, err, c.stderr.String())
}

// call sends a tools/call.
func (c *client) call(id int, tool, args string) {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, args))
}

// next reads one frame; anything on stdout that is not one fails the test.
func (c *client) next() message {
	c.t.Helper()
	var m message
	for m.JSONRPC == "" || m.Method == "notifications/tools/list_changed" {
		require.True(c.t, c.lines.Scan(), "stdout ended: %s", c.stderr)
		m = message{}
		require.NoError(c.t, json.Unmarshal(c.lines.Bytes(), &m), "stdout carries something else: %s", c.lines.Text())
		require.Equal(c.t, "2.0", m.JSONRPC)
	}
	require.NotNil(c.t, m.ID, c.lines.Text())
	require.True(c.t, (m.Result == nil) != (m.Error == nil), c.lines.Text())
	return m
}

// answer calls a tool and reads its answer, which must be the next frame.
func (c *client) answer(id int, tool, args string) message {
	c.t.Helper()
	c.call(id, tool, args)
	m := c.next()
	require.Equal(c.t, id, *m.ID)
	require.Nil(c.t, m.Error)
	return m
}

// finish ends the input and returns the frames that were still to come.
func (c *client) finish() []message {
	c.t.Helper()
	require.NoError(c.t, c.stdin.Close())
	var rest []message
	for c.lines.Scan() {
		var m message
		require.NoError(c.t, json.Unmarshal(c.lines.Bytes(), &m), c.lines.Text())
		rest = append(rest, m)
	}
	require.NoError(c.t, c.cmd.Wait(), c.stderr.String())
	return rest
}

func wordcountFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wordcount.wasm")
	require.NoError(t, os.WriteFile(file, guestbuild.Wordcount(t), 0o600))
	return file
}

const (
	counted = `{"lines":1,"words":3,"distinct_words":2,"characters":5,"bytes":5,"reading_seconds":1,"top":[{"word":"a","count":2}]}`
	hashed  = `{"algorithm":"sha-256","hex":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","bytes":3}`
)

func TestToolsAnswer(t *testing.T) {
	c := start(t, wordcountFile(t), sha256Path, hostilePath)
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	listed := c.next().Result.Tools
	require.Len(t, listed, 3)
	require.Equal(t, []string{"hostile", "sha256", "wordcount"}, []string{listed[0].Name, listed[1].Name, listed[2].Name})
	require.Equal(t, "object", listed[2].InputSchema["type"])
	require.Equal(t, "object", listed[2].OutputSchema["type"])
	require.Equal(t, map[string]bool{"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false}, listed[1].Annotations)

	for tool, pair := range map[string][2]string{
		"wordcount": {`{"text":"a b a","top":1}`, counted},
		"sha256":    {`{"text":"abc"}`, hashed},
	} {
		m := c.answer(2, tool, pair[0])
		require.False(t, m.Result.IsError)
		require.JSONEq(t, pair[1], string(m.Result.StructuredContent))
		require.JSONEq(t, pair[1], m.Result.Content[0].Text)
	}

	for args, says := range map[string]string{
		`{"top":3}`:                 `argument "text": is missing`,
		`{"text":"a","topp":3}`:     `argument "topp": is not known, did you mean "top"?`,
		`{"text":"a","top":"many"}`: `argument "top": must be integer, not string`,
	} {
		m := c.answer(3, "wordcount", args)
		require.True(t, m.Result.IsError)
		require.Equal(t, says, m.Result.Content[0].Text)
	}
	failed := c.answer(4, "sha256", `{"base64":"!!!!"}`)
	require.True(t, failed.Result.IsError)
	require.Contains(t, failed.Result.Content[0].Text, "(bad_base64)")

	c.call(5, "nothing", `{}`)
	require.Equal(t, -32602, c.next().Error.Code)
	require.Empty(t, c.finish())
}

// While one guest loops, the others answer; the loop ends at its deadline.
func TestLoopingGuestIsStopped(t *testing.T) {
	c := start(t, "--timeout", "4s", wordcountFile(t), sha256Path, hostilePath)
	const looping = 1000
	c.call(looping, "hostile", `{"mode":"spin"}`)
	c.call(looping+1, "hostile", `{"mode":"wide"}`) // recursion, no loop
	for id := range 5 {
		// answer insists that the next frame is the one asked for: the loops are
		// still pending.
		require.JSONEq(t, counted, string(c.answer(10+id, "wordcount", `{"text":"a b a","top":1}`).Result.StructuredContent))
		require.JSONEq(t, hashed, string(c.answer(20+id, "sha256", `{"text":"abc"}`).Result.StructuredContent))
		require.JSONEq(t, `{"seen":0}`, string(c.answer(30+id, "hostile", `{"mode":"remember"}`).Result.StructuredContent))
	}
	ended := map[int]bool{}
	for range 2 {
		m := c.next()
		ended[*m.ID] = true
		require.True(t, m.Result.IsError)
		require.Contains(t, m.Result.Content[0].Text, "tool hostile: call: deadline exceeded: still running in call at its time limit of 4s")
	}
	require.Equal(t, map[int]bool{looping: true, looping + 1: true}, ended)
	require.JSONEq(t, hashed, string(c.answer(40, "sha256", `{"text":"abc"}`).Result.StructuredContent))
	require.Empty(t, c.finish())
	require.Contains(t, c.stderr.String(), "a tool failed")
}

// Each way to misbehave ends in an isError result, and stdout stays clean.
func TestHostileGuestsThroughTheProtocol(t *testing.T) {
	c := start(t, "--memory", "4MiB", "--max-output", "1KiB", hostilePath)
	for mode, says := range map[string]string{
		"trap": "trap", "exit": "guest exited", "memory_bomb": "memory limit reached", "result_outside": "ABI violation",
		"result_broken": "ABI violation", "fail": "the moon is not in the right place", "nope": "unknown_mode",
	} {
		m := c.answer(1, "hostile", fmt.Sprintf(`{"mode":%q}`, mode))
		require.True(t, m.Result.IsError, mode)
		require.Contains(t, m.Result.Content[0].Text, says)
	}
	m := c.answer(2, "hostile", `{"mode":"result_long","n":1025}`)
	require.Contains(t, m.Result.Content[0].Text, "output too long")
	require.False(t, c.answer(3, "hostile", `{"mode":"print_flood"}`).Result.IsError)
	require.False(t, c.answer(4, "hostile", `{"mode":"log_flood"}`).Result.IsError)
	require.Empty(t, c.finish())
	require.Contains(t, c.stderr.String(), "the same line again")
	require.Contains(t, c.stderr.String(), "logs too much")
}

// The flags reach the guests.
func TestClockAndSeed(t *testing.T) {
	probe := func(flags ...string) map[string]uint64 {
		c := start(t, append(flags, hostilePath)...)
		var seen map[string]uint64
		require.NoError(t, json.Unmarshal(c.answer(1, "hostile", `{"mode":"probe","n":1}`).Result.StructuredContent, &seen))
		c.finish()
		return seen
	}
	const year2020 = 1577836800 * uint64(1e9)
	require.Greater(t, probe("--clock", "real")["wallNanos"], year2020)
	require.Less(t, probe()["wallNanos"], uint64(1e9))
	require.Equal(t, probe("--seed", "a")["random"], probe("--seed", "a")["random"])
	require.NotEqual(t, probe()["random"], probe()["random"])
}

// At the end of input a call in flight is answered before the exit; a cancelled
// one is stopped, for without that the exit would wait an hour.
func TestEndOfInput(t *testing.T) {
	c := start(t, "--timeout", "1h", wordcountFile(t), hostilePath)
	c.call(1, "hostile", `{"mode":"spin"}`)
	c.call(2, "wordcount", `{"text":"a b a","top":1}`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	rest := c.finish()
	require.Len(t, rest, 1, "a cancelled call gets no answer")
	require.Equal(t, 2, *rest[0].ID)
	require.JSONEq(t, counted, string(rest[0].Result.StructuredContent))
}

// SIGTERM ends the process though a guest loops and stdin stays open.
func TestSignal(t *testing.T) {
	c := start(t, "--timeout", "1h", hostilePath)
	c.call(1, "hostile", `{"mode":"spin"}`)
	require.JSONEq(t, `{"seen":0}`, string(c.answer(2, "hostile", `{"mode":"remember"}`).Result.StructuredContent))
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	for c.lines.Scan() {
	}
	require.NoError(t, c.cmd.Wait(), c.stderr.String())
}

// Strangers' clients: the modern era asks per request.
func TestModernEra(t *testing.T) {
	var stdout, stderr bytes.Buffer
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`
	in := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + meta + `,"name":"sha256","arguments":{"text":"abc"}}}` + "\n"
	require.Zero(t, run(context.Background(), []string{"serve", sha256Path}, strings.NewReader(in), &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), `"structuredContent":`+hashed)
}

// Compiled modules are kept where --cache says, or not at all.
func TestCacheFlags(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for _, args := range [][]string{
		{"serve", "--no-cache", "--cache", dir, sha256Path}, {"explain", "--no-cache", sha256Path},
	} {
		var stdout, stderr bytes.Buffer
		require.Zero(t, run(context.Background(), args, strings.NewReader(""), &stdout, &stderr), stderr.String())
		require.NoDirExists(t, dir)
	}
	for range 2 {
		var stdout, stderr bytes.Buffer
		require.Zero(t, run(context.Background(), []string{"serve", "--cache", dir, sha256Path}, strings.NewReader(""), &stdout, &stderr), stderr.String())
		kept, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, kept, 2, "the code, and what the module says of itself")
	}
}
