// Command gosdk is the echo server of bench/http on the official Go SDK, with
// its untyped AddTool and JSON answers, the faster of its ways. It prints its
// address.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const inputSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`

func main() { os.Exit(run()) }

func run() int {
	server := mcp.NewServer(&mcp.Implementation{Name: "echo", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "echo", Description: "Answers the message.", InputSchema: json.RawMessage(inputSchema)}, echo)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println(listener.Addr())
		err = http.Serve(listener, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{JSONResponse: true}))
	}
	fmt.Fprintln(os.Stderr, "gosdk:", err)
	return 1
}

func echo(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
		return nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Message}}}, nil
}
