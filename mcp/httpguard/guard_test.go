package httpguard_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "0123456789abcdef0123"

// whoami answers with the principal.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, httpguard.Principal(r.Context()))
})

func get(h http.Handler, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTokens(t *testing.T) {
	tokens, err := httpguard.NewTokens(secret, secret+"-next")
	require.NoError(t, err)
	h := httpguard.Require(tokens, whoami)
	first, second := get(h, "Bearer "+secret), get(h, "bearer  "+secret+"-next")
	assert.Equal(t, 200, first.Code)
	assert.Equal(t, 200, second.Code)
	assert.Regexp(t, `^token-[0-9a-f]{16}$`, first.Body.String())
	assert.NotEqual(t, first.Body.String(), second.Body.String())
	for name, authorization := range map[string][]string{
		"none": nil, "empty": {""}, "basic": {"Basic " + secret}, "prefix": {"Bearer " + secret[:19]},
		"longer": {"Bearer " + secret + "x"}, "two": {"Bearer " + secret, "Bearer " + secret}, "bare": {secret},
	} {
		w := get(h, authorization...)
		assert.Equal(t, 401, w.Code, name)
		assert.True(t, strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer "), name)
		assert.NotContains(t, w.Body.String()+fmt.Sprint(w.Header()), secret[:10], name)
	}
}

func TestTokensOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte("# ours\r\n\n  "+secret+"\r\n"), 0o600))
	tokens, err := httpguard.ReadTokens(path)
	require.NoError(t, err)
	assert.Equal(t, 200, get(tokens.Wrap(whoami), "Bearer "+secret).Code)
	for name, text := range map[string]string{
		"nothing": "# none\n", "short": secret[:15], "spaces": secret + " " + secret, "not ASCII": secret + "é", "huge": strings.Repeat("x", 70_000),
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := httpguard.ReadTokens(path)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), path, name)
		assert.NotContains(t, err.Error(), secret[:10], name)
	}
	_, err = httpguard.ReadTokens(path + "-missing")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestRate(t *testing.T) {
	h := httpguard.LimitRate(whoami, httpguard.Rate{PerSecond: 0.001, Burst: 3})
	from := func(address string) int {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 429 {
			assert.NotEmpty(t, w.Header().Get("Retry-After"))
		}
		return w.Code
	}
	for i, port := range []string{"1", "2", "3"} {
		assert.Equal(t, 200, from("192.0.2.1:"+port), i)
		assert.Equal(t, 200, from(fmt.Sprintf("[2001:db8::%d]:1", i)), i)
	}
	assert.Equal(t, 429, from("192.0.2.1:4"))
	assert.Equal(t, 429, from("[2001:db8::ffff]:1"), "addresses of one network are one client")
	assert.Equal(t, 200, from("[2001:db8:0:1::1]:1"))
	assert.Equal(t, 200, from("192.0.2.2:1"))
	for i := range 30_000 { // more than it remembers: it forgets, and goes on
		from(fmt.Sprintf("10.%d.%d.1:1", i/256, i%256))
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := httpguard.NewServer(whoami, slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- server.Serve(httpguard.Limit(l, httpguard.Connections{Max: 2, MaxPerClient: 1})) }()
	var open []net.Conn
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		open = append(open, c)
		return c
	}
	answered := func(c net.Conn) bool {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		n, err := c.Read(make([]byte, 100))
		return err == nil && n > 0
	}
	first, second := dial(), dial()
	assert.True(t, answered(first))
	assert.True(t, answered(second))
	assert.False(t, answered(dial()), "one too many is closed")
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool { return answered(dial()) }, 10*time.Second, time.Millisecond)
	require.NoError(t, server.Close())
	assert.ErrorIs(t, <-served, http.ErrServerClosed)
	for _, c := range open {
		c.Close()
	}
}

func TestSelfSigned(t *testing.T) {
	certificate, fingerprint, err := httpguard.SelfSigned([]string{"localhost", "127.0.0.1"})
	require.NoError(t, err)
	assert.Len(t, fingerprint, 64)
	server := httptest.NewUnstartedServer(whoami)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	defer server.Close()
	parsed, err := x509.ParseCertificate(certificate.Certificate[0])
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	response, err := client.Get(server.URL)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	response.Body.Close()
}
