// Command mcpgo is the echo server of bench/http on mark3labs/mcp-go. It prints
// its address.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const inputSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`

func main() { os.Exit(run()) }

func run() int {
	s := server.NewMCPServer("echo", "1", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewToolWithRawSchema("echo", "Answers the message.", json.RawMessage(inputSchema)), echo)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println(listener.Addr())
		err = http.Serve(listener, server.NewStreamableHTTPServer(s))
	}
	fmt.Fprintln(os.Stderr, "mcpgo:", err)
	return 1
}

func echo(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	message, err := req.RequireString("message")
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(message), nil
}
