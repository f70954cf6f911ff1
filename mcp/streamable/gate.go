package streamable

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// gate lets in requests for names that are ours, from pages that may call us.
// Both checks stop a web page that has its own name resolve to a loopback
// address (DNS rebinding).
type gate struct {
	hosts, origins     []string
	anyHost, anyOrigin bool
}

func newGate(hosts, origins []string) gate {
	g := gate{anyHost: slices.Contains(hosts, "*"), anyOrigin: slices.Contains(origins, "*")}
	for _, h := range hosts {
		g.hosts = append(g.hosts, strings.ToLower(h))
	}
	for _, o := range origins {
		g.origins = append(g.origins, strings.ToLower(strings.TrimSuffix(o, "/")))
	}
	return g
}

// check returns the status and text of the refusal; status 0 lets r in.
func (g *gate) check(r *http.Request) (int, string) {
	host := hostName(r.Host)
	if !g.anyHost && !isLoopback(host) && !slices.Contains(g.hosts, host) {
		return http.StatusForbidden, "the Host is not allowed; the server's owner can allow it"
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || g.anyOrigin {
		return 0, ""
	}
	if len(origins) > 1 || !g.allows(origins[0]) {
		return http.StatusForbidden, "the Origin is not allowed; the server's owner can allow it"
	}
	return 0, ""
}

func (g *gate) allows(origin string) bool {
	if slices.Contains(g.origins, strings.ToLower(origin)) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isLoopback(strings.ToLower(u.Hostname()))
}

// hostName returns the name in a Host header, without port and brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(host)
}

// isLoopback reports whether host can only mean this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
