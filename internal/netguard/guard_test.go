package netguard

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRulesAreChecked(t *testing.T) {
	for _, host := range []string{
		"api.example.org", "API.example.org.", "*.example.org", "*", "*:8080", "api.example.org:8443", "192.0.2.7", "192.0.2.7:80", "[2001:db8::1]", "[2001:db8::1]:80", "xn--bcher-kva.example", "localhost", "a_b.example.org",
	} {
		require.NoError(t, Rule{Host: host}.Validate(), host)
	}
	for host, says := range map[string]string{
		"":                         "1 to 253",
		"https://example.org":      "without scheme and path",
		"example.org/path":         "without scheme and path",
		"example.org:":             "65535",
		"example.org:0":            "65535",
		"example.org:99999":        "65535",
		"example.org:http":         "65535",
		"*.192.0.2.7":              "an address has no names below",
		"2001:db8::1":              "put it in brackets",
		"[fe80::1%eth0]":           "with a zone",
		"a..b":                     "each part",
		"b\u00fccher.example":      "cannot stand in a host name",
		"*a.example.org":           "cannot stand in a host name",
		"a.*.example.org":          "cannot stand in a host name",
		strings.Repeat("a.", 150):  "1 to 253",
		strings.Repeat("a", 64):    "1 to 63",
		"user@example.org":         "cannot stand in a host name",
		"example.org\x00.evil.org": "cannot stand in a host name",
	} {
		require.ErrorContains(t, Rule{Host: host}.Validate(), says, host)
	}
	for _, m := range []string{"get", "CONNECT", "TRACE", "", "PRI", "GET "} {
		require.ErrorContains(t, Rule{Host: "a.example", Methods: []string{m}}.Validate(), "none that can be granted", m)
	}
	_, err := New([]Rule{{Host: "a.example"}, {Host: "a b"}}, Options{})
	require.Error(t, err)
}

// Every way to write an address that has been used to get past a filter.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		kind      int
		addresses string
	}{
		{public, "8.8.8.8 1.1.1.1 93.184.216.34 172.15.255.255 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1111 2a00:1450:4001::1 64:ff9b::8.8.8.8 2002:808:808::1 ::ffff:8.8.8.8"},
		{private, "127.0.0.1 127.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 198.18.0.1 ::1 fc00::1 fd12::1 fec0::1 " +
			"::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:7f00:1 64:ff9b::127.0.0.1 64:ff9b::a00:1 2002:7f00:1:: 2002:c0a8:101::1 ::127.0.0.1"},
		{linkLocal, "169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192 fe80::1 fe80::1%eth0 febf::1 fd00:ec2::254 fd20:ce::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: ::169.254.169.254"},
		{never, "0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 " +
			":: ff02::1 2001:db8::1 3fff::1 2001::1 2001:10::1 100::1 5f00::1 64:ff9b:1::7f00:1 ::ffff:0:7f00:1 ::ffff:0.0.0.0 64:ff9b::e000:1 4000::1"},
	} {
		for text := range strings.FieldsSeq(c.addresses) {
			a := netip.MustParseAddr(text)
			kind, _ := classify(a)
			require.Equal(t, c.kind, kind, text)
			require.Equal(t, kind == public, checkAddress("host", a, reachPublic) == nil, text)
			require.Equal(t, kind == public || kind == private, checkAddress("host", a, reachPrivate) == nil, text)
			require.Equal(t, kind != never, checkAddress("host", a, reachNamed) == nil, text)
		}
	}
	kind, name := classify(netip.Addr{})
	require.Equal(t, never, kind, name)
}

// names is a resolver that answers from a table and counts; a name with several
// answers gives them in turn, the last for good.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   map[string]int
}

// resolver answers over a pipe instead of the network: a DNS server in few lines
// (RFC 1035, section 4), over TCP as Go's resolver takes any stream for.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		return client, nil
	}}
}

func (n *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := n.reply(query)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

func (n *names) reply(query []byte) []byte {
	end, labels := 12, []string{}
	for query[end] != 0 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
		end += 1 + int(query[end])
	}
	question := query[12 : end+5]
	kind := binary.BigEndian.Uint16(query[end+1:])
	name := strings.ToLower(strings.Join(labels, "."))
	n.mu.Lock()
	defer n.mu.Unlock()
	var data []byte
	if all := n.answers[name]; len(all) > 0 {
		a := netip.MustParseAddr(all[min(n.asked[name], len(all)-1)])
		if a.Is4() == (kind == 1) && (kind == 1 || kind == 28) {
			data = a.AsSlice()
			n.asked[name]++
		}
	}
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(min(len(data), 1)), 0, 0, 0, 0}, question...)
	if data != nil {
		reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(data)))
		reply = append(reply, data...)
	}
	return reply
}

// local is a server on loopback that answers with what it saw.
func local(t *testing.T, handler http.HandlerFunc) (url, port string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	return s.URL, port
}

func guarded(t *testing.T, n *names, rules ...Rule) *Guard {
	t.Helper()
	o := Options{}
	if n != nil {
		n.asked = map[string]int{}
		o.Resolver = n.resolver()
	}
	g, err := New(rules, o)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	return g
}

// get sends a request and returns the body.
func get(t *testing.T, g *Guard, method, url string, headers ...string) (string, *http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(""))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := g.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body), response, nil
}

func TestGrantedRequestsPass(t *testing.T) {
	_, port := local(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.Host, " ", r.URL.Path) })
	g := guarded(t, &names{answers: map[string][]string{"inside.example": {"127.0.0.1"}, "a.below.example": {"127.0.0.1"}}},
		Rule{Host: "127.0.0.1:" + port, Private: true},
		Rule{Host: "inside.example:" + port, Private: true, Methods: []string{"GET", "POST"}},
		Rule{Host: "*.below.example:" + port, Private: true})
	for _, c := range [][3]string{
		{"GET", "http://127.0.0.1:" + port + "/a", "GET 127.0.0.1:" + port + " /a"},
		{"HEAD", "http://127.0.0.1:" + port + "/a", ""},
		{"POST", "http://inside.example:" + port + "/b", "POST inside.example:" + port + " /b"},
		{"GET", "http://INSIDE.example.:" + port + "/c", "GET INSIDE.example.:" + port + " /c"},
		{"GET", "http://a.below.example:" + port + "/d", "GET a.below.example:" + port + " /d"},
	} {
		body, _, err := get(t, g, c[0], c[1])
		require.NoError(t, err, c[1])
		require.Equal(t, c[2], body)
	}
}

func TestRefusedRequests(t *testing.T) {
	reached := 0
	_, port := local(t, func(http.ResponseWriter, *http.Request) { reached++ })
	n := &names{answers: map[string][]string{
		"loop.example": {"127.0.0.1"}, "metadata.example": {"169.254.169.254"}, "private.example": {"10.0.0.1"}, "six.example": {"::1"}, "mapped.example": {"::ffff:127.0.0.1"}, "zero.example": {"0.0.0.0"},
	}}
	all := []Rule{
		{Host: "*"}, {Host: "*:" + port}, {Host: "metadata.example:81", Private: true}, {Host: "granted.example", Methods: []string{"POST"}},
	}
	for _, c := range []struct {
		method, url, says string
		rules             []Rule
		private           bool
	}{
		{"GET", "http://loop.example:" + port + "/", "loop.example is at 127.0.0.1, a loopback address", all, true},
		{"GET", "http://127.0.0.1:" + port + "/", "loopback", all, true},
		{"GET", "http://127.1:" + port + "/", "", all, false}, // a name like any other; the resolver does not know it, or Control sees the number
		{"GET", "http://2130706433:" + port + "/", "", all, false},
		{"GET", "http://0x7f000001:" + port + "/", "", all, false},
		{"GET", "http://0177.0.0.1:" + port + "/", "", all, false},
		{"GET", "http://[::1]:" + port + "/", "loopback", all, true},
		{"GET", "http://[::ffff:127.0.0.1]:" + port + "/", "loopback", all, true},
		{"GET", "http://[::ffff:7f00:1]:" + port + "/", "loopback", all, true},
		{"GET", "http://[0:0:0:0:0:ffff:127.0.0.1]:" + port + "/", "loopback", all, true},
		{"GET", "http://[64:ff9b::7f00:1]:" + port + "/", "loopback", all, true},
		{"GET", "http://[2002:7f00:1::]:" + port + "/", "loopback", all, true},
		{"GET", "http://[::]:" + port + "/", "unspecified", all, false},
		{"GET", "http://0.0.0.0:" + port + "/", "unspecified", all, false},
		{"GET", "http://zero.example:" + port + "/", "unspecified", all, false},
		{"GET", "http://six.example:" + port + "/", "loopback", all, true},
		{"GET", "http://mapped.example:" + port + "/", "loopback", all, true},
		{"GET", "http://private.example/", "private network", all, true},
		{"GET", "http://169.254.169.254/latest/meta-data/", "link-local", all, true},
		{"GET", "http://metadata.example/", "link-local", all, true},
		{"GET", "http://metadata.example:81/", "only a grant of that very number", all, true},
		{"GET", "http://169.254.169.254/", "only a grant of that very number", []Rule{{Host: "*", Private: true}}, true},
		{"GET", "http://[fd00:ec2::254]/", "only a grant of that very number", []Rule{{Host: "*", Private: true}}, true},
		{"GET", "http://metadata.example/", "only a grant of that very number", []Rule{{Host: "*", Private: true}, {Host: "169.254.169.254", Private: true}}, true},
		{"GET", "http://169.254.169.254/", "only a grant of that very number", []Rule{{Host: "169.254.169.254"}}, true},
		{"GET", "http://[fe80::1%25lo]:" + port + "/", "with a zone", all, false},
		{"GET", "http://u:p@granted.example/", "user name or password", all, false},
		{"GET", "ftp://granted.example/", "only http", all, false},
		{"GET", "file:///etc/passwd", "only http", all, false},
		{"GET", "gopher://granted.example/", "only http", all, false},
		{"GET", "http:granted.example/", "only http", all, false},
		{"GET", "http://granted.example:0/", "65535", all, false},
		{"TRACE", "http://granted.example/", "TRACE to granted.example:80 is not granted", all, false},
		{"DELETE", "http://granted.example/", "DELETE to granted.example:80 is not granted", all, false},
		{"GET", "http://granted.example/", "GET to granted.example:80 is not granted", []Rule{{Host: "granted.example", Methods: []string{"POST"}}}, false},
		{"GET", "http://granted.example:8080/", "granted.example:8080 is not granted", []Rule{{Host: "granted.example"}}, false},
		{"GET", "https://granted.example:80/", "granted.example:80 is not granted", []Rule{{Host: "granted.example"}}, false},
		{"GET", "http://example.org/", "example.org:80 is not granted", []Rule{{Host: "*.example.org"}}, false},
		{"GET", "http://evilexample.org/", "evilexample.org:80 is not granted", []Rule{{Host: "*.example.org"}, {Host: "example.org"}}, false},
		{"GET", "http://example.org.evil.example/", "is not granted", []Rule{{Host: "*.example.org"}, {Host: "example.org"}}, false},
		{"GET", "http://anything.example/", "is not granted", nil, false},
		{"GET", "http://127.0.0.1/", "is not granted", []Rule{{Host: "localhost", Private: true}}, false},
	} {
		_, _, err := get(t, guarded(t, n, c.rules...), c.method, c.url)
		require.Error(t, err, c.url)
		if c.says == "" {
			continue
		}
		require.ErrorContains(t, err, c.says, c.url)
		d := Denied(err)
		require.NotNil(t, d, c.url)
		require.Equal(t, c.private, d.Private, c.url)
	}
	require.Zero(t, reached, "a refused request reached the server")
}

// A name that is public when it is first asked for and leads home afterwards.
func TestRebinding(t *testing.T) {
	_, port := local(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	n := &names{answers: map[string][]string{"turns.example": {"192.88.99.1", "127.0.0.1"}}}
	g := guarded(t, n, Rule{Host: "turns.example:" + port})
	_, _, err := get(t, g, "GET", "http://turns.example:"+port+"/")
	require.ErrorContains(t, err, "6to4")
	_, _, err = get(t, g, "GET", "http://turns.example:"+port+"/")
	require.ErrorContains(t, err, "loopback")
}

// A connection that was made with the right to private addresses serves no
// request that lacks it.
func TestPrivateConnectionsAreNotShared(t *testing.T) {
	url, port := local(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method) })
	g := guarded(t, nil, Rule{Host: "127.0.0.1:" + port, Private: true}, Rule{Host: "127.0.0.1:" + port, Methods: []string{"POST"}})
	body, _, err := get(t, g, "GET", url)
	require.NoError(t, err)
	require.Equal(t, "GET", body)
	_, _, err = get(t, g, "POST", url)
	require.ErrorContains(t, err, "loopback")
}

func TestRedirectsAreChecked(t *testing.T) {
	var seen http.Header
	other, otherPort := local(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header; fmt.Fprint(w, "other ", r.Method) })
	forbidden, forbiddenPort := local(t, func(http.ResponseWriter, *http.Request) { t.Error("a server that is not granted was reached") })
	var url string
	url, port := local(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/same":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/end":
			fmt.Fprint(w, "end ", r.Header.Get("Authorization"))
		case "/other":
			http.Redirect(w, r, other, http.StatusFound)
		case "/forbidden":
			http.Redirect(w, r, forbidden, http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/home":
			http.Redirect(w, r, "http://localhost:"+forbiddenPort+"/", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/post":
			http.Redirect(w, r, other, http.StatusPermanentRedirect)
		}
	})
	g := guarded(t, nil, Rule{Host: "127.0.0.1:" + port, Private: true, Methods: []string{"GET", "POST"}}, Rule{Host: "127.0.0.1:" + otherPort, Private: true}, Rule{Host: "*"})

	body, _, err := get(t, g, "GET", url+"/same", "Authorization", "secret")
	require.NoError(t, err)
	require.Equal(t, "end secret", body)
	body, _, err = get(t, g, "GET", url+"/other", "Authorization", "secret", "X-Api-Key", "secret", "Cookie", "secret", "Accept", "text/plain")
	require.NoError(t, err)
	require.Equal(t, "other GET", body)
	require.Equal(t, "text/plain", seen.Get("Accept"))
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "Referer"} {
		require.Empty(t, seen.Get(name), name)
	}
	for path, says := range map[string]string{
		"/loop": "more than 5 redirects", "/forbidden": forbiddenPort + " is not granted", "/metadata": "link-local", "/home": "is not granted", "/file": "only http",
	} {
		_, _, err = get(t, g, "GET", url+path)
		require.ErrorContains(t, err, says)
	}
	// 308 keeps the method, which is not granted there.
	_, _, err = get(t, g, "POST", url+"/post")
	require.ErrorContains(t, err, "POST to 127.0.0.1:"+otherPort+" is not granted")
}

func TestHopsAreCounted(t *testing.T) {
	url, port := local(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/end" {
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	})
	g := guarded(t, nil, Rule{Host: "127.0.0.1:" + port, Private: true})
	hops, enough := 0, errors.New("enough")
	for most, want := range map[int]error{1: enough, 2: nil} {
		hops = 0
		r, err := http.NewRequestWithContext(BeforeHop(t.Context(), func() error {
			if hops++; hops > most {
				return enough
			}
			return nil
		}), "GET", url, nil)
		require.NoError(t, err)
		response, err := g.Do(r)
		require.ErrorIs(t, err, want)
		require.Equal(t, 2, hops)
		if err == nil {
			response.Body.Close()
		}
	}
}

func TestRedirectFromHTTPS(t *testing.T) {
	plain, plainPort := local(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain, http.StatusFound)
		}
	}))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	rules := []Rule{{Host: "127.0.0.1:" + port, Private: true}, {Host: "127.0.0.1:" + plainPort, Private: true}}
	g, err := New(rules, Options{TLS: &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}})
	require.NoError(t, err)
	defer g.Close()
	_, _, err = get(t, g, "GET", s.URL+"/")
	require.NoError(t, err)
	_, _, err = get(t, g, "GET", s.URL+"/down")
	require.ErrorContains(t, err, "from https to http")

	strict := guarded(t, nil, rules...)
	_, _, err = get(t, strict, "GET", s.URL+"/")
	require.ErrorContains(t, err, "certificate", "a stranger's certificate is not taken")
}

// Neither a proxy of the environment nor another Host goes past the rules.
func TestNoProxyAndNoOtherHost(t *testing.T) {
	proxy, _ := local(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was used") })
	t.Setenv("HTTP_PROXY", proxy)
	url, port := local(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "direct") })
	g := guarded(t, nil, Rule{Host: "127.0.0.1:" + port, Private: true})
	body, _, err := get(t, g, "GET", url)
	require.NoError(t, err)
	require.Equal(t, "direct", body)

	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	require.NoError(t, err)
	r.Host = "inside.example"
	_, err = g.Do(r)
	require.ErrorContains(t, err, "they must be the same")
}

// A server that sends a byte now and then holds a request no longer than its context.
func TestSlowAnswersEndWithTheContext(t *testing.T) {
	release := make(chan struct{})
	url, port := local(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-release:
				return
			case <-r.Context().Done():
			}
		}
	})
	defer close(release)
	g := guarded(t, nil, Rule{Host: "127.0.0.1:" + port, Private: true})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	require.NoError(t, err)
	response, err := g.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	one := make([]byte, 1)
	_, err = io.ReadFull(response.Body, one)
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(response.Body)
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}

func TestHeaders(t *testing.T) {
	for _, name := range []string{"Accept", "authorization", "Content-Type", "X-Api-Key", "x-request-id", "Range"} {
		require.Empty(t, headerFault(name, "v", nil), name)
	}
	require.Empty(t, headerFault("Api-Key", "v", []string{"api-key"}))
	require.Empty(t, headerFault("X-Forwarded-For", "1.2.3.4", []string{"X-Forwarded-For"}))
	for _, name := range []string{
		"Host", "host", "Connection", "Proxy-Authorization", "Proxy", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect", "Via", "Forwarded", "Sec-Fetch-Site", "HTTP2-Settings", "Metadata-Flavor", "Accept-Encoding", "Transfer_Encoding", "Content_Length",
	} {
		require.NotEmpty(t, headerFault(name, "v", []string{name}), name)
		require.NotEmpty(t, headerGrantFault(name), name)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-aws-ec2-metadata-token", "X_Forwarded_For", "Api-Key", "", "a b", "a:b", "a\r\nHost", "é", strings.Repeat("a", 129)} {
		require.NotEmpty(t, headerFault(name, "v", nil), name)
	}
	for _, value := range []string{"a\r\nHost: b", "a\nb", "a\x00", "\x7f", strings.Repeat("a", 8193)} {
		require.NotEmpty(t, headerFault("Accept", value, nil), value)
	}
}

func TestReach(t *testing.T) {
	for _, c := range []struct {
		host    string
		private bool
		want    reach
	}{
		{"example.org", false, reachPublic}, {"example.org", true, reachPrivate}, {"*", true, reachPrivate}, {"*.example.org", true, reachPrivate},
		{"169.254.169.254", true, reachNamed}, {"169.254.169.254", false, reachPublic}, {"[fe80::1]:80", true, reachNamed},
	} {
		p, err := Rule{Host: c.host, Private: c.private}.parse()
		require.NoError(t, err)
		require.Equal(t, c.want, p.reach(), c)
	}
	g := guarded(t, nil, Rule{Host: "*"}, Rule{Host: "169.254.169.254", Private: true})
	u, err := url.Parse("http://169.254.169.254/")
	require.NoError(t, err)
	far, err := g.allow("GET", u)
	require.NoError(t, err)
	require.Equal(t, reachNamed, far)
}

func TestGrantedHeaders(t *testing.T) {
	g := guarded(t, nil, Rule{Host: "a.example", Headers: []string{"api-key"}}, Rule{Host: "*.example", Headers: []string{"X-Forwarded-For"}})
	at := func(u string) *url.URL {
		parsed, err := url.Parse(u)
		require.NoError(t, err)
		return parsed
	}
	require.Empty(t, g.HeaderFault(at("https://a.example/"), "Api-Key", "v"))
	require.Empty(t, g.HeaderFault(at("https://A.example:443/"), "X-Forwarded-For", "v"))
	require.Empty(t, g.HeaderFault(at("https://other/"), "Accept", "v"))
	require.NotEmpty(t, g.HeaderFault(at("https://b.example/"), "Api-Key", "v"))
	require.NotEmpty(t, g.HeaderFault(at("https://a.example:444/"), "Api-Key", "v"))
	_, err := New([]Rule{{Host: "a.example", Headers: []string{"Host"}}}, Options{})
	require.ErrorContains(t, err, `header "Host" of host "a.example"`)
}

func ExampleGuard() {
	guard, err := New([]Rule{{Host: "api.example.org"}}, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()
	request, err := http.NewRequest("GET", "http://169.254.169.254/latest/meta-data/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = guard.Do(request)
	fmt.Println(Denied(err))
	// Output: 169.254.169.254:80 is not granted
}
