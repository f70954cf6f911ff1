package netguard

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Rule grants requests to one host, or to the hosts below a name.
type Rule struct {
	// Host is a name ("api.example.org"), all names below one ("*.example.org",
	// which leaves out example.org itself), an address ("192.0.2.7",
	// "[2001:db8::1]"), or "*" for every host. ":port" may stand behind it;
	// without, http goes to port 80 and https to port 443. Names beyond ASCII are
	// written in Punycode.
	Host string
	// Methods are the methods that may be used, in capitals; none: GET and HEAD.
	Methods []string
	// Private lets the host be this machine or on a private network.
	Private bool
	// Headers are names of request headers that strangers may set beside the usual
	// ones; see [Guard.HeaderFault].
	Headers []string
}

// pattern is a parsed rule.
type pattern struct {
	rule    Rule
	name    string // lower case, without wildcard and final dot; an address in its shortest form
	below   bool   // names below name
	port    string // "": the scheme's own
	methods []string
}

// defaultMethods are granted by a rule that names none.
var defaultMethods = []string{"GET", "HEAD"}

// parse checks a rule. Its errors are for the person who wrote the rule.
func (r Rule) parse() (pattern, error) {
	p := pattern{rule: r, methods: defaultMethods}
	host, err := p.splitPort(r.Host)
	if err != nil {
		return p, err
	}
	p.name, p.below = strings.CutPrefix(host, "*.")
	if host == "*" {
		p.name, p.below = "", true
	} else if p.name, err = canonicalHost(p.name); err != nil {
		return p, fmt.Errorf("host %q: %w; write a name such as api.example.org, *.example.org, or an address", r.Host, err)
	}
	if _, err := netip.ParseAddr(p.name); err == nil && p.below {
		return p, fmt.Errorf("host %q: an address has no names below it; leave the *. out", r.Host)
	}
	if len(r.Methods) > 0 {
		p.methods = r.Methods
	}
	for _, m := range p.methods {
		if !isMethod(m) {
			return p, fmt.Errorf("method %q of host %q is none that can be granted: use %s", m, r.Host, strings.Join(knownMethods, ", "))
		}
	}
	for _, h := range r.Headers {
		if fault := headerFault(h, "", []string{h}); fault != "" {
			return p, fmt.Errorf("header %q of host %q: %s", h, r.Host, fault)
		}
	}
	return p, nil
}

// splitPort takes the port off a rule's host.
func (p *pattern) splitPort(host string) (string, error) {
	if strings.Contains(host, "/") {
		return "", fmt.Errorf("host %q is more than a host: write it without scheme and path, as api.example.org", host)
	}
	rest := host
	if end := strings.LastIndexByte(host, ']'); end >= 0 {
		rest = host[end:]
	}
	if strings.Count(rest, ":") == 0 {
		return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return "", fmt.Errorf("host %q is an IPv6 address: put it in brackets, as [%s]", host, addr)
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", fmt.Errorf("host %q is not a name with a port: write it as api.example.org:8443", host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port %q of host %q is not a number from 1 to 65535", port, host)
	}
	p.port = strconv.FormatUint(n, 10)
	return name, nil
}

// Validate says what is wrong with a rule, if anything.
func (r Rule) Validate() error {
	_, err := r.parse()
	return err
}

// knownMethods are the methods of RFC 9110 and RFC 5789 without CONNECT, which
// makes tunnels, and TRACE, which shows headers.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func isMethod(m string) bool { return slices.Contains(knownMethods, m) }

// canonicalHost brings a host name or address to the one form that is compared.
func canonicalHost(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "", fmt.Errorf("an address with a zone (%%%s) cannot be granted", addr.Zone())
		}
		return addr.Unmap().String(), nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || len(host) > 253 {
		return "", fmt.Errorf("a host name has 1 to 253 characters")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("each part of a host name has 1 to 63 characters")
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return "", fmt.Errorf("the character %q cannot stand in a host name", c)
			}
		}
	}
	return host, nil
}

// matches says whether the rule is about the host (canonical) and port.
func (p pattern) matches(host, port, scheme string) bool {
	want := p.port
	if want == "" {
		want = schemePorts[scheme]
	}
	if port != want {
		return false
	}
	if p.below {
		return p.name == "" || strings.HasSuffix(host, "."+p.name)
	}
	return host == p.name
}

// schemePorts are the schemes that can be used, and their ports.
var schemePorts = map[string]string{"http": "80", "https": "443"}

// DeniedError is a refusal: no rule allows what was asked for.
type DeniedError struct {
	// Method, Host and Port are what was asked for; Host is empty when the
	// request had none that can be understood.
	Method, Host, Port string
	// Private is set when the host is granted and its address is of this machine
	// or of a private network, which is not.
	Private bool
	// Reason says what is not allowed.
	Reason string
}

// Error is the reason.
func (e *DeniedError) Error() string { return e.Reason }

// reach is how far a granted request may go.
type reach int

const (
	reachPublic  reach = iota // public addresses
	reachPrivate              // this machine and private networks too
	reachNamed                // the rule names the very number: link-local addresses too
	reaches                   // how many there are
)

// reach is how far the rule lets requests go.
func (p pattern) reach() reach {
	_, err := netip.ParseAddr(p.name)
	switch {
	case !p.rule.Private:
		return reachPublic
	case err == nil && !p.below:
		return reachNamed
	}
	return reachPrivate
}

// allow finds out whether a request may be sent, and how far it may go.
func (g *Guard) allow(method string, u *url.URL) (far reach, err error) {
	deny := func(format string, args ...any) (reach, error) {
		return 0, &DeniedError{Method: method, Reason: fmt.Sprintf(format, args...)}
	}
	if schemePorts[u.Scheme] == "" || u.Opaque != "" {
		return deny("the URL's scheme is %q; only http:// and https:// URLs can be requested", u.Scheme)
	}
	if u.User != nil {
		return deny("the URL holds a user name or password; send them in an Authorization header")
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return deny("the URL's host %q is not usable: %v", u.Hostname(), err)
	}
	port := u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		port = strconv.FormatUint(n, 10)
	} else if port != "" {
		return deny("the URL's port %q is not a number from 1 to 65535", port)
	} else {
		port = schemePorts[u.Scheme]
	}
	known, granted := false, false
	for _, p := range g.patterns {
		if p.matches(host, port, u.Scheme) {
			known = true
			if slices.Contains(p.methods, method) {
				granted = true
				far = max(far, p.reach())
			}
		}
	}
	switch {
	case !known:
		return 0, &DeniedError{method, host, port, false, fmt.Sprintf("%s is not granted", net.JoinHostPort(host, port))}
	case !granted:
		return 0, &DeniedError{method, host, port, false, fmt.Sprintf("%s to %s is not granted", method, net.JoinHostPort(host, port))}
	}
	return far, nil
}
