package everything

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// versions are the eras of the protocol.
var versions = map[string]string{"legacy": "2025-11-25", "modern": "2026-07-28"}

// steps are what a client does, in this order.
var steps = []string{"connect", "list", "call", "read", "get", "complete", "progress", "ask", "subscribe", "cancel", "close"}

// outcome is how a step went.
type outcome struct {
	Step  string `json:"step"`
	Error string `json:"error"` // "" when it went well
}

// client is a client that is tried. run takes its steps; target is the server's
// path for stdio, else the URL of an endpoint.
type client struct {
	name       string
	eras       []string
	transports []string
	steps      []string
	run        func(t *testing.T, transport, era, target string) []outcome
}

func clients(t *testing.T) []client {
	both := []string{"legacy", "modern"}
	usual, three := []string{"stdio", "http"}, []string{"stdio", "http", "sse"}
	four := append(three, "websocket")
	python := filepath.Join(harness.Root(t), ".cache", "clients-venv", "bin", "python")
	return []client{
		{"TypeScript SDK 1", []string{"legacy"}, four, steps, driver("node", "--experimental-websocket", "../node/everything-v1.mjs")},
		{"TypeScript SDK 2", both, three, steps, driver("node", "../node/everything-v2.mjs")},
		{"Python SDK", both, three, steps, driver(python, "../python/everything.py")},
		{"Go SDK", both, three, steps, runGo},
		// Its other methods want a session, and one command is one.
		{"Inspector --strict", both, usual, []string{"connect", "list", "call", "read", "get"}, runInspector},
	}
}

func TestClients(t *testing.T) {
	path := harness.Build(t, "INGOT_EVERYTHING", "./examples/everything")
	table := [][]string{append([]string{"client", "era", "transport"}, steps...)}
	for _, c := range clients(t) {
		for _, era := range c.eras {
			for _, transport := range c.transports {
				row := []string{c.name, era, transport}
				t.Run(strings.Join(row, "/"), func(t *testing.T) {
					target := path
					if transport != "stdio" {
						target = endpoint(serve(t, path), transport)
					}
					row = append(row, judge(t, c.steps, c.run(t, transport, era, target))...)
				})
				table = append(table, row)
			}
		}
	}
	for _, row := range table {
		for len(row) < len(table[0]) {
			row = append(row, "?") // the test ended before
		}
		fmt.Println("| " + strings.Join(row, " | ") + " |")
	}
}

// endpoint returns the URL of a transport; url is that of streamable HTTP.
func endpoint(url, transport string) string {
	base := strings.TrimSuffix(url, "/mcp")
	switch transport {
	case "sse":
		return base + "/sse"
	case "websocket":
		return "ws" + strings.TrimPrefix(base, "http") + "/ws"
	}
	return url
}

// judge makes a test of each wanted step, and returns the cells of a row.
func judge(t *testing.T, wanted []string, outcomes []outcome) (cells []string) {
	t.Helper()
	by := map[string]outcome{}
	for _, o := range outcomes {
		by[o.Step] = o
	}
	for _, step := range steps {
		cell := "-"
		for _, want := range wanted {
			if want == step {
				ok := t.Run(step, func(t *testing.T) {
					o, taken := by[step]
					require.True(t, taken, "the client did not get that far")
					require.Empty(t, o.Error)
				})
				cell = map[bool]string{true: "ok", false: "FAIL"}[ok]
			}
		}
		cells = append(cells, cell)
	}
	return cells
}

// serve starts the server at a free port, and has it end with the test, with
// exit code 0.
func serve(t *testing.T, path string) (url string) {
	t.Helper()
	command := exec.Command(path, "--http", "127.0.0.1:0")
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(stderr)
	require.True(t, lines.Scan(), "the server said nothing")
	url, found := strings.CutPrefix(lines.Text(), "serving ")
	require.True(t, found, lines.Text())
	logged := make(chan string, 1)
	go func() { // ends with the server
		var log strings.Builder
		for lines.Scan() {
			log.WriteString(lines.Text() + "\n")
		}
		logged <- log.String()
	}()
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(os.Interrupt))
		log := <-logged
		require.NoError(t, command.Wait(), log)
		require.NotContains(t, log, "panic")
	})
	return url
}

// driverPatience is longer than a driver waits for all of its steps.
const driverPatience = 4 * time.Minute

// driver runs a program that takes the steps.
func driver(program string, args ...string) func(t *testing.T, transport, era, target string) []outcome {
	return func(t *testing.T, transport, era, target string) []outcome {
		need(t, program)
		output, err := runFor(t, program, slices.Concat(args, []string{transport, era, target})...)
		var outcomes []outcome
		for line := range bytes.Lines(output) {
			var o outcome
			require.NoError(t, json.Unmarshal(line, &o), "the driver wrote %s", line)
			outcomes = append(outcomes, o)
		}
		require.NoError(t, err, "the driver ended badly, after %v", outcomes)
		return outcomes
	}
}

// runFor runs a command and returns what it wrote on stdout.
func runFor(t *testing.T, program string, args ...string) ([]byte, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	patience := time.AfterFunc(driverPatience, func() { command.Process.Kill() })
	defer patience.Stop()
	home := t.TempDir() // the inspector keeps files there
	command.Env = append(os.Environ(), "HOME="+home, "PYTHONWARNINGS=ignore", "PYTHONDONTWRITEBYTECODE=1")
	command.Stderr = t.Output()
	return command.Output()
}

// need skips the test where a program is missing; in CI it fails.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	message := program + " is not there; make clients-deps installs what the clients need"
	if os.Getenv("CI") != "" {
		t.Fatal(message)
	}
	t.Skip(message)
}
