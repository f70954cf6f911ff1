// Command echo is a server and its client in one wasm module: what the core of
// MCP weighs there. It answers a client of each era.
package main

import (
	"context"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

type arguments struct {
	Message string `json:"message" maxLength:"1000" description:"What to answer."`
}

type answer struct {
	Message string `json:"message"`
}

var requests = [...]string{
	`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"page","version":"1"}}}`,
	`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"message":"old"}}}`,
	`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"message":"new"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
}

func main() {
	ctx := context.Background()
	server := mcp.NewServer(mcp.Options{Name: "echo", Version: "1"})
	mcp.AddTool(server, mcp.Tool{Name: "echo", Description: "Answers the message."}, echo)
	client := inmemory.Connect(ctx, server, mcp.ConnOptions{})
	defer client.Close()
	for _, request := range requests {
		client.Send([]byte(request))
		frame, err := client.Receive(ctx)
		if err != nil {
			panic(err)
		}
		println(string(frame))
	}
}

func echo(_ context.Context, _ *mcp.CallRequest, in *arguments) (*answer, error) {
	return &answer{in.Message}, nil
}
