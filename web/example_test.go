package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ingot-run/ingot/js"
	"github.com/ingot-run/ingot/web"
)

// The page at /, beside an MCP endpoint of the caller's.
func ExampleHandler() {
	page, err := web.Handler(web.Options{Version: "v1.0.0", JS: js.Files()})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	server := httptest.NewServer(mux)
	defer server.Close()

	response, err := http.Get(server.URL + "/js/index.js")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status, response.Header.Get("Content-Type"))
	// Output: 200 OK text/javascript; charset=utf-8
}
