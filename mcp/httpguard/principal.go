package httpguard

import (
	"context"
	"net/http"
)

// Authenticator finds out who a request is from.
type Authenticator interface {
	// Wrap returns a handler that lets requests through to next whose
	// credentials are good, with who they are from in their context
	// ([WithPrincipal]), and refuses others. A refusal never repeats a secret.
	Wrap(next http.Handler) http.Handler
}

// Require puts a in front of next.
func Require(a Authenticator, next http.Handler) http.Handler { return a.Wrap(next) }

type principalKey struct{}

// WithPrincipal returns a context that says who the request is from. Whoever
// the request is from, it is never "".
func WithPrincipal(ctx context.Context, principal string) context.Context {
	return context.WithValue(ctx, principalKey{}, principal)
}

// Principal returns who a request's context says it is from; "" when nobody
// was asked. Transports hand it to the server, which binds sessions, request
// states and tasks to it.
func Principal(ctx context.Context) string {
	principal, _ := ctx.Value(principalKey{}).(string)
	return principal
}
