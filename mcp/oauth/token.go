package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Token is what an access token says.
type Token struct {
	Issuer   string
	Subject  string // whom the client acts for; may be empty when it acts for itself
	ClientID string // may be empty, but not both
	Scopes   []string
	Expires  time.Time
}

// lacks returns those of scopes that t lacks.
func (t *Token) lacks(scopes []string) (missing []string) {
	for _, scope := range scopes {
		if !slices.Contains(t.Scopes, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// principal names whom t is of, in one form for all of them: a subject may hold
// anything. It is the same for each of their tokens, and tells nothing of them.
func (t *Token) principal() string {
	kind, name := "subject", t.Subject
	if name == "" {
		kind, name = "client", t.ClientID
	}
	sum := sha256.Sum256([]byte(t.Issuer + "\x00" + kind + "\x00" + name))
	return "oauth-" + hex.EncodeToString(sum[:16])
}

// tokenBytesMax bounds a token; its bytes come from strangers.
const tokenBytesMax = 16 << 10

// standardAlgorithms are those of RFC 9068 and of OAuth 2.1 profiles.
var standardAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// safeAlgorithms are those that may be chosen. All are asymmetric: a key that
// signs is never fetched, and "none" is no signature (RFC 8725 section 3.1).
var safeAlgorithms = append([]jose.SignatureAlgorithm{
	jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES384, jose.ES512,
}, standardAlgorithms...)

// algorithmsOf reads Options.Algorithms.
func algorithmsOf(names []string) ([]jose.SignatureAlgorithm, error) {
	if len(names) == 0 {
		return standardAlgorithms, nil
	}
	var algorithms []jose.SignatureAlgorithm
	for _, name := range names {
		algorithm := jose.SignatureAlgorithm(name)
		if !slices.Contains(safeAlgorithms, algorithm) {
			return nil, fmt.Errorf("the algorithm %q is not one of %v", name, safeAlgorithms)
		}
		algorithms = append(algorithms, algorithm)
	}
	return algorithms, nil
}

// invalidError says why a token is refused. Its text goes to the client: it
// repeats nothing of the token.
type invalidError struct{ problem string }

func (e *invalidError) Error() string { return e.problem }

func invalid(problem string) error { return &invalidError{problem} }

// claims are those of an access token beside the registered ones.
type claims struct {
	jwt.Claims
	ClientID string          `json:"client_id"`
	Party    string          `json:"azp"` // OpenID Connect's name for it
	Scope    words           `json:"scope"`
	Scp      words           `json:"scp"` // some issuers' name for it
	Bound    json.RawMessage `json:"cnf"`
}

// words is a list, or a text of words.
type words []string

// UnmarshalJSON takes both forms.
func (w *words) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*w = strings.Fields(text)
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// verify returns what a token says, if it is one of the issuer for this server,
// signed and in force. The error is an *invalidError, or says why the keys cannot
// be had.
func (s *Server) verify(ctx context.Context, text string) (*Token, error) {
	if len(text) > tokenBytesMax {
		return nil, invalid("the token is too long")
	}
	parsed, err := jwt.ParseSigned(text, s.keys.algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, invalid("the token is not a JWT signed by an algorithm that is accepted here")
	}
	header := parsed.Headers[0]
	if kind, named := header.ExtraHeaders[jose.HeaderType]; named && !isTokenType(kind) {
		return nil, invalid("the JWT is of another type than an access token")
	}
	keys, err := s.keys.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	var c claims
	err = errors.New("no key")
	for _, key := range keys {
		if err = parsed.Claims(key, &c); err == nil {
			break
		}
		c = claims{}
	}
	if err != nil {
		return nil, invalid("the token's signature is not good, or its claims are not those of a token")
	}
	return s.check(&c)
}

// isTokenType reports whether a JWT of this type may be an access token (RFC
// 9068 section 2.1, RFC 8725 section 3.11); many issuers write JWT only.
func isTokenType(kind any) bool {
	text, ok := kind.(string)
	text = strings.TrimPrefix(strings.ToLower(text), "application/")
	return ok && (text == "at+jwt" || text == "jwt")
}

// check judges the claims of a token whose signature is good.
func (s *Server) check(c *claims) (*Token, error) {
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: s.options.Issuer, AnyAudience: s.audiences, Time: time.Now()}, s.options.Leeway)
	switch {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return nil, invalid("the token is of another issuer")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return nil, invalid("the token is for another audience")
	case errors.Is(err, jwt.ErrExpired):
		return nil, invalid("the token has expired")
	case err != nil:
		return nil, invalid("the token is not in force yet")
	case c.Expiry == nil:
		return nil, invalid("the token does not say when it expires")
	case len(c.Bound) > 0:
		return nil, invalid("the token is bound to a key, which is not supported here")
	}
	t := &Token{
		Issuer: c.Issuer, Subject: c.Subject, ClientID: c.ClientID,
		Scopes: slices.Concat(c.Scope, c.Scp), Expires: c.Expiry.Time(),
	}
	if t.ClientID == "" {
		t.ClientID = c.Party
	}
	if t.Subject == "" && t.ClientID == "" {
		return nil, invalid("the token says neither whom it is of nor which client has it")
	}
	return t, nil
}
