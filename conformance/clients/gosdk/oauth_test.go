package gosdk

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority is an authorization server whose users always agree.
type authority struct {
	t      *testing.T
	url    string
	key    *ecdsa.PrivateKey
	client *http.Client

	mu     sync.Mutex
	codes  map[string]url.Values // of authorization requests
	scopes []string              // of each token, in order
}

func startAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := &authority{t: t, key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.url = server.URL
	for path, document := range map[string]any{
		"/.well-known/oauth-authorization-server": map[string]any{
			"issuer": a.url, "jwks_uri": a.url + "/keys", "authorization_endpoint": a.url + "/authorize", "token_endpoint": a.url + "/token",
			"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
			"token_endpoint_auth_methods_supported": []string{"none", "client_secret_post"},
		},
		"/keys": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			assert.NoError(t, json.NewEncoder(w).Encode(document))
		})
	}
	mux.HandleFunc("POST /token", a.token)
	// The SDK's own dialer refuses addresses of this machine.
	a.client = &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true}}
	return a
}

// authorize is the user, who agrees to what the URL asks.
func (a *authority) authorize(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	u, err := url.Parse(args.URL)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	code := rand.Text()
	a.codes[code] = u.Query()
	return &auth.AuthorizationResult{Code: code, State: u.Query().Get("state")}, nil
}

// token gives a token for a code, for the resource and scopes that were agreed to.
func (a *authority) token(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.codes[r.FormValue("code")]
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if asked == nil || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("resource") != r.FormValue("resource") {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	a.scopes = append(a.scopes, asked.Get("scope"))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: a.key, KeyID: "1"}}, (&jose.SignerOptions{}).WithType("at+jwt"))
	require.NoError(a.t, err)
	text, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": a.url, "sub": "ada", "aud": r.FormValue("resource"), "scope": asked.Get("scope"), "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	require.NoError(a.t, err)
	w.Header().Set("Content-Type", "application/json")
	assert.NoError(a.t, json.NewEncoder(w).Encode(map[string]any{"access_token": text, "token_type": "Bearer", "expires_in": 3600, "scope": asked.Get("scope")}))
}

// freeAddress returns an address that was free a moment ago: the audience has to
// be known before the server listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// The SDK's client knows nothing but the endpoint: it finds the metadata and the
// issuer, logs in, and asks for a further scope when a tool needs one.
func TestClientFindsItsWayThroughOAuth(t *testing.T) {
	program := buildIngot(t)
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		for _, path := range []string{"", "/mcp"} {
			t.Run(version+" "+path, func(t *testing.T) {
				a := startAuthority(t)
				address := freeAddress(t)
				audience := "http://" + address + path
				origin := serve(t, program, "--listen", address, "--oauth-issuer", a.url, "--oauth-audience", audience,
					"--oauth-scope", "mcp", "--oauth-tool-scope", "*=state:write")
				handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
					PreregisteredClient: &oauthex.ClientCredentials{ClientID: "test"}, RedirectURL: "http://127.0.0.1:1/callback",
					AuthorizationCodeFetcher: a.authorize, Client: a.client,
				})
				require.NoError(t, err)
				transport := &mcp.StreamableClientTransport{Endpoint: origin + "/mcp", OAuthHandler: handler}
				client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
				session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
				require.NoError(t, err)
				defer session.Close()
				use := func(tool string, arguments map[string]any) {
					t.Helper()
					result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
					require.NoError(t, err)
					require.False(t, result.IsError, "%v", result.Content)
				}
				use("state_list", map[string]any{})
				use("state_set", map[string]any{"key": "k", "value": "v"})
				require.Len(t, a.scopes, 2, "one token to come in, one to write")
				assert.Contains(t, strings.Fields(a.scopes[0]), "mcp")
				assert.NotContains(t, strings.Fields(a.scopes[0]), "state:write")
				assert.Contains(t, strings.Fields(a.scopes[1]), "state:write")
			})
		}
	}
}
