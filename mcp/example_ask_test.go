//go:build !wasm

package mcp_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/mcp"
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
