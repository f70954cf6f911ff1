package httpserve

import (
	"maps"
	"net/http"

	"github.com/ingot-run/ingot/mcp/oauth"
)

// Offer serves h at a path, beside what [Door.Tell] was given: call it after that one. It
// is for those who may use MCP, and where they have scopes (OAuth) for those with scope.
func (d *Door) Offer(path, scope string, h http.Handler) {
	if d.Auth() == "oauth" {
		h = scoped(scope, h)
	}
	d.beside = maps.Clone(d.beside)
	if d.beside == nil {
		d.beside = map[string]http.Handler{}
	}
	d.beside[path] = h
}

// scoped refuses who does not have a scope.
func scoped(scope string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := oauth.Allow(r.Context(), scope); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
