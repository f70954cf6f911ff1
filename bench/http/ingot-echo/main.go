// Command ingot-echo is the echo server of bench/http on ingot's own packages:
// the row that the peers are compared with. It prints its address.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/streamable"
)

const inputSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`

func main() { os.Exit(run()) }

func run() int {
	server := mcp.NewServer(mcp.Options{Name: "echo", Version: "1"})
	server.AddTool(mcp.Tool{Name: "echo", Description: "Answers the message.", InputSchema: []byte(inputSchema), Inline: true}, echo)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println(listener.Addr())
		handler := streamable.NewHTTPHandler(server, streamable.HTTPOptions{})
		err = httpguard.NewServer(handler, slog.New(slog.DiscardHandler)).Serve(listener)
	}
	fmt.Fprintln(os.Stderr, "ingot-echo:", err)
	return 1
}

func echo(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var in struct {
		Message string `json:"message"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &in); err != nil {
		return nil, err
	}
	return mcp.TextResult(in.Message), nil
}
