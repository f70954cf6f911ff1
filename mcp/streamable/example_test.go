package streamable_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// An endpoint at /mcp, and a ping.
func Example() {
	server := mcp.NewServer(mcp.Options{Name: "example", Version: "1.0.0"})
	mux := http.NewServeMux()
	mux.Handle("/mcp", streamable.NewHTTPHandler(server, streamable.HTTPOptions{}))
	endpoint := httptest.NewServer(mux) // a program has an http.Server on 127.0.0.1
	defer endpoint.Close()

	response, err := http.Post(endpoint.URL+"/mcp", "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Println(response.Status, string(body), err)
	// Output: 200 OK {"jsonrpc":"2.0","id":1,"result":{}} <nil>
}
