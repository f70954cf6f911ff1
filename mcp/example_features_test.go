package mcp_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ingot-run/ingot/mcp"
)

// answer prints what a server answers to one legacy request that stands alone.
func answer(server *mcp.Server, method, params string) {
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	fmt.Println(string(server.NewExchange([]byte(frame)).Answer(context.Background(), mcp.VersionLegacy, nil)))
}

// What a server offers may change while it serves: each change is one step, of which
// clients hear once.
func ExampleServer_Update() {
	server := mcp.NewServer(mcp.Options{Name: "shop", Version: "1.0.0"})
	sell := func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.TextResult("sold"), nil }
	server.AddTool(mcp.Tool{Name: "sell_tea"}, sell)
	server.Update(func(c *mcp.Catalog) {
		c.RemoveTool("sell_tea")
		c.AddTool(mcp.Tool{Name: "sell_coffee"}, sell)
	})
	answer(server, "tools/list", `{}`)
	answer(server, "tools/call", `{"name":"sell_tea"}`)
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"sell_coffee","inputSchema":{"type":"object"}}]}}
	// {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: sell_tea"}}
}

// A resource that is there under one URI.
func ExampleServer_AddResource() {
	server := mcp.NewServer(mcp.Options{Name: "clock", Version: "1.0.0"})
	server.AddResource(mcp.Resource{URI: "clock:///zone", Name: "zone", MIMEType: "text/plain"},
		func(context.Context, *mcp.ReadRequest) (*mcp.ReadResult, error) {
			return &mcp.ReadResult{Contents: []mcp.ResourceContents{{Text: "UTC"}}}, nil
		})
	answer(server, "resources/read", `{"uri":"clock:///zone"}`)
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"clock:///zone","text":"UTC"}]}}
}

// A prompt with an argument, whose values are suggested.
func ExampleServer_AddPrompt() {
	server := mcp.NewServer(mcp.Options{Name: "reviewer", Version: "1.0.0"})
	server.AddPrompt(mcp.Prompt{
		Name:      "review",
		Arguments: []mcp.PromptArgument{{Name: "language", Required: true}},
		Complete: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Values: []string{"go", "rust"}}, nil
		},
	}, func(_ context.Context, req *mcp.PromptRequest) (*mcp.PromptResult, error) {
		text := "Review this code in " + req.Arguments["language"] + "."
		return &mcp.PromptResult{Messages: []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.Content{Text: text}}}}, nil
	})
	answer(server, "prompts/get", `{"name":"review","arguments":{"language":"go"}}`)
	answer(server, "prompts/get", `{"name":"review"}`)
	answer(server, "completion/complete", `{"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"language","value":""}}`)
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"messages":[{"role":"user","content":{"type":"text","text":"Review this code in go."}}]}}
	// {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"prompt review: argument \"language\": is missing"}}
	// {"jsonrpc":"2.0","id":1,"result":{"completion":{"values":["go","rust"],"hasMore":false}}}
}

// What all calls have in common wraps their handlers: here, who may call. It is
// ordinary code around a call, so that logging, limits and measurements look alike.
func ExampleOptions_wrapTool() {
	var calls int
	server := mcp.NewServer(mcp.Options{
		Name: "vault", Version: "1.0.0",
		WrapTool: func(t mcp.Tool, h mcp.Handler) mcp.Handler {
			return func(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
				calls++
				if t.Name == "open" && req.Call().Principal() != "ada" {
					return nil, errors.New("only ada may open the vault")
				}
				return h(ctx, req)
			}
		},
	})
	server.AddTool(mcp.Tool{Name: "open"}, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult("open"), nil
	})
	for _, who := range []string{"ada", "eve"} {
		e := server.NewExchange([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open"}}`))
		e.Principal = who // as the transport authenticated it
		fmt.Println(string(e.Answer(context.Background(), mcp.VersionLegacy, nil)))
	}
	fmt.Println(calls, "calls")
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"open"}]}}
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"only ada may open the vault"}],"isError":true}}
	// 2 calls
}

// A tool that is called often: its arguments are decoded from the scan that read the
// message, and its result is in the request's memory.
func ExampleCallRequest_Decode() {
	server := mcp.NewServer(mcp.Options{Name: "echo", Version: "1.0.0"})
	server.AddTool(mcp.Tool{Name: "echo", Inline: true}, func(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		var in struct {
			Message string `json:"message" maxLength:"5"`
		}
		if err := req.Decode(&in); err != nil {
			return nil, err
		}
		return req.Text(in.Message), nil
	})
	answer(server, "tools/call", `{"name":"echo","arguments":{"message":"hello"}}`)
	answer(server, "tools/call", `{"name":"echo","arguments":{"message":"too long"}}`)
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"argument \"message\": must have at most 5 characters, not 8"}],"isError":true}}
}
