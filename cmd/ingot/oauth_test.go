package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"github.com/ingot-run/ingot/internal/httpserve"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// startIssuer starts an authorization server of which the metadata and the keys
// are there, and returns its URL and what signs its tokens.
func startIssuer(t *testing.T) (url string, token func(claims map[string]any) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	documents := map[string]any{
		"/.well-known/oauth-authorization-server": map[string]string{"issuer": server.URL, "jwks_uri": server.URL + "/keys"},
		"/keys": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}},
	}
	for path, document := range documents {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(document) })
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return server.URL, func(claims map[string]any) string {
		all := map[string]any{"iss": server.URL, "sub": "ada", "exp": time.Now().Add(time.Hour).Unix()}
		for name, value := range claims {
			all[name] = value
		}
		text, err := jwt.Signed(signer).Claims(all).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func TestOAuthFlags(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	const both = "--oauth-issuer https://login.example --oauth-audience https://box.example "
	for _, c := range []struct{ args, want string }{
		{"--oauth-issuer https://login.example", "the audience is missing"},
		{"--oauth-audience https://box.example", "the issuer is missing"},
		{"--oauth-scope mcp", "need --oauth-issuer"},
		{both + "--auth-disabled", "goes with neither"},
		{both + "--token-file x", "goes with neither"},
		{both + "--oauth-tool-scope state_gett=x", `no tool "state_gett"; there are state_get`},
		{both + "--oauth-tool-scope state_get", "state_get"},
		{"--oauth-issuer http://login.example --oauth-audience https://box.example", "neither https nor"},
		{"--trusted-proxy 127.0.0.1", "reach this server through a proxy"},
		{"--auth-disabled --trusted-proxy nginx", "neither a network"},
		{"--auth-disabled --trusted-proxy 127.0.0.1 --proxy-header X-Real-IP", "--proxy-header"},
	} {
		code, stdout, stderr := runWith(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, strings.Fields(c.args)...)...)
		if code == 0 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

// A server that asks for access tokens: all paths of MCP, the metadata, and a
// scope for what writes.
func TestOAuthServer(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	issuer, token := startIssuer(t)
	const audience = "https://box.example"
	s := serve(t, "--oauth-issuer", issuer, "--oauth-audience", audience, "--oauth-scope", "mcp", "--oauth-tool-scope", "*=state:write")
	if !strings.Contains(s.welcome, "OAuth "+issuer) || strings.Contains(s.welcome, "Authorization") {
		t.Errorf("welcome: %s", s.welcome)
	}
	reader := token(map[string]any{"aud": audience, "scope": "mcp"})
	writer := token(map[string]any{"aud": audience + "/", "scope": "mcp state:write"})
	for _, c := range []struct {
		method, path, token, tool string
		status                    int
		challenge                 string
	}{
		{"POST", "/mcp", "", "state_list", 401, `Bearer resource_metadata="https://box.example/.well-known/oauth-protected-resource", scope="mcp"`},
		{"GET", "/sse", "", "", 401, "resource_metadata"},
		{"GET", "/ws", "", "", 401, "resource_metadata"},
		{"POST", "/mcp", token(map[string]any{"aud": "https://other.example", "scope": "mcp"}), "state_list", 401, "invalid_token"},
		{"POST", "/mcp", token(map[string]any{"aud": audience}), "state_list", 403, "insufficient_scope"},
		{"POST", "/mcp", reader, "state_list", 200, ""},
		{"POST", "/mcp", reader, "state_set", 403, `scope="mcp state:write"`},
		{"POST", "/mcp", writer, "state_set", 200, ""},
		{"POST", "/mcp", strings.ToUpper(reader), "state_list", 401, "invalid_token"},
		{"GET", "/.well-known/oauth-protected-resource", "", "", 200, ""},
		{"GET", "/", "", "", 200, ""},
	} {
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + c.tool + `","arguments":{"key":"k","value":"v"}}}`
		if c.tool == "state_list" {
			body = strings.Replace(body, `"key":"k","value":"v"`, "", 1)
		}
		r, err := http.NewRequest(c.method, s.origin+c.path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "box.example" // allowed since tokens are for it
		r.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(w.Body)
		w.Body.Close()
		if challenge := w.Header.Get("WWW-Authenticate"); err != nil || w.StatusCode != c.status || !strings.Contains(challenge, c.challenge) {
			t.Errorf("%s %s %s: %d %s, %q, %v; want %d %s", c.method, c.path, c.tool, w.StatusCode, text, challenge, err, c.status, c.challenge)
		}
	}
}

// Behind a proxy each of its clients has its own rate, whatever it claims.
func TestRateBehindProxy(t *testing.T) {
	s := serve(t, "--auth-disabled", "--trusted-proxy", "127.0.0.0/8", "--rate", "0.2") // 2 at once
	send := func(forwarded ...string) int {
		r, err := http.NewRequest("GET", s.origin+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["X-Forwarded-For"] = forwarded
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		return w.StatusCode
	}
	for i, want := range []int{200, 200, 429, 429} {
		spoofed := string(rune('1'+i)) + ".2.3.4, 198.51.100.7"
		if got := send(spoofed); got != want {
			t.Errorf("request %d of one client: %d, want %d", i, got, want)
		}
	}
	if got := send("198.51.100.8"); got != 200 {
		t.Errorf("another client: %d", got)
	}
}
