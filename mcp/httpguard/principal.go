package httpguard

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Authenticator finds out who a request is from.
type Authenticator interface {
	// Wrap returns a handler that lets requests through to next whose
	// credentials are good, with who they are from in their context
	// ([WithPrincipal]), and refuses others. A refusal never repeats a secret.
	Wrap(next http.Handler) http.Handler
}

// Require puts a in front of next. A browser's preflight (CORS) has no
// credentials: for pages of other origins a Gate goes around both ([Gate.Wrap]).
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

type expiryKey struct{}

// WithExpiry returns a context that says until when the credentials of its
// request are good.
func WithExpiry(ctx context.Context, until time.Time) context.Context {
	return context.WithValue(ctx, expiryKey{}, until)
}

// UntilExpiry returns a context that ends when the credentials of its request
// do, if they do. It is for what goes on after the request was let in: streams,
// and connections that are kept. stop frees it.
func UntilExpiry(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	if until, ok := ctx.Value(expiryKey{}).(time.Time); ok {
		return context.WithDeadlineCause(ctx, until, errExpired)
	}
	return context.WithCancel(ctx)
}

var errExpired = errors.New("the credentials have expired")
