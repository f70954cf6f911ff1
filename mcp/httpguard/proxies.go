package httpguard

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the peers that are believed about which client a request is from.
// The zero value believes nobody.
type Proxies struct {
	networks  []netip.Prefix
	forwarded bool // they write Forwarded, not X-Forwarded-For
}

// NewProxies returns the proxies of networks, such as 10.0.0.0/8, or single
// addresses. header is the one that they write: X-Forwarded-For, also when it is
// empty, or Forwarded (RFC 7239). The other one is not looked at, since a proxy
// passes on what a client put there.
func NewProxies(networks []string, header string) (p Proxies, err error) {
	switch strings.ToLower(header) {
	case "", "x-forwarded-for":
	case "forwarded":
		p.forwarded = true
	default:
		return p, fmt.Errorf("the header %.100q is neither X-Forwarded-For nor Forwarded", header)
	}
	for _, text := range networks {
		network, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil {
			address = address.Unmap()
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return p, fmt.Errorf("%.100q is neither a network such as 10.0.0.0/8 nor an address", text)
		}
		p.networks = append(p.networks, network.Masked())
	}
	return p, nil
}

// trust reports whether address is one of the proxies.
func (p *Proxies) trust(address netip.Addr) bool {
	for _, network := range p.networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// origin returns the address that r comes from: of the chain that the header
// and the connection make, the last one that is no proxy. Each proxy appends its
// peer, so that what a client claims stands before it. Where the chain cannot be
// read on, it is the proxy that wrote so.
func (p *Proxies) origin(r *http.Request) netip.Addr {
	at := addressOf(r.RemoteAddr)
	if !p.trust(at) {
		return at
	}
	hops := p.hops(r.Header)
	for i := len(hops) - 1; i >= 0; i-- {
		before := addressOf(hops[i])
		if !before.IsValid() {
			return at
		}
		if at = before; !p.trust(at) {
			return at
		}
	}
	return at
}

// hops returns what the header says, the client first.
func (p *Proxies) hops(h http.Header) (hops []string) {
	if !p.forwarded {
		for _, line := range h["X-Forwarded-For"] {
			for hop := range strings.SplitSeq(line, ",") {
				hops = append(hops, strings.TrimSpace(hop))
			}
		}
		return hops
	}
	for _, line := range h["Forwarded"] {
		for _, element := range splitQuoted(line, ',') {
			hops = append(hops, forParameter(element))
		}
	}
	return hops
}

// forParameter returns the for parameter of an element of Forwarded; "" when
// there is none, or more than one.
func forParameter(element string) (found string) {
	for _, pair := range splitQuoted(element, ';') {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found != "" {
			return ""
		}
		found = strings.Trim(value, `"`)
	}
	return found
}

// splitQuoted splits text at a separator outside of quotes.
func splitQuoted(text string, separator byte) (parts []string) {
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '\\' && quoted:
			i++
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
