package mcp_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/ingot-run/ingot/mcp"
)

// A server with one tool, and a client's lines.
func Example() {
	server := mcp.NewServer(mcp.Options{Name: "greeter", Version: "1.0.0"})
	server.AddTool(mcp.Tool{
		Name:        "greet",
		Description: "Greets somebody.",
		InputSchema: []byte(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`),
		Inline:      true,
	}, func(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		var in struct {
			Name string `json:"name"`
		}
		if err := mcp.DecodeArguments(req.Arguments, &in); err != nil {
			return nil, err
		}
		return mcp.TextResult("Hello, " + in.Name + "!"), nil
	})

	client := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet","arguments":{"name":"Ada"}}}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"greet","arguments":{"nmae":"Ada"}}}
`)
	// A program passes os.Stdin here.
	if err := server.ServeStdio(context.Background(), client, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{},"tools":{"listChanged":true}},"serverInfo":{"name":"greeter","version":"1.0.0"}}}
	// {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"Hello, Ada!"}]}}
	// {"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"argument \"nmae\": is not known; did you mean \"name\"?"}],"isError":true}}
}

// A family of resources, and one that changes.
func ExampleServer_AddTemplate() {
	server := mcp.NewServer(mcp.Options{Name: "notes", Version: "1.0.0"})
	notes := map[string]string{"shopping": "milk"}
	server.AddTemplate(mcp.ResourceTemplate{URITemplate: "note:///{name}", Name: "note", MIMEType: "text/plain"},
		func(_ context.Context, req *mcp.ReadRequest) (*mcp.ReadResult, error) {
			text, ok := notes[req.Variables["name"]]
			if !ok {
				return nil, mcp.ErrNoResource
			}
			return &mcp.ReadResult{Contents: []mcp.ResourceContents{{MIMEType: "text/plain", Text: text}}}, nil
		})
	read := server.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"note:///shopping"}}`))
	fmt.Println(string(read.Answer(context.Background(), mcp.VersionLegacy, nil)))
	server.ResourceUpdated("note:///shopping") // tells who subscribed to it
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"note:///shopping","mimeType":"text/plain","text":"milk"}]}}
}

// outbox is a Stream that a transport would implement by its own means.
type outbox struct{}

func (outbox) Send(_ context.Context, frame []byte) error {
	fmt.Println(string(frame))
	return nil
}

// A transport of one's own, in memory: what comes in is received, what goes out
// is sent on a Stream.
func ExampleServer_Connect() {
	server := mcp.NewServer(mcp.Options{Name: "quiet", Version: "1.0.0"})
	conn := server.Connect(context.Background(), outbox{}, mcp.ConnOptions{})
	defer conn.Close()
	conn.Receive([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	conn.Drain()
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{}}
}
