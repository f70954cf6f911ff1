package oauth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/mcp/oauth"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const audience = "https://mcp.example/mcp"

// Keys are made once: RSA takes its time.
var (
	rsaKey, _   = rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _    = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ = ed25519.GenerateKey(rand.Reader)
	otherKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
)

// issuer is an authorization server of which only what a resource server sees is
// there: its metadata, its keys, and tokens.
type issuer struct {
	t        *testing.T
	url      string // what it calls itself
	place    string // of its metadata
	metadata map[string]any

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	serve   http.HandlerFunc // in place of the keys, when not nil
	fetches map[string]int   // by path
}

// newIssuer starts one whose path is below its origin.
func newIssuer(t *testing.T, path string) *issuer {
	t.Helper()
	i := &issuer{t: t, fetches: map[string]int{}, place: "/.well-known/oauth-authorization-server" + path}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.setURL(server.URL, path)
	return i
}

func (i *issuer) setURL(origin, path string) {
	i.url = origin + path
	i.metadata = map[string]any{"issuer": i.url, "jwks_uri": origin + "/keys", "token_endpoint": i.url + "/token"}
	i.keys.Keys = []jose.JSONWebKey{
		{Key: rsaKey.Public(), KeyID: "rsa", Algorithm: "RS256", Use: "sig"},
		{Key: ecKey.Public(), KeyID: "ec", Use: "sig"},
		{Key: edKey.Public(), KeyID: "ed"},
	}
}

// ServeHTTP serves the metadata and the keys.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches[r.URL.Path]++
	serve, keys, metadata := i.serve, i.keys, i.metadata
	i.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == i.place:
		json.NewEncoder(w).Encode(metadata)
	case r.URL.Path == "/keys" && serve != nil:
		serve(w, r)
	case r.URL.Path == "/keys":
		json.NewEncoder(w).Encode(keys)
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) fetched(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches[path]
}

func (i *issuer) setKeys(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = jose.JSONWebKeySet{Keys: keys}
}

func (i *issuer) setServe(serve http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.serve = serve
}

// RoundTrip serves without a socket, whatever the host: for tests of time.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w.Result(), nil
}

// ticket says how a token differs from a good one.
type ticket struct {
	algorithm jose.SignatureAlgorithm // ES256
	key       any                     // ecKey
	kid       string                  // ec; "-" is none
	typ       string                  // at+jwt; "-" is none
	claims    map[string]any          // instead of or beside the standard ones; nil removes
}

// token signs one.
func (i *issuer) token(k ticket) string {
	i.t.Helper()
	if k.algorithm == "" {
		k.algorithm = jose.ES256
	}
	if k.key == nil {
		k.key = ecKey
	}
	switch k.kid {
	case "":
		k.kid = "ec"
	case "-":
		k.kid = ""
	}
	o := &jose.SignerOptions{}
	if k.typ != "-" {
		if k.typ == "" {
			k.typ = "at+jwt"
		}
		o.WithType(jose.ContentType(k.typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: jose.JSONWebKey{Key: k.key, KeyID: k.kid}}, o)
	require.NoError(i.t, err)
	now := time.Now()
	all := map[string]any{
		"iss": i.url, "aud": audience, "sub": "ada", "client_id": "app", "scope": "mcp more",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(),
	}
	for name, value := range k.claims {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	text, err := jwt.Signed(signer).Claims(all).Serialize()
	require.NoError(i.t, err)
	return text
}

// access is a resource server for i's tokens.
func (i *issuer) access(change func(*oauth.Options)) *oauth.Server {
	i.t.Helper()
	o := oauth.Options{Issuer: i.url, Audience: audience, Scopes: []string{"mcp"}}
	if change != nil {
		change(&o)
	}
	s, err := oauth.New(o)
	require.NoError(i.t, err)
	return s
}

// call sends a request with these Authorization headers to h behind s.
func call(s *oauth.Server, h http.HandlerFunc, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "https://mcp.example/mcp", strings.NewReader("{}"))
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	s.Wrap(h).ServeHTTP(w, r)
	return w
}

func welcome(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, oauth.TokenOf(r.Context()).Subject)
}

// try sends a token and returns the status, the challenge and the body.
func try(s *oauth.Server, token string) (int, string, string) {
	w := call(s, welcome, "Bearer "+token)
	return w.Code, w.Header().Get("WWW-Authenticate"), w.Body.String()
}
