package netguard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Options configure a [Guard]. The zero value works.
type Options struct {
	// Resolver looks names up; nil: the system's.
	Resolver *net.Resolver
	// TLS is the client's configuration; nil: the system's roots.
	TLS *tls.Config
	// ConnsPerHostMax bounds the connections to one host; 0: 16.
	ConnsPerHostMax int
}

const (
	redirectsMax      = 5
	headerBytesMax    = 64 << 10 // of a response
	connectTimeMax    = 10 * time.Second
	idleTimeMax       = 30 * time.Second
	idleConnsMax      = 16
	connsPerHostPlain = 16
)

// Guard is an HTTP client that sends what its rules allow. It is safe for
// concurrent use. It keeps connections for later requests, each with two
// goroutines; [Guard.Close] ends them.
type Guard struct {
	patterns   []pattern
	resolver   *net.Resolver
	client     *http.Client
	transports [reaches]*http.Transport
}

// New makes a guard of rules, of which each may allow a request; without any,
// all are refused. It fails on a rule that cannot be understood.
func New(rules []Rule, o Options) (*Guard, error) {
	g := &Guard{resolver: o.Resolver}
	for _, r := range rules {
		p, err := r.parse()
		if err != nil {
			return nil, err
		}
		g.patterns = append(g.patterns, p)
	}
	if o.ConnsPerHostMax == 0 {
		o.ConnsPerHostMax = connsPerHostPlain
	}
	for i := range g.transports {
		g.transports[i] = &http.Transport{
			DialContext:            g.dialer(reach(i)),
			TLSClientConfig:        o.TLS.Clone(),
			TLSHandshakeTimeout:    connectTimeMax,
			MaxIdleConns:           idleConnsMax,
			MaxConnsPerHost:        o.ConnsPerHostMax,
			IdleConnTimeout:        idleTimeMax,
			MaxResponseHeaderBytes: headerBytesMax,
			DisableCompression:     true, // a bomb stays as small as it is
			ForceAttemptHTTP2:      true,
		}
	}
	g.client = &http.Client{Transport: tripper{g}, CheckRedirect: checkRedirect}
	return g, nil
}

// Close ends the connections that are not in use. Requests that are under way
// end by their context.
func (g *Guard) Close() {
	for _, t := range g.transports {
		t.CloseIdleConnections()
	}
}

// Do sends a request and follows redirects, at most 5. The caller bounds the time
// by the request's context and the answer by reading no more than it wants, and
// closes the response's body. A refusal is a [*DeniedError], found with errors.As.
func (g *Guard) Do(r *http.Request) (*http.Response, error) {
	return g.client.Do(r)
}

// hopKey finds what BeforeHop has put into a context.
type hopKey struct{}

// BeforeHop returns a context for a request; f is called before the request and
// before each redirect is sent, by the goroutine that called Do, and stops it by an
// error, which Do's error wraps. It is for counting.
func BeforeHop(ctx context.Context, f func() error) context.Context {
	return context.WithValue(ctx, hopKey{}, f)
}

// tripper checks each hop: http.Client calls it for the request and for each redirect.
type tripper struct{ guard *Guard }

// RoundTrip implements http.RoundTripper.
func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	far, err := t.guard.allow(r.Method, r.URL)
	if err == nil && r.Host != "" && r.Host != r.URL.Host {
		err = &DeniedError{Method: r.Method, Host: r.URL.Hostname(), Reason: fmt.Sprintf("the request is for %s and names the host %s: they must be the same", r.URL.Host, r.Host)}
	}
	if f, ok := r.Context().Value(hopKey{}).(func() error); err == nil && ok {
		err = f()
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	return t.guard.transports[far].RoundTrip(r) // which shares no connection with the others
}

// keptAcrossOrigins are the headers that a redirect to another origin keeps; a
// header of any other name may hold a secret.
var keptAcrossOrigins = []string{"Accept", "Accept-Language", "Content-Type", "User-Agent"}

// ErrRedirects is the error of a request that is sent on and on.
var ErrRedirects = fmt.Errorf("more than %d redirects", redirectsMax)

// checkRedirect is http.Client's question whether to follow a redirect. Whether
// its host is granted is asked by RoundTrip.
func checkRedirect(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	next.Header.Del("Referer")
	switch {
	case len(via) > redirectsMax:
		return ErrRedirects
	case last.URL.Scheme == "https" && next.URL.Scheme == "http":
		return &DeniedError{Method: next.Method, Host: next.URL.Hostname(), Reason: "a redirect leads from https to http, where others can listen: ask for the other URL itself if that is meant"}
	case last.URL.Scheme != next.URL.Scheme || last.URL.Host != next.URL.Host:
		for name := range next.Header {
			if !slices.Contains(keptAcrossOrigins, name) {
				delete(next.Header, name)
			}
		}
	}
	return nil
}

// dialer returns the function that makes connections. Control sees the number
// that is about to be connected to, after all resolving.
func (g *Guard) dialer(far reach) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{
			Timeout:  connectTimeMax,
			Resolver: g.resolver,
			Control: func(_, number string, _ syscall.RawConn) error {
				a, err := netip.ParseAddrPort(number)
				if err != nil {
					return &DeniedError{Host: host, Reason: fmt.Sprintf("%s is at %q, which is no address and port", host, number)}
				}
				return checkAddress(host, a.Addr(), far)
			},
		}
		return d.DialContext(ctx, network, address)
	}
}

// Denied returns the refusal in err, or nil.
func Denied(err error) *DeniedError {
	var d *DeniedError
	errors.As(err, &d)
	return d
}
