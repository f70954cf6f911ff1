package oauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
)

// What a client without a token is told, and what it finds there.
func Example() {
	access, err := oauth.New(oauth.Options{
		Issuer:   "https://login.example",
		Audience: "https://mcp.example/mcp",
		Scopes:   []string{"mcp"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", httpguard.Require(access, http.NotFoundHandler())) // a program has its transport's handler here
	for _, path := range access.MetadataPaths() {
		mux.Handle(path, access.Metadata())
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://mcp.example/mcp", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://mcp.example/.well-known/oauth-protected-resource/mcp", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// 401 Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="mcp"
	// 200 {"authorization_servers":["https://login.example"],"bearer_methods_supported":["header"],"resource":"https://mcp.example/mcp","scopes_supported":["mcp"]}
}
