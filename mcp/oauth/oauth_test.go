package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
)

func TestGoodTokens(t *testing.T) {
	i := newIssuer(t, "")
	s := i.access(nil)
	for name, k := range map[string]ticket{
		"ES256":                 {},
		"RS256":                 {algorithm: jose.RS256, key: rsaKey, kid: "rsa"},
		"EdDSA":                 {algorithm: jose.EdDSA, key: edKey, kid: "ed"},
		"of no type":            {typ: "-"},
		"of the type JWT":       {typ: "JWT"},
		"of the full type":      {typ: "application/at+jwt"},
		"several audiences":     {claims: map[string]any{"aud": []string{"https://other.example", audience}}},
		"scopes as an array":    {claims: map[string]any{"scope": nil, "scp": []string{"mcp"}}},
		"without a key id":      {kid: "-"},
		"a clock ahead":         {claims: map[string]any{"iat": time.Now().Add(20 * time.Second).Unix(), "nbf": time.Now().Add(20 * time.Second).Unix()}},
		"expired within leeway": {claims: map[string]any{"exp": time.Now().Add(-10 * time.Second).Unix()}},
	} {
		status, _, body := try(s, i.token(k))
		assert.Equal(t, 200, status, "%s: %s", name, body)
		assert.Equal(t, "ada", body, name)
	}
	assert.Equal(t, 1, i.fetched("/keys"), "the keys are kept")
	w := call(s, welcome, "bEARER "+i.token(ticket{}))
	assert.Equal(t, 200, w.Code)
}

// alter changes one part of a token, which is then not what was signed.
func alter(token string, part int, change func(map[string]any)) string {
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		panic(err)
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		panic(err)
	}
	change(object)
	if raw, err = json.Marshal(object); err != nil {
		panic(err)
	}
	parts[part] = base64.RawURLEncoding.EncodeToString(raw)
	return strings.Join(parts, ".")
}

func TestBadTokens(t *testing.T) {
	i := newIssuer(t, "")
	s := i.access(nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	i.setKeys(append(i.keys.Keys, jose.JSONWebKey{Key: weak.Public(), KeyID: "weak"}, jose.JSONWebKey{Key: p384.Public(), KeyID: "p384"},
		jose.JSONWebKey{Key: otherKey.Public(), KeyID: "enc", Use: "enc"})...)
	good := i.token(ticket{})
	public, err := json.Marshal(i.keys.Keys[1])
	require.NoError(t, err)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
	for name, c := range map[string]struct{ token, problem string }{
		"wrong audience":     {i.token(ticket{claims: map[string]any{"aud": "https://mcp.example"}}), "another audience"},
		"no audience":        {i.token(ticket{claims: map[string]any{"aud": nil}}), "another audience"},
		"audience too long":  {i.token(ticket{claims: map[string]any{"aud": audience + "/"}}), "another audience"},
		"wrong issuer":       {i.token(ticket{claims: map[string]any{"iss": i.url + "/"}}), "another issuer"},
		"no issuer":          {i.token(ticket{claims: map[string]any{"iss": nil}}), "another issuer"},
		"expired":            {i.token(ticket{claims: map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}}), "expired"},
		"never expires":      {i.token(ticket{claims: map[string]any{"exp": nil}}), "when it expires"},
		"not yet":            {i.token(ticket{claims: map[string]any{"nbf": time.Now().Add(time.Minute).Unix()}}), "not in force yet"},
		"from the future":    {i.token(ticket{claims: map[string]any{"iat": time.Now().Add(time.Minute).Unix()}}), "not in force yet"},
		"of nobody":          {i.token(ticket{claims: map[string]any{"sub": nil, "client_id": nil}}), "whom it is of"},
		"bound to a key":     {i.token(ticket{claims: map[string]any{"cnf": map[string]any{"jkt": "x"}}}), "bound to a key"},
		"none":               {none, "an algorithm that is accepted"},
		"HS256, public key":  {i.token(ticket{algorithm: jose.HS256, key: public}), "an algorithm that is accepted"},
		"RS512, not chosen":  {i.token(ticket{algorithm: jose.RS512, key: rsaKey, kid: "rsa"}), "an algorithm that is accepted"},
		"ES384, not chosen":  {i.token(ticket{algorithm: jose.ES384, key: p384, kid: "p384"}), "an algorithm that is accepted"},
		"unknown key id":     {i.token(ticket{key: otherKey, kid: "other"}), "not one of its issuer's"},
		"another's key":      {i.token(ticket{key: otherKey}), "signature"},
		"no id, other key":   {i.token(ticket{key: otherKey, kid: "-"}), "signature"},
		"key of another use": {i.token(ticket{key: otherKey, kid: "enc"}), "not one of its issuer's"},
		"a weak key":         {i.token(ticket{algorithm: jose.RS256, key: weak, kid: "weak"}), "not one of its issuer's"},
		"RSA with the EC id": {i.token(ticket{algorithm: jose.RS256, key: rsaKey, kid: "ec"}), "not one of its issuer's"},
		"changed claims":     {alter(good, 1, func(c map[string]any) { c["sub"] = "eve" }), "signature"},
		"changed header":     {alter(good, 0, func(h map[string]any) { h["x"] = "y" }), "signature"},
		"a key of its own":   {alter(i.token(ticket{key: otherKey, kid: "-"}), 0, func(h map[string]any) { h["jwk"] = otherKey.PublicKey }), ""},
		"critical header":    {alter(good, 0, func(h map[string]any) { h["crit"] = []string{"exp"} }), ""},
		"an ID token":        {i.token(ticket{typ: "logout+jwt"}), "another type"},
		"claims of no kind":  {i.token(ticket{claims: map[string]any{"scope": 7}}), "claims"},
		"not a JWT":          {"opaque-token-0123456789", "not a JWT"},
		"two parts":          {parts[0] + "." + parts[1], "not a JWT"},
		"too long":           {good + strings.Repeat("x", 17<<10), "too long"},
		"empty":              {"", "not a JWT"},
	} {
		status, challenge, body := try(s, c.token)
		assert.Equal(t, 401, status, name)
		assert.Contains(t, body, c.problem, name)
		assert.Contains(t, challenge, `error="invalid_token"`, name)
		assert.Contains(t, challenge, `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`, name)
		if len(c.token) > 20 {
			assert.NotContains(t, challenge+body, c.token[len(c.token)-20:], name)
		}
	}
	assert.Equal(t, 1, i.fetched("/keys"), "unknown key ids do not have the keys fetched over and over")
}

func TestChallenge(t *testing.T) {
	i := newIssuer(t, "")
	s := i.access(func(o *oauth.Options) { o.Scopes = []string{"mcp", "state:read"} })
	const metadata = `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`
	for name, authorization := range map[string][]string{"none": nil, "basic": {"Basic YTpi"}, "two": {"Bearer x", "Bearer y"}} {
		w := call(s, welcome, authorization...)
		assert.Equal(t, 401, w.Code, name)
		assert.Equal(t, "Bearer "+metadata+`, scope="mcp state:read"`, w.Header().Get("WWW-Authenticate"), name)
	}
	status, challenge, _ := try(s, i.token(ticket{}))
	assert.Equal(t, 403, status)
	assert.Equal(t, "Bearer "+metadata+`, error="insufficient_scope", error_description="the access token lacks the scope state:read", scope="mcp state:read"`, challenge)
	status, _, _ = try(s, i.token(ticket{claims: map[string]any{"scope": "state:read x mcp"}}))
	assert.Equal(t, 200, status)
}

// A handler that lacks a scope makes its answer a 403 that names it, with the
// answer as its body, unless a stream has begun.
func TestAllow(t *testing.T) {
	i := newIssuer(t, "")
	s := i.access(nil)
	token := "Bearer " + i.token(ticket{})
	act := func(begin bool, scopes ...string) *httptest.ResponseRecorder {
		return call(s, func(w http.ResponseWriter, r *http.Request) {
			if begin {
				assert.NoError(t, http.NewResponseController(w).Flush())
				w.WriteHeader(http.StatusOK)
			}
			if err := oauth.Allow(r.Context(), scopes...); err != nil {
				w.Write([]byte(err.Error()))
			}
		}, token)
	}
	assert.Equal(t, 200, act(false).Code)
	assert.Equal(t, 200, act(false, "more").Code)
	w := act(false, "more", "admin")
	assert.Equal(t, 403, w.Code)
	assert.Equal(t, "the access token lacks the scope admin", w.Body.String())
	assert.Contains(t, w.Header().Get("WWW-Authenticate"), `error="insufficient_scope"`)
	assert.Contains(t, w.Header().Get("WWW-Authenticate"), `scope="mcp more admin"`)
	assert.Equal(t, 200, act(true, "admin").Code)
	assert.Error(t, oauth.Allow(t.Context(), "mcp"), "nobody asked for a token")
	assert.NoError(t, oauth.Allow(t.Context()))
	assert.Nil(t, oauth.TokenOf(t.Context()))
}

// The principal is the subject's, whatever its token, and no other's.
func TestPrincipal(t *testing.T) {
	i := newIssuer(t, "")
	s := i.access(nil)
	who := func(claims map[string]any) string {
		w := call(s, func(w http.ResponseWriter, r *http.Request) {
			ctx, stop := httpguard.UntilExpiry(r.Context())
			defer stop()
			until, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.WithinRange(t, until, oauth.TokenOf(ctx).Expires, oauth.TokenOf(ctx).Expires.Add(time.Minute))
			w.Write([]byte(httpguard.Principal(ctx)))
		}, "Bearer "+i.token(ticket{claims: claims}))
		require.Equal(t, 200, w.Code)
		require.Regexp(t, `^oauth-[0-9a-f]{32}$`, w.Body.String())
		return w.Body.String()
	}
	ada := who(nil)
	assert.Equal(t, ada, who(map[string]any{"client_id": "other"}))
	assert.NotEqual(t, ada, who(map[string]any{"sub": "eve"}))
	assert.NotEqual(t, ada, who(map[string]any{"sub": nil, "client_id": "ada"}), "a client is no user")
	assert.Equal(t, who(map[string]any{"sub": nil, "client_id": "x"}), who(map[string]any{"sub": nil, "client_id": nil, "azp": "x"}))
}

func TestDiscovery(t *testing.T) {
	for _, c := range []struct{ path, place string }{
		{"", "/.well-known/oauth-authorization-server"},
		{"", "/.well-known/openid-configuration"},
		{"/", "/.well-known/openid-configuration"},
		{"/tenant", "/.well-known/oauth-authorization-server/tenant"},
		{"/tenant", "/.well-known/openid-configuration/tenant"},
		{"/tenant", "/tenant/.well-known/openid-configuration"},
	} {
		i := newIssuer(t, c.path)
		i.place = c.place
		status, _, body := try(i.access(nil), i.token(ticket{}))
		assert.Equal(t, 200, status, "%s: %s", c.place, body)
	}
}

// An issuer that cannot be asked, or says what it must not, is no fault of the
// token, and is not asked again at once.
func TestBadIssuers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	var sent atomic.Int64 // of keys without an end
	for name, spoil := range map[string]func(*issuer){
		"another name":      func(i *issuer) { i.metadata["issuer"] = i.url + "/x" },
		"no name":           func(i *issuer) { delete(i.metadata, "issuer") },
		"keys in the clear": func(i *issuer) { i.metadata["jwks_uri"] = "http://keys.example/keys" },
		"keys in a file":    func(i *issuer) { i.metadata["jwks_uri"] = "file:///etc/passwd" },
		"no keys":           func(i *issuer) { delete(i.metadata, "jwks_uri") },
		"no metadata":       func(i *issuer) { i.place = "/nowhere" },
		"an empty set":      func(i *issuer) { i.keys.Keys = nil },
		"too many keys":     func(i *issuer) { i.keys.Keys = append(make([]jose.JSONWebKey, 0, 101), repeat(i.keys.Keys[1], 101)...) },
		"secret keys only":  func(i *issuer) { i.keys.Keys = []jose.JSONWebKey{{Key: []byte("0123456789abcdef"), KeyID: "ec"}} },
		"private keys only": func(i *issuer) { i.keys.Keys = []jose.JSONWebKey{{Key: ecKey, KeyID: "ec"}} },
		"no JSON":           func(i *issuer) { i.serve = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) } },
		"an error":          func(i *issuer) { i.serve = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) } },
		"redirects": func(i *issuer) {
			i.serve = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }
		},
		"keys without an end": func(i *issuer) {
			i.serve = func(w http.ResponseWriter, _ *http.Request) {
				for spaces := []byte(strings.Repeat(" ", 64<<10)); ; sent.Add(int64(len(spaces))) {
					if _, err := w.Write(spaces); err != nil {
						return
					}
				}
			}
		},
		"a lie about the length": func(i *issuer) {
			i.serve = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				w.Write([]byte(`{"keys":[]}`))
			}
		},
	} {
		i := newIssuer(t, "")
		spoil(i)
		s := i.access(nil)
		token := i.token(ticket{})
		for range 3 {
			w := call(s, welcome, "Bearer "+token)
			assert.Equal(t, 503, w.Code, "%s: %s", name, w.Body)
			assert.Equal(t, "10", w.Header().Get("Retry-After"), name)
			assert.Empty(t, w.Header().Get("WWW-Authenticate"), name)
			assert.NotContains(t, w.Body.String(), "127.0.0.1", name)
		}
		assert.LessOrEqual(t, i.fetched("/keys"), 1, name)
	}
	assert.Less(t, sent.Load(), int64(32<<20), "what is too long is not read on, beyond what sockets hold")
}

func repeat(key jose.JSONWebKey, n int) (keys []jose.JSONWebKey) {
	for range n {
		keys = append(keys, key)
	}
	return keys
}

// silent is an issuer that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// timed is an issuer in a bubble of time, without sockets.
func timed(t *testing.T) *issuer {
	i := &issuer{t: t, fetches: map[string]int{}, place: "/.well-known/oauth-authorization-server"}
	i.setURL("https://login.example", "")
	return i
}

func TestSilentIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := timed(t)
		s := i.access(func(o *oauth.Options) { o.Client = &http.Client{Transport: silent{}} })
		token := i.token(ticket{})
		begin := time.Now()
		answered := make(chan int, 20)
		for range 20 {
			go func() {
				status, _, _ := try(s, token)
				answered <- status
			}()
		}
		for range 20 {
			assert.Equal(t, 503, <-answered)
		}
		assert.Equal(t, 10*time.Second, time.Since(begin), "one fetch is waited for by all")

		time.Sleep(11 * time.Second)
		fetch := make(chan int)
		go func() {
			status, _, _ := try(s, token)
			fetch <- status
		}()
		synctest.Wait()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://mcp.example/mcp", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		begin = time.Now()
		s.Wrap(http.HandlerFunc(welcome)).ServeHTTP(w, r)
		assert.Equal(t, time.Second, time.Since(begin), "who leaves does not wait")
		assert.Equal(t, 503, <-fetch)
	})
}

// Keys that are exchanged are found, old ones are forgotten, and an issuer that
// is gone for a while harms nobody.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := timed(t)
		s := i.access(func(o *oauth.Options) { o.Client = &http.Client{Transport: i} })
		old, fresh := ticket{}, ticket{key: otherKey, kid: "2027"}
		status := func(k ticket) int {
			t.Helper()
			code, _, body := try(s, i.token(k))
			t.Log(body)
			return code
		}
		assert.Equal(t, 200, status(old))
		assert.Equal(t, 401, status(fresh))
		i.setKeys(i.keys.Keys[1], jose.JSONWebKey{Key: otherKey.Public(), KeyID: "2027"})
		assert.Equal(t, 401, status(fresh), "asked for a moment ago")
		time.Sleep(11 * time.Second)
		assert.Equal(t, 200, status(fresh))
		assert.Equal(t, 200, status(old))
		assert.Equal(t, 2, i.fetched("/keys"))

		i.setKeys(i.keys.Keys[1])
		assert.Equal(t, 200, status(old), "keys are fresh for an hour")
		time.Sleep(time.Hour + time.Second)
		assert.Equal(t, 401, status(old), "a key that was taken back")
		assert.Equal(t, 200, status(fresh))

		i.setServe(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		for range 23 {
			time.Sleep(time.Hour)
			assert.Equal(t, 200, status(fresh), "old keys serve while there are no newer ones")
		}
		time.Sleep(time.Hour)
		assert.Equal(t, 503, status(fresh), "but not for ever")
		i.setServe(nil)
		time.Sleep(11 * time.Second)
		assert.Equal(t, 200, status(fresh))
	})
}

// Random key ids of strangers do not become requests to the issuer.
func TestUnknownKeysAreRareFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := timed(t)
		s := i.access(func(o *oauth.Options) { o.Client = &http.Client{Transport: i} })
		begin := time.Now()
		for time.Since(begin) < 100*time.Second {
			code, _, _ := try(s, i.token(ticket{key: otherKey, kid: rand.Text()}))
			assert.Equal(t, 401, code)
			time.Sleep(100 * time.Millisecond)
		}
		assert.InDelta(t, 10, i.fetched("/keys"), 1)
	})
}

func TestMetadata(t *testing.T) {
	i := newIssuer(t, "")
	s := i.access(func(o *oauth.Options) {
		o.MoreScopes, o.Name, o.Documentation = []string{"admin", "mcp"}, "State", "https://mcp.example/docs"
	})
	assert.Equal(t, []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"}, s.MetadataPaths())
	send := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Metadata().ServeHTTP(w, httptest.NewRequest(method, "https://mcp.example/.well-known/oauth-protected-resource", nil))
		return w
	}
	w := send("GET")
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	assert.JSONEq(t, `{"resource":"`+audience+`","authorization_servers":["`+i.url+`"],"bearer_methods_supported":["header"],
		"scopes_supported":["admin","mcp"],"resource_name":"State","resource_documentation":"https://mcp.example/docs"}`, w.Body.String())
	assert.Equal(t, 204, send("OPTIONS").Code)
	assert.Equal(t, 405, send("POST").Code)
}

// An audience without a path is the same with and without its slash, as clients
// write it.
func TestAudienceOfAnOrigin(t *testing.T) {
	i := newIssuer(t, "")
	for _, own := range []string{"https://mcp.example", "https://mcp.example/"} {
		s := i.access(func(o *oauth.Options) { o.Audience = own })
		assert.Equal(t, []string{"/.well-known/oauth-protected-resource"}, s.MetadataPaths())
		for _, theirs := range []string{"https://mcp.example", "https://mcp.example/"} {
			status, _, body := try(s, i.token(ticket{claims: map[string]any{"aud": theirs}}))
			assert.Equal(t, 200, status, body)
		}
		status, challenge, _ := try(s, i.token(ticket{}))
		assert.Equal(t, 401, status)
		assert.Contains(t, challenge, `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource"`)
	}
}

func TestOptions(t *testing.T) {
	good := oauth.Options{Issuer: "https://login.example", Audience: audience}
	for problem, change := range map[string]func(*oauth.Options){
		"issuer is missing":   func(o *oauth.Options) { o.Issuer = "" },
		"audience is missing": func(o *oauth.Options) { o.Audience = "" },
		"neither https nor":   func(o *oauth.Options) { o.Issuer = "http://login.example" },
		"audience: http:":     func(o *oauth.Options) { o.Audience = "http://mcp.example" },
		"without user":        func(o *oauth.Options) { o.Issuer = "https://a:b@login.example" },
		"query":               func(o *oauth.Options) { o.Issuer = "https://login.example?x" },
		"fragment":            func(o *oauth.Options) { o.Audience = audience + "#x" },
		"such as https":       func(o *oauth.Options) { o.Audience = "api://default" + "?x" },
		"cannot be read":      func(o *oauth.Options) { o.Audience = "https://[" },
		"not a scope":         func(o *oauth.Options) { o.Scopes = []string{`a"b`} },
		`"a b" is not`:        func(o *oauth.Options) { o.MoreScopes = []string{"a b"} },
		`algorithm "none"`:    func(o *oauth.Options) { o.Algorithms = []string{"none"} },
		`algorithm "HS256"`:   func(o *oauth.Options) { o.Algorithms = []string{"RS256", "HS256"} },
		"leeway":              func(o *oauth.Options) { o.Leeway = time.Hour },
	} {
		o := good
		change(&o)
		_, err := oauth.New(o)
		assert.ErrorContains(t, err, problem)
	}
	good.Algorithms = []string{"PS256", "ES384", "EdDSA"}
	_, err := oauth.New(good)
	assert.NoError(t, err)
}
