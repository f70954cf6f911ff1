package sse_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/sse"
)

// A stream at /sse, and a ping that is answered on it.
func Example() {
	server := mcp.NewServer(mcp.Options{Name: "example", Version: "1.0.0"})
	mux := http.NewServeMux()
	mux.Handle("/sse", sse.NewHandler(server, sse.Options{}))
	endpoint := httptest.NewServer(mux) // a program has an http.Server on 127.0.0.1
	defer endpoint.Close()

	stream, err := http.Get(endpoint.URL + "/sse")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "data: /sse?"); ok { // of the event endpoint
			taken, err := http.Post(endpoint.URL+"/sse?"+at, "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
			if err != nil {
				fmt.Println(err)
				return
			}
			taken.Body.Close()
			fmt.Println(taken.Status)
		} else if strings.HasPrefix(lines.Text(), "data: {") {
			fmt.Println(lines.Text())
			return
		}
	}
	// Output:
	// 202 Accepted
	// data: {"jsonrpc":"2.0","id":1,"result":{}}
}
