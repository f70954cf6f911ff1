// Command mcpgo is the echo server of bench/mcp on mark3labs/mcp-go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const inputSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`

func main() {
	os.Exit(run())
}

func run() int {
	s := server.NewMCPServer("echo", "1", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewToolWithRawSchema("echo", "Answers the message.", json.RawMessage(inputSchema)), echo)
	if err := server.ServeStdio(s); err != nil {
		fmt.Fprintln(os.Stderr, "mcpgo:", err)
		return 1
	}
	return 0
}

func echo(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	message, err := req.RequireString("message")
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(message), nil
}
