package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// ScopeError says that the caller's token has not got what is needed.
type ScopeError struct {
	Missing []string
}

// Error names the scopes.
func (e *ScopeError) Error() string {
	return "the access token lacks the scope " + strings.Join(e.Missing, " ")
}

// grant is what one request's token allows.
type grant struct {
	token *Token

	mu      sync.Mutex
	missing []string // what handlers asked for in vain
}

type grantKey struct{}

// TokenOf returns the token that the request of ctx came with; nil when none was
// asked for. It is not to be changed.
func TokenOf(ctx context.Context) *Token {
	if g, ok := ctx.Value(grantKey{}).(*grant); ok {
		return g.token
	}
	return nil
}

// Allow returns a *ScopeError unless the caller's token has all scopes. A caller
// without a token, whom nobody asked for one, has none of them. The client is
// told by the status and headers of its answer what to ask for, where they are
// not sent yet.
func Allow(ctx context.Context, scopes ...string) error {
	g, _ := ctx.Value(grantKey{}).(*grant)
	if g == nil {
		if len(scopes) == 0 {
			return nil
		}
		return &ScopeError{Missing: scopes}
	}
	missing := g.token.lacks(scopes)
	if len(missing) == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, scope := range scopes { // those that it has too: a new token is to have all
		if !slices.Contains(g.missing, scope) {
			g.missing = append(g.missing, scope)
		}
	}
	return &ScopeError{Missing: missing}
}

// Wrap is httpguard.Authenticator's. The principal is the same for all tokens of
// one subject.
func (s *Server) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := httpguard.Bearer(r)
		if err != nil {
			s.refuse(w, http.StatusUnauthorized, "", err.Error(), nil)
			return
		}
		token, err := s.verify(r.Context(), text)
		if err != nil {
			s.refuseToken(w, err)
			return
		}
		if missing := token.lacks(s.options.Scopes); len(missing) > 0 {
			s.refuse(w, http.StatusForbidden, "insufficient_scope", (&ScopeError{Missing: missing}).Error(), nil)
			return
		}
		g := &grant{token: token}
		ctx := httpguard.WithPrincipal(r.Context(), token.principal())
		ctx = httpguard.WithExpiry(ctx, token.Expires.Add(s.options.Leeway))
		r = r.WithContext(context.WithValue(ctx, grantKey{}, g))
		if r.Method == http.MethodPost {
			w = &stepUp{ResponseWriter: w, server: s, grant: g}
		}
		next.ServeHTTP(w, r)
	})
}

// refuseToken answers a request whose token is not good, or cannot be judged.
func (s *Server) refuseToken(w http.ResponseWriter, err error) {
	if problem, ok := errors.AsType[*invalidError](err); ok {
		s.refuse(w, http.StatusUnauthorized, "invalid_token", problem.Error(), nil)
		return
	}
	// A client must not take this for its token's fault, and throw it away. Why the
	// issuer cannot be reached is its owner's to know: it is in the log.
	w.Header().Set("Retry-After", "10")
	http.Error(w, "access tokens cannot be checked now: their issuer does not answer as it should", http.StatusServiceUnavailable)
}

// refuse answers with a challenge. code and more (further scopes) may be empty.
func (s *Server) refuse(w http.ResponseWriter, status int, code, problem string, more []string) {
	s.challenge(w.Header(), code, problem, more)
	http.Error(w, problem, status)
}

// challenge says what a client has to bring (RFC 6750 section 3, RFC 9728
// section 5.1).
func (s *Server) challenge(h http.Header, code, problem string, more []string) {
	parameters := []string{s.located}
	if code != "" {
		parameters = append(parameters, `error="`+code+`"`, `error_description="`+problem+`"`)
	}
	scopes := slices.Clone(s.options.Scopes)
	for _, scope := range more {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	if len(scopes) > 0 {
		parameters = append(parameters, `scope="`+strings.Join(scopes, " ")+`"`)
	}
	h.Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, ", "))
}

// stepUp makes a 403 of an answer whose handler lacked a scope. The answer keeps
// its body, by which other clients than OAuth's know what happened.
type stepUp struct {
	http.ResponseWriter
	server *Server
	grant  *grant
	began  bool
}

// WriteHeader is http.ResponseWriter's.
func (w *stepUp) WriteHeader(status int) {
	if !w.began && (status == http.StatusOK || status == http.StatusBadRequest) {
		w.grant.mu.Lock()
		missing := slices.Clone(w.grant.missing)
		w.grant.mu.Unlock()
		if len(missing) > 0 {
			status = http.StatusForbidden
			w.server.challenge(w.Header(), "insufficient_scope", "this needs further scopes", missing)
		}
	}
	w.began = w.began || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

// Write is http.ResponseWriter's.
func (w *stepUp) Write(data []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap is for http.ResponseController.
func (w *stepUp) Unwrap() http.ResponseWriter { return w.ResponseWriter }
