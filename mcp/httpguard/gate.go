package httpguard

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Gate lets in requests for names that are ours, from pages that may call us.
// Both checks stop a web page that has its own name resolve to a loopback
// address (DNS rebinding). The zero value lets in loopback names only.
type Gate struct {
	hosts, origins     []string
	anyHost, anyOrigin bool
}

// NewGate returns a gate for further Host names, without port, and Origin
// values (https://example.com); "*" lets all in. Loopback ones always come in,
// and so do requests without an Origin, which come from no page.
func NewGate(hosts, origins []string) Gate {
	g := Gate{anyHost: slices.Contains(hosts, "*"), anyOrigin: slices.Contains(origins, "*")}
	for _, h := range hosts {
		g.hosts = append(g.hosts, strings.ToLower(h))
	}
	for _, o := range origins {
		g.origins = append(g.origins, strings.ToLower(strings.TrimSuffix(o, "/")))
	}
	return g
}

// Check returns the status and text of the refusal; status 0 lets r in.
func (g *Gate) Check(r *http.Request) (status int, problem string) {
	host := hostName(r.Host)
	if !g.anyHost && !IsLoopback(host) && !slices.Contains(g.hosts, host) {
		return http.StatusForbidden, "the Host is not allowed; the server's owner can allow it"
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return 0, ""
	}
	if len(origins) > 1 || !g.allows(origins[0]) {
		return http.StatusForbidden, "the Origin is not allowed; the server's owner can allow it"
	}
	return 0, ""
}

// Share tells the browser of a page that Check let in that the page may read
// the answer (CORS), and answers its preflight, which it reports.
func (g *Gate) Share(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	if !slices.Contains(h["Vary"], "Origin") { // there may be two gates
		h.Add("Vary", "Origin")
	}
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, Mcp-Protocol-Version, WWW-Authenticate")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", shareableHeaders(r.Header.Get("Access-Control-Request-Headers")))
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// shareableHeaders are those of the asked for headers that an MCP client sends.
func shareableHeaders(asked string) string {
	var allowed []string
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case "accept", "authorization", "content-type", "last-event-id", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name":
			allowed = append(allowed, name)
		default:
			if strings.HasPrefix(name, "mcp-param-") {
				allowed = append(allowed, name)
			}
		}
	}
	return strings.Join(allowed, ", ")
}

// Wrap puts the gate in front of next: for what asks for credentials before a
// transport's own gate is reached, since a preflight has none, and a page is to
// read the refusal too.
func (g Gate) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, problem := g.Check(r); status != 0 {
			http.Error(w, problem, status)
			return
		}
		if !g.Share(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

func (g *Gate) allows(origin string) bool {
	if g.anyOrigin || slices.Contains(g.origins, strings.ToLower(origin)) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && IsLoopback(strings.ToLower(u.Hostname()))
}

// hostName returns the name in a Host header, without port and brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(host)
}

// IsLoopback reports whether host, a lower-case name or an address without
// port, can only mean this machine.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
