//go:build !wasm

package mcp_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

// A tool from Go types, which asks the user before it acts. The handler is
// written once: a legacy client is asked while it waits, a modern one (as here)
// by a result, and the handler runs again with the answer.
func ExampleAddTool() {
	type in struct {
		Path string `json:"path" description:"What to delete."`
		Deep bool   `json:"deep" default:"true"`
	}
	type out struct {
		Deleted bool `json:"deleted"`
	}
	server := mcp.NewServer(mcp.Options{Name: "files", Version: "1.0.0"})
	mcp.AddTool(server, mcp.Tool{Name: "delete"}, func(ctx context.Context, req *mcp.CallRequest, in *in) (*out, error) {
		answer, err := req.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Delete " + in.Path + "?"})
		if err != nil {
			return nil, err // also mcp.ErrInputRequired: the handler is run again
		}
		return &out{Deleted: answer.Action == mcp.ElicitAccept}, nil
	})

	const call = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"delete","arguments":{"path":"/tmp/a"},%s"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`
	asked := server.NewExchange(fmt.Appendf(nil, call, 1, "")).Answer(context.Background(), "", nil)
	fmt.Println(strings.Contains(string(asked), `"resultType":"input_required"`))
	_, rest, _ := strings.Cut(string(asked), `"requestState":"`)
	state, _, _ := strings.Cut(rest, `"`)
	answers := `"inputResponses":{"question-1":{"action":"accept"}},"requestState":"` + state + `",`
	done := server.NewExchange(fmt.Appendf(nil, call, 2, answers)).Answer(context.Background(), "", nil)
	fmt.Println(strings.Contains(string(done), `"structuredContent":{"deleted":true}`))
	// Output:
	// true
	// true
}

// A question asked of a legacy client while the handler waits: the server sends a
// request, and the client's answer comes as any other message.
func ExampleCall_Elicit() {
	server := mcp.NewServer(mcp.Options{Name: "greeter", Version: "1.0.0"})
	server.AddTool(mcp.Tool{Name: "greet"}, func(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		type form struct {
			Name string `json:"name" minLength:"1"`
		}
		answer, err := req.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Who are you?", Schema: mcp.SchemaOf[form]()})
		if err != nil {
			return nil, err
		}
		if answer.Action != mcp.ElicitAccept {
			return mcp.TextResult("Hello, stranger!"), nil
		}
		var in form
		if err := mcp.DecodeArguments(answer.Content, &in); err != nil { // it comes from the client
			return nil, err
		}
		return mcp.TextResult("Hello, " + in.Name + "!"), nil
	})
	ctx := context.Background()
	client := inmemory.Connect(ctx, server, mcp.ConnOptions{})
	defer client.Close()
	hear := func() {
		frame, err := client.Receive(ctx)
		fmt.Println(string(frame), err)
	}
	client.Send([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}`))
	_, _ = client.Receive(ctx)
	client.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet"}}`))
	hear()
	client.Send([]byte(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"name":"Ada"}}}`))
	hear()
	// Output:
	// {"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"requestedSchema":{"type":"object","properties":{"name":{"type":"string","minLength":1}},"required":["name"],"additionalProperties":false},"message":"Who are you?"}} <nil>
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Hello, Ada!"}]}} <nil>
}

// A call that becomes a task: the client gets its name at once, and asks for it.
func ExampleCall_StartTask() {
	server := mcp.NewServer(mcp.Options{Name: "factory", Version: "1.0.0"})
	defer server.Close()
	done := make(chan struct{})
	server.AddTool(mcp.Tool{Name: "build", Task: mcp.TaskOptional}, func(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		ctx, err := req.Call().StartTask(ctx, &mcp.TaskOptions{TTL: time.Hour, Poll: time.Second})
		if err != nil {
			return nil, err
		}
		select {
		case <-done: // the long work
			return mcp.TextResult("built"), nil
		case <-ctx.Done(): // cancelled, or its TTL has passed
			return nil, ctx.Err()
		}
	})
	session := server.NewSession(mcp.SessionOptions{})
	defer session.Close()
	ask := func(method, params string) string {
		frame := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
		return string(session.NewExchange([]byte(frame)).Answer(context.Background(), "", nil))
	}
	ask("initialize", `"protocolVersion":"2025-11-25","capabilities":{}`)
	begun := ask("tools/call", `"name":"build","task":{"ttl":60000}`)
	_, rest, _ := strings.Cut(begun, `"taskId":"`)
	id, _, _ := strings.Cut(rest, `"`)
	fmt.Println(strings.Contains(ask("tasks/get", `"taskId":"`+id+`"`), `"ttl":60000,"pollInterval":1000,"status":"working"`))
	close(done)
	fmt.Println(strings.Contains(ask("tasks/result", `"taskId":"`+id+`"`), `"content":[{"type":"text","text":"built"}]`))
	// Output:
	// true
	// true
}
