package httpguard_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// spent reports whether a request counts for the same client as an earlier one
// of this address.
func spent(t *testing.T, p httpguard.Proxies, address, remote string, header http.Header) bool {
	t.Helper()
	h := httpguard.LimitRate(whoami, httpguard.Rate{PerSecond: 0.001, Burst: 1, Proxies: p})
	send := func(remote string, header http.Header) int {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.RemoteAddr = remote
		r.Header = header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, 200, send(net.JoinHostPort(address, "9"), http.Header{}))
	return send(remote, header) == 429
}

// The client is the last hop that no proxy vouches for, whatever it claims
// itself.
func TestClientsBehindProxies(t *testing.T) {
	const xff, forwarded = "X-Forwarded-For", "Forwarded"
	for _, c := range []struct {
		name, header, remote, want string
		lines                      []string
	}{
		{"no proxy, no header", xff, "198.51.100.1:1", "198.51.100.1", nil},
		{"a claim without a proxy", xff, "198.51.100.1:1", "198.51.100.1", []string{"203.0.113.9"}},
		{"through a proxy", xff, "10.1.2.3:1", "203.0.113.9", []string{"203.0.113.9"}},
		{"through two", xff, "10.1.2.3:1", "203.0.113.9", []string{"203.0.113.9, 192.0.2.7"}},
		{"two lines", xff, "10.1.2.3:1", "203.0.113.9", []string{"203.0.113.9", "192.0.2.7"}},
		{"a spoofed chain", xff, "10.1.2.3:1", "203.0.113.9", []string{"127.0.0.1, 10.1.1.1, 198.51.100.66, 203.0.113.9"}},
		{"a spoofed line", xff, "10.1.2.3:1", "203.0.113.9", []string{"198.51.100.66", "203.0.113.9"}},
		{"proxies only", xff, "10.1.2.3:1", "10.9.9.9", []string{"10.9.9.9, 10.8.8.8"}},
		{"nothing said", xff, "10.1.2.3:1", "10.1.2.3", nil},
		{"not an address", xff, "10.1.2.3:1", "10.1.2.3", []string{"203.0.113.9, unknown"}},
		{"an empty hop", xff, "10.1.2.3:1", "10.1.2.3", []string{"203.0.113.9,"}},
		{"with a port", xff, "10.1.2.3:1", "203.0.113.9", []string{"203.0.113.9:4711"}},
		{"IPv6", xff, "[::ffff:10.1.2.3]:1", "2001:db8::1", []string{"2001:db8::1"}},
		{"IPv6 with a port", xff, "10.1.2.3:1", "2001:db8::1", []string{"[2001:db8::2]:4711"}},
		{"the other header is the client's word", forwarded, "10.1.2.3:1", "203.0.113.9", []string{`for=203.0.113.9`}},
		{"Forwarded, quoted", forwarded, "10.1.2.3:1", "2001:db8::1", []string{`for="[2001:db8::1]:47";proto=https;by=10.1.2.3`}},
		{"Forwarded, spoofed", forwarded, "10.1.2.3:1", "203.0.113.9", []string{`for="1.2.3.4, for=5.6.7.8";x="\"", For=203.0.113.9, for=192.0.2.7`}},
		{"Forwarded, obfuscated", forwarded, "10.1.2.3:1", "10.1.2.3", []string{`for=203.0.113.9, for=_gazonk`}},
		{"Forwarded without for", forwarded, "10.1.2.3:1", "10.1.2.3", []string{`proto=https`}},
		{"Forwarded, twice for", forwarded, "10.1.2.3:1", "10.1.2.3", []string{`for=1.2.3.4;for=5.6.7.8`}},
		{"Forwarded, open quote", forwarded, "10.1.2.3:1", "10.1.2.3", []string{`for="1.2.3.4, for=203.0.113.9`}},
	} {
		p, err := httpguard.NewProxies([]string{"10.0.0.0/8", "192.0.2.7"}, c.header)
		require.NoError(t, err)
		other := map[string]string{xff: forwarded, forwarded: xff}[c.header]
		header := http.Header{c.header: c.lines, other: {map[string]string{xff: "198.51.100.77", forwarded: "for=198.51.100.77"}[other]}}
		assert.True(t, spent(t, p, c.want, c.remote, header), c.name)
	}
}

func TestProxiesAreChecked(t *testing.T) {
	for _, c := range []struct{ network, header string }{{"10.0.0.0/33", ""}, {"nginx", ""}, {"", ""}, {"10.0.0.1", "X-Real-IP"}} {
		_, err := httpguard.NewProxies([]string{c.network}, c.header)
		assert.Error(t, err, c)
	}
}

// A proxy has as many connections as it needs.
func TestProxiesConnections(t *testing.T) {
	inner := &listener{from: []string{"10.1.2.3:1", "10.1.2.3:2", "198.51.100.1:1", "198.51.100.1:2", "10.1.2.3:3"}}
	p, err := httpguard.NewProxies([]string{"10.1.2.3"}, "")
	require.NoError(t, err)
	l := httpguard.Limit(inner, httpguard.Connections{Max: 100, MaxPerClient: 1, Proxies: p})
	var accepted []string
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		accepted = append(accepted, c.RemoteAddr().String())
	}
	assert.Equal(t, []string{"10.1.2.3:1", "10.1.2.3:2", "198.51.100.1:1", "10.1.2.3:3"}, accepted)
}

// listener accepts connections from made up addresses.
type listener struct {
	net.Listener
	from []string
}

func (l *listener) Accept() (net.Conn, error) {
	if len(l.from) == 0 {
		return nil, io.EOF
	}
	c := conn{remote: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.from[0]))}
	l.from = l.from[1:]
	return c, nil
}

type conn struct {
	net.Conn
	remote net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.remote }
func (c conn) Close() error         { return nil }

// A page of another origin that may call the server gets through to it, though
// its preflight has no token, and reads the refusal.
func TestGateAroundTokens(t *testing.T) {
	tokens, err := httpguard.NewTokens(secret)
	require.NoError(t, err)
	h := httpguard.NewGate(nil, []string{"https://app.example"}).Wrap(httpguard.Require(tokens, whoami))
	send := func(method, origin string, header http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost/", nil)
		r.Header = header
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := send("OPTIONS", "https://app.example", http.Header{"Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization"}})
	assert.Equal(t, 204, w.Code)
	assert.Equal(t, "authorization", w.Header().Get("Access-Control-Allow-Headers"))
	w = send("POST", "https://app.example", http.Header{})
	assert.Equal(t, 401, w.Code)
	assert.Equal(t, "https://app.example", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
	assert.Equal(t, 200, send("POST", "https://app.example", http.Header{"Authorization": {"Bearer " + secret}}).Code)
	assert.Equal(t, 403, send("POST", "https://evil.example", http.Header{"Authorization": {"Bearer " + secret}}).Code)
	assert.Equal(t, 401, send("OPTIONS", "https://app.example", http.Header{}).Code, "no preflight")
}
