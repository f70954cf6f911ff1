package httpserve

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// probed lets those ask h whom the gate lets in, and those who name the server by an
// address: a kubelet or a load balancer asks the address that it knows. A page that has
// its own name resolve to this machine, which the gate is against, has a name there.
func probed(gate httpguard.Gate, h http.Handler) http.Handler {
	guarded := gate.Wrap(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAddress(r.Host) {
			r = r.WithContext(r.Context()) // a copy
			r.Host = "localhost"
		}
		guarded.ServeHTTP(w, r)
	})
}

// isAddress says whether a Host header is an IP address, with or without a port.
func isAddress(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// known says of a request whether the guard would let it in; nil where there is no guard.
func (d *Door) known() func(*http.Request) bool {
	if d.Guard == nil {
		return nil
	}
	return func(r *http.Request) (in bool) {
		httpguard.Require(d.Guard, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in = true })).ServeHTTP(unread{}, r)
		return in
	}
}

// unread is an answer that nobody gets: a guard's refusal.
type unread struct{}

var _ http.ResponseWriter = unread{}

// Header implements http.ResponseWriter.
func (unread) Header() http.Header { return http.Header{} }

// Write implements http.ResponseWriter.
func (unread) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (unread) WriteHeader(int) {}
