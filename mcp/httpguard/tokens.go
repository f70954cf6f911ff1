package httpguard

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Bounds of tokens.
const (
	tokenLengthMin = 16
	tokenFileMax   = 64 << 10
	tokensMax      = 1000
)

// Tokens lets in who has one of a list of bearer tokens (RFC 6750). It keeps
// their SHA-256 only, and compares in constant time.
type Tokens struct {
	sums  [][sha256.Size]byte
	names []string // by which their owners are known; empty: by the hash
}

var _ Authenticator = (*Tokens)(nil)

// NewTokens returns an Authenticator for tokens of at least 16 visible ASCII
// characters. Its errors do not repeat them.
func NewTokens(tokens ...string) (*Tokens, error) {
	return newTokens(tokens, make([]string, len(tokens)))
}

func newTokens(tokens, names []string) (*Tokens, error) {
	if len(tokens) == 0 || len(tokens) > tokensMax {
		return nil, fmt.Errorf("%d tokens; 1 to %d are allowed", len(tokens), tokensMax)
	}
	t := &Tokens{names: names}
	for i, token := range tokens {
		if len(token) < tokenLengthMin || strings.ContainsFunc(token, func(r rune) bool { return r < 0x21 || r > 0x7E }) {
			return nil, fmt.Errorf("token %d of %d has to be %d or more visible ASCII characters; openssl rand -hex 32 makes a good one", i+1, len(tokens), tokenLengthMin)
		}
		t.sums = append(t.sums, sha256.Sum256([]byte(token)))
	}
	return t, nil
}

// ReadTokens reads a file with one token a line; empty lines and those that
// begin with # do not count. A name may stand in front, as in
//
//	ci: 0123456789abcdef0123456789abcdef
//
// and is what the owner is known by: the principal is token:ci. A name has 1 to 64 of
// A-Z a-z 0-9 _ . and -. Two tokens, of one name or of none, let clients change from
// one to the next.
func ReadTokens(path string) (*Tokens, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tokenFileMax+1))
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	if len(text) > tokenFileMax {
		return nil, fmt.Errorf("reading tokens: %s has more than %d bytes", path, tokenFileMax)
	}
	var tokens, names []string
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		name, token, found := strings.Cut(string(line), ": ")
		if !found || !isName(name) {
			name, token = "", string(line)
		}
		tokens, names = append(tokens, strings.TrimSpace(token)), append(names, name)
	}
	t, err := newTokens(tokens, names)
	if err != nil {
		return nil, fmt.Errorf("reading tokens from %s: %w", path, err)
	}
	return t, nil
}

// isName reports whether a text may name the owner of a token.
func isName(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool {
		return r > 'z' || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", r)
	})
}

// Wrap is Authenticator's. The principal is named for the token's owner, or its hash.
func (t *Tokens) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := Bearer(r)
		principal := ""
		if err == nil {
			principal = t.principal(token)
		}
		switch {
		case err != nil:
			w.Header().Set("WWW-Authenticate", `Bearer realm="mcp"`)
			http.Error(w, err.Error(), http.StatusUnauthorized)
		case principal == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="mcp", error="invalid_token"`)
			http.Error(w, "the bearer token is not one of this server's", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r.WithContext(WithPrincipal(r.Context(), principal)))
		}
	})
}

// principal returns who has token; "" for nobody. It looks at all of them.
func (t *Tokens) principal(token string) (found string) {
	sum := sha256.Sum256([]byte(token))
	for i := range t.sums {
		if subtle.ConstantTimeCompare(sum[:], t.sums[i][:]) == 1 {
			name := sha256.Sum256(sum[:]) // tells nothing of the token, not even its hash
			found = "token-" + hex.EncodeToString(name[:8])
			if t.names[i] != "" {
				found = "token:" + t.names[i]
			}
		}
	}
	return found
}

var errNoBearer = errors.New("a bearer token is required: send the header Authorization: Bearer TOKEN")

// Bearer returns the bearer token of r (RFC 6750 section 2.1); the error tells
// the client what is wanted.
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", errNoBearer
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return "", errNoBearer
	}
	return strings.TrimSpace(token), nil
}
