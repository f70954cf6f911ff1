package statetools_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

func Example() {
	m, err := state.Open(state.Options{})
	if err != nil {
		panic(err)
	}
	defer m.Close()
	server := mcp.NewServer(mcp.Options{Name: "state", Version: "1", Tasks: statetools.NewTasks(m)})
	defer server.Close()
	statetools.Register(server, state.Public(m))
	statetools.RegisterResources(server, state.Public(m), statetools.ResourceOptions{})

	const hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}` + "\n"
	for _, request := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"user:ada","value":"Ada"}}}`,
		`{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"state:///user:ada"}}`,
	} {
		var answers bytes.Buffer
		if err := server.ServeStdio(context.Background(), strings.NewReader(hello+request+"\n"), &answers); err != nil {
			panic(err)
		}
		for answer := range strings.Lines(answers.String()) {
			if !strings.Contains(answer, `"id":0,`) { // that of initialize, which may come before or after
				fmt.Print(answer)
			}
		}
	}
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"stored\":true,\"version\":1}"}],"structuredContent":{"stored":true,"version":1}}}
	// {"jsonrpc":"2.0","id":2,"result":{"contents":[{"uri":"state:///user:ada","mimeType":"text/plain","text":"Ada","_meta":{"run.ingot/version":1}}]}}
}
