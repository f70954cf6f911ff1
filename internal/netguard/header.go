package netguard

import (
	"cmp"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// usualHeaders may be set by whoever writes a request.
var usualHeaders = []string{
	"Accept", "Accept-Language", "Authorization", "Cache-Control", "Content-Language", "Content-Type", "Cookie", "Idempotency-Key",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Link", "Pragma", "Prefer", "Range", "User-Agent",
}

// Headers that begin with X- are free for all, but for those that servers or
// proxies in front of them believe.
var believedPrefixes = []string{"X-Forwarded", "X-Http-Method", "X-Method", "X-Original", "X-Real", "X-Rewrite", "X-Remote", "X-Client", "X-Cluster", "X-Proxy", "X-Aws-Ec2-Metadata", "X-Accel", "X-Sendfile"}

// refusedHeaders cannot be granted either: they are about the connection, about
// where the message ends, or about whom it is for.
var refusedHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Forwarded", "Host", "Http2-Settings", "Keep-Alive", "Metadata", "Metadata-Flavor",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Via",
}

// HeaderFault says why a header may not be set in a request to a URL by a stranger,
// or "": what has to do with the connection or with what servers believe may not,
// and what is unusual needs a rule for the host that names it.
func (g *Guard) HeaderFault(u *url.URL, name, value string) string {
	var granted []string
	host, err := canonicalHost(u.Hostname())
	port := cmp.Or(u.Port(), schemePorts[u.Scheme])
	for _, p := range g.patterns {
		if err == nil && p.matches(host, port, u.Scheme) {
			granted = append(granted, p.rule.Headers...)
		}
	}
	return headerFault(name, value, granted)
}

// headerFault does so for the names that are granted.
func headerFault(name, value string, granted []string) string {
	if len(name) == 0 || len(name) > 128 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.Trim(name, "_") != name {
		return fmt.Sprintf("%q is no name of a header", name)
	}
	if len(value) > 8<<10 {
		return fmt.Sprintf("the value of header %s has %d bytes, at most 8192 can be sent", name, len(value))
	}
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Sprintf("the value of header %s holds a control character", name)
		}
	}
	if fault := headerGrantFault(name); fault != "" {
		return fault
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	for _, g := range granted {
		if textproto.CanonicalMIMEHeaderKey(g) == name {
			return ""
		}
	}
	if slices.Contains(usualHeaders, name) {
		return ""
	}
	for _, p := range believedPrefixes {
		if strings.HasPrefix(name, p) {
			return fmt.Sprintf("header %s is believed by servers and is not granted", name)
		}
	}
	if strings.HasPrefix(name, "X-") {
		return ""
	}
	return fmt.Sprintf("header %s is not granted", name)
}

// headerGrantFault says why a header cannot even be granted, or "".
func headerGrantFault(name string) string {
	// Servers that turn names into variables take _ for -.
	name = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))
	if slices.Contains(refusedHeaders, name) || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Sec-") || name == "Proxy" {
		return fmt.Sprintf("header %s is the connection's own and cannot be set", name)
	}
	return ""
}
