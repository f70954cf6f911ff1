package gosdk

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

// buildIngot returns the path of the ingot under test.
func buildIngot(t *testing.T) string {
	t.Helper()
	return harness.Build(t, "INGOT_BINARY", "./cmd/ingot")
}

// serve starts ingot serve, with further arguments, and returns its origin. When
// the test ends it is told to stop, and must then have ended with exit code 0.
func serve(t *testing.T, program string, more ...string) string {
	t.Helper()
	server := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0", "--memory"}, more...)...)
	server.Stderr = t.Output()
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(os.Interrupt))
		require.NoError(t, server.Wait())
	})
	found := regexp.MustCompile(`MCP +(http:\S+)/mcp`)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if match := found.FindStringSubmatch(lines.Text()); match != nil {
			return match[1]
		}
	}
	t.Fatal("ingot serve ended before it said where it serves")
	return ""
}

// The scripts of calls.json over each transport of the SDK that goes over HTTP.
func TestScriptsOverHTTP(t *testing.T) {
	table, program := harness.LoadTable(t), buildIngot(t)
	for _, c := range []struct {
		name, version string
		transport     func(origin string) mcp.Transport
	}{
		{"streamable", "2025-11-25", func(origin string) mcp.Transport { return &mcp.StreamableClientTransport{Endpoint: origin + "/mcp"} }},
		{"streamable", "2026-07-28", func(origin string) mcp.Transport { return &mcp.StreamableClientTransport{Endpoint: origin + "/mcp"} }},
		{"SSE", "2024-11-05", func(origin string) mcp.Transport { return &mcp.SSEClientTransport{Endpoint: origin + "/sse"} }},
	} {
		t.Run(c.name+" "+c.version, func(t *testing.T) {
			for _, script := range table.Scripts {
				t.Run(script.Name, func(t *testing.T) {
					client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
					session, err := client.Connect(context.Background(), c.transport(serve(t, program)), &mcp.ClientSessionOptions{ProtocolVersion: c.version})
					require.NoError(t, err)
					defer session.Close()
					require.Equal(t, c.version, session.InitializeResult().ProtocolVersion)
					var bindings harness.Bindings
					for i, step := range script.Steps {
						arguments, err := bindings.Fill(step.Arguments)
						require.NoError(t, err, "step %d", i)
						require.NoError(t, bindings.Match(step.Result, call(t, session, step.Tool, arguments)), "step %d: %s %v", i, step.Tool, arguments)
					}
				})
			}
		})
	}
}
