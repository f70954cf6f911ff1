package gosdk

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// eras runs test once for each era of the protocol.
func eras(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

// connect starts a server and agrees on version with it. When the test ends the
// session is closed, and the server must then have ended with exit code 0.
func connect(t *testing.T, version string) *mcp.ClientSession {
	t.Helper()
	command := exec.Command(harness.Binary(t), "--memory")
	command.Stderr = t.Output()
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, session.Close())
		require.True(t, command.ProcessState.Success(), "the server's exit: %v", command.ProcessState)
	})
	require.Equal(t, version, session.InitializeResult().ProtocolVersion)
	return session
}

// listTools reads every page.
func listTools(t *testing.T, session *mcp.ClientSession) []*mcp.Tool {
	t.Helper()
	var tools []*mcp.Tool
	for tool, err := range session.Tools(t.Context(), nil) {
		require.NoError(t, err)
		tools = append(tools, tool)
	}
	return tools
}

// call makes one call and returns the result as decoded JSON. The text block
// must be the same JSON as the structured content.
func call(t *testing.T, session *mcp.ClientSession, tool string, arguments any) any {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	require.NoError(t, err)
	text := onlyText(t, result)
	require.False(t, result.IsError, text)
	require.NotNil(t, result.StructuredContent)
	var inText any
	require.NoError(t, json.Unmarshal([]byte(text), &inText), text)
	require.Equal(t, result.StructuredContent, inText, "structuredContent and its text differ")
	return result.StructuredContent
}

func onlyText(t *testing.T, result *mcp.CallToolResult) string {
	t.Helper()
	require.Len(t, result.Content, 1)
	text, ok := result.Content[0].(*mcp.TextContent)
	require.True(t, ok, "content is a %T", result.Content[0])
	return text.Text
}

// A tool that is listed and that no script calls fails here.
func TestEveryListedToolIsCalled(t *testing.T) {
	table := harness.LoadTable(t)
	eras(t, func(t *testing.T, version string) {
		var names []string
		for _, tool := range listTools(t, connect(t, version)) {
			names = append(names, tool.Name)
			require.NotEmpty(t, tool.Description, tool.Name)
			require.NotNil(t, tool.OutputSchema, tool.Name)
			require.NotNil(t, tool.Annotations, tool.Name)
		}
		slices.Sort(names)
		require.Equal(t, table.Tools(), names, "left: called by calls.json; right: listed by the server")
	})
}

func TestScripts(t *testing.T) {
	table := harness.LoadTable(t)
	eras(t, func(t *testing.T, version string) {
		for _, script := range table.Scripts {
			t.Run(script.Name, func(t *testing.T) {
				session := connect(t, version)
				var bindings harness.Bindings
				for i, step := range script.Steps {
					arguments, err := bindings.Fill(step.Arguments)
					require.NoError(t, err, "step %d", i)
					got := call(t, session, step.Tool, arguments)
					require.NoError(t, bindings.Match(step.Result, got), "step %d: %s %v", i, step.Tool, arguments)
				}
			})
		}
	})
}

func TestMistakesNameTheArgument(t *testing.T) {
	table := harness.LoadTable(t)
	eras(t, func(t *testing.T, version string) {
		session := connect(t, version)
		for _, mistake := range table.Mistakes {
			result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: mistake.Tool, Arguments: mistake.Arguments})
			require.NoError(t, err, "%s %v", mistake.Tool, mistake.Arguments)
			require.True(t, result.IsError, "%s %v", mistake.Tool, mistake.Arguments)
			require.Contains(t, onlyText(t, result), mistake.Names, "%s %v", mistake.Tool, mistake.Arguments)
		}
		require.Equal(t, map[string]any{"exists": false}, call(t, session, "state_exists", map[string]any{"key": "k"}), "a refused call stored something")
	})
}

func TestUnknownTool(t *testing.T) {
	eras(t, func(t *testing.T, version string) {
		session := connect(t, version)
		_, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "state_gut", Arguments: map[string]any{"key": "k"}})
		var refused *jsonrpc.Error
		require.ErrorAs(t, err, &refused)
		require.EqualValues(t, jsonrpc.CodeInvalidParams, refused.Code)
		require.Contains(t, refused.Message, "state_gut")
		require.Equal(t, map[string]any{"found": false}, call(t, session, "state_get", map[string]any{"key": "k"}), "the server lives on")
	})
}

func TestPing(t *testing.T) {
	session := connect(t, "2025-11-25")
	require.NoError(t, session.Ping(t.Context(), nil))
}

// Many calls at once on one connection: each gets its own answer.
func TestConcurrentCalls(t *testing.T) {
	const callers, callsEach = 16, 50
	eras(t, func(t *testing.T, version string) {
		session := connect(t, version)
		failures := make(chan error, callers)
		for caller := range callers {
			go func() { failures <- countUp(t.Context(), session, string(rune('a'+caller)), callsEach) }()
		}
		for range callers {
			require.NoError(t, <-failures)
		}
		total := call(t, session, "state_increment", map[string]any{"key": "all", "delta": 0})
		require.EqualValues(t, callers*callsEach, total.(map[string]any)["value"])
	})
}

// countUp increments a key of its own and a shared one.
func countUp(ctx context.Context, session *mcp.ClientSession, key string, times int) error {
	for want := 1; want <= times; want++ {
		for _, k := range []string{key, "all"} {
			result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "state_increment", Arguments: map[string]any{"key": k}})
			if err != nil {
				return err
			}
			content, ok := result.StructuredContent.(map[string]any)
			if !ok || (k == key && content["value"] != float64(want)) {
				return errors.New("the answer is not that of the own key")
			}
		}
	}
	return nil
}
