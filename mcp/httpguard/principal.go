package httpguard

import "context"

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
