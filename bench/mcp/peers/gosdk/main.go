// Command gosdk is the echo server of bench/mcp on the official Go SDK.
// With the argument "typed" it uses the generic mcp.AddTool (the SDK decodes
// and validates the arguments), with "raw" the untyped Server.AddTool (the
// handler decodes them).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const inputSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`

type echoArguments struct {
	Message *string `json:"message"`
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	server := mcp.NewServer(&mcp.Implementation{Name: "echo", Version: "1"}, nil)
	tool := &mcp.Tool{Name: "echo", Description: "Answers the message.", InputSchema: json.RawMessage(inputSchema)}
	switch {
	case len(args) == 1 && args[0] == "typed":
		mcp.AddTool(server, tool, echoTyped)
	case len(args) == 1 && args[0] == "raw":
		server.AddTool(tool, echoRaw)
	default:
		fmt.Fprintln(os.Stderr, "usage: gosdk typed|raw")
		return 2
	}
	if err := server.Run(ctx, &mcp.StdioTransport{}); err != nil {
		fmt.Fprintln(os.Stderr, "gosdk:", err)
		return 1
	}
	return 0
}

func echoTyped(_ context.Context, _ *mcp.CallToolRequest, in echoArguments) (*mcp.CallToolResult, any, error) {
	if in.Message == nil {
		return nil, nil, errors.New("argument message is missing")
	}
	return textResult(*in.Message), nil, nil
}

func echoRaw(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in echoArguments
	if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
		return nil, err
	}
	if in.Message == nil {
		return nil, errors.New("argument message is missing")
	}
	return textResult(*in.Message), nil
}

func textResult(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}
