package mcp_test

import (
	"context"
	"fmt"

	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/mcp"
)

// A tool with a schema of its own, whose arguments and results are held to it by a
// validator that the program brings.
func ExampleOptions_compileSchema() {
	server := mcp.NewServer(mcp.Options{
		Name: "shop", Version: "1.0.0",
		CompileSchema: func(text []byte) (func(document []byte) error, error) {
			compiled, err := schema.Compile(text)
			if err != nil {
				return nil, err
			}
			return compiled.Validate, nil
		},
	})
	server.AddTool(mcp.Tool{
		Name:         "price",
		InputSchema:  []byte(`{"type":"object","properties":{"item":{"enum":["tea","coffee"]}},"required":["item"]}`),
		OutputSchema: []byte(`{"type":"object","properties":{"cents":{"type":"integer","minimum":0}},"required":["cents"]}`),
	}, func(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		if string(req.Arguments) == `{"item":"tea"}` {
			return mcp.StructuredJSON([]byte(`{"cents":250}`)), nil
		}
		return mcp.StructuredJSON([]byte(`{"cents":-1}`)), nil
	})
	for _, item := range []string{"tea", "milk", "coffee"} {
		frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"price","arguments":{"item":%q}}}`, item)
		fmt.Println(string(server.NewExchange([]byte(frame)).Answer(context.Background(), mcp.VersionLegacy, nil)))
	}
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"cents\":250}"}],"structuredContent":{"cents":250}}}
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"argument \"item\": must be one of \"tea\", \"coffee\", not \"milk\""}],"isError":true}}
	// {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"tool price made a result that cannot be sent: structured content does not fit the OutputSchema: argument \"cents\": must be at least 0, not -1"}}
}
