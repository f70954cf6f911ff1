package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	client "github.com/coder/websocket"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/websocket"
)

// An endpoint at /ws, and a ping.
func Example() {
	server := mcp.NewServer(mcp.Options{Name: "example", Version: "1.0.0"})
	handler := websocket.NewHandler(server, websocket.Options{})
	mux := http.NewServeMux()
	mux.Handle("/ws", handler)
	endpoint := httptest.NewServer(mux) // a program has an http.Server on 127.0.0.1
	defer endpoint.Close()
	ctx := context.Background()

	c, _, err := client.Dial(ctx, endpoint.URL+"/ws", &client.DialOptions{Subprotocols: []string{websocket.Subprotocol}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	if err := c.Write(ctx, client.MessageText, []byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); err != nil {
		fmt.Println(err)
		return
	}
	_, answer, err := c.Read(ctx)
	fmt.Println(string(answer), err)
	fmt.Println(c.Close(client.StatusNormalClosure, ""), handler.Close(ctx))
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{}} <nil>
	// <nil> <nil>
}
