// Command ingot-echo is the echo server of bench/mcp on ingot's own mcp
// package: the row that the peers are compared with.
package main

import (
	"context"
	"os"

	"github.com/ingot-run/ingot/mcp"
)

const inputSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`

type echoArguments struct {
	Message string `json:"message"` // required: Decode refuses a call without it
}

func main() {
	os.Exit(run(context.Background()))
}

func run(ctx context.Context) int {
	server := mcp.NewServer(mcp.Options{Name: "echo", Version: "1"})
	server.AddTool(mcp.Tool{
		Name:        "echo",
		Description: "Answers the message.",
		InputSchema: []byte(inputSchema),
		Inline:      true, // it never waits
	}, echo)
	if err := server.ServeStdio(ctx, os.Stdin, os.Stdout); err != nil {
		os.Stderr.WriteString("ingot-echo: " + err.Error() + "\n")
		return 1
	}
	return 0
}

func echo(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var in echoArguments
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	return req.Text(in.Message), nil
}
