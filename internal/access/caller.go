package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
)

// Callers that nobody gave a name.
const (
	Local     = "local"     // who started a server that speaks over stdin
	Anonymous = "anonymous" // who came in where nobody is asked
)

// Caller is who a request is from.
type Caller struct {
	// Name says of which kind the caller is, and who: see [Role].Principals.
	Name string
	// Client is the OAuth client that acts for the caller, as client:ID; empty: none.
	Client string
	Scopes []string // of the access token
}

// WithLocal returns a context whose requests are from who started the server.
func WithLocal(ctx context.Context) context.Context { return httpguard.WithPrincipal(ctx, Local) }

// CallerOf returns who a request is from, by what its context says: the access token
// that OAuth checked, or the name that a guard gave.
func CallerOf(ctx context.Context) Caller {
	if t := oauth.TokenOf(ctx); t != nil {
		return callerOf(t)
	}
	if name := httpguard.Principal(ctx); name != "" {
		return Caller{Name: name}
	}
	return Caller{Name: Anonymous}
}

func callerOf(t *oauth.Token) Caller {
	c := Caller{Scopes: t.Scopes}
	if t.ClientID != "" {
		c.Client = "client:" + t.ClientID
	}
	if c.Name = "oauth:" + t.Subject; t.Subject == "" {
		c.Name = c.Client
	}
	return c
}

// Kind is the kind of a caller: token, oauth, client, mtls, local or anonymous.
func (c *Caller) Kind() string {
	kind, _, found := strings.Cut(c.Name, ":")
	if !found && strings.HasPrefix(c.Name, "token-") {
		return "token"
	}
	return kind
}

// has reports whether a role is one of the caller's.
func (c *Caller) has(r *Role) bool {
	for _, p := range r.Principals {
		if matches(p, c.Name) || c.Client != "" && matches(p, c.Client) {
			return true
		}
	}
	for _, words := range r.Scopes {
		if c.scoped(words) {
			return true
		}
	}
	return false
}

// scoped reports whether the caller has all scopes of a text of words.
func (c *Caller) scoped(words string) bool {
	scopes := strings.Fields(words)
	for _, scope := range scopes {
		if !slices.Contains(c.Scopes, scope) {
			return false
		}
	}
	return len(scopes) > 0
}

// ownBytesMax bounds a name in a key of the state.
const ownBytesMax = 256

// own is the caller's name as it stands for ${principal}: no two callers have the same,
// and none has a slash or a star in it. Bytes other than letters, digits and _ . - @ :
// are percent-encoded; of a long name it is the SHA-256, behind a mark that no encoded
// name has.
func (c *Caller) own() string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(c.Name) {
		b := c.Name[i]
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("_.-@:", b) >= 0 {
			out.WriteByte(b)
		} else {
			out.Write([]byte{'%', digits[b>>4], digits[b&15]})
		}
	}
	if out.Len() <= ownBytesMax {
		return out.String()
	}
	sum := sha256.Sum256([]byte(c.Name))
	return "%sha256:" + hex.EncodeToString(sum[:])
}
