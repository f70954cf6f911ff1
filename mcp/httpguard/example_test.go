package httpguard_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// A handler behind a guard, and one request with a token and one without.
func Example() {
	tokens, err := httpguard.NewTokens("0123456789abcdef0123456789abcdef")
	if err != nil {
		fmt.Println(err)
		return
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, httpguard.Principal(r.Context())) })
	handler := httpguard.LimitRate(httpguard.Require(tokens, inner), httpguard.Rate{PerSecond: 50, Burst: 200})
	for _, authorization := range []string{"", "Bearer 0123456789abcdef0123456789abcdef"} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	server := httpguard.NewServer(handler, slog.Default()) // a program listens with this one
	fmt.Println(server.ReadHeaderTimeout)
	// Output:
	// 401 a bearer token is required: send the header Authorization: Bearer TOKEN
	//
	// 200 token-ed11014c1d5b43f1
	// 5s
}
