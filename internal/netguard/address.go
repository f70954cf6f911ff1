package netguard

import (
	"fmt"
	"net/netip"
)

// The kinds of address, from the IANA registries of special-purpose addresses
// (RFC 6890 and what was added since). They are looked at in this order.
const (
	public    = iota
	never     // nobody answers there, or many do
	linkLocal // reached only if the rule names that very number
	private   // this machine and private networks: with Rule.Private
)

var specialPrefixes = []struct {
	prefix netip.Prefix
	kind   int
	name   string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), private, "a loopback address"},
	{netip.MustParsePrefix("10.0.0.0/8"), private, "an address of a private network"},
	{netip.MustParsePrefix("172.16.0.0/12"), private, "an address of a private network"},
	{netip.MustParsePrefix("192.168.0.0/16"), private, "an address of a private network"},
	{netip.MustParsePrefix("100.100.100.200/32"), linkLocal, "a cloud's metadata address"},
	{netip.MustParsePrefix("100.64.0.0/10"), private, "an address of a provider's network"},
	{netip.MustParsePrefix("198.18.0.0/15"), private, "an address of a test network"},
	{netip.MustParsePrefix("169.254.0.0/16"), linkLocal, "a link-local address, where clouds keep their credentials"},
	{netip.MustParsePrefix("192.0.0.0/24"), linkLocal, "an address of protocol assignments"},
	{netip.MustParsePrefix("0.0.0.0/8"), never, "an unspecified address"},
	{netip.MustParsePrefix("192.0.2.0/24"), never, "an address of documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), never, "an address of documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), never, "an address of documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), never, "an address of 6to4 relays"},
	{netip.MustParsePrefix("224.0.0.0/4"), never, "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), never, "a reserved address"},

	{netip.MustParsePrefix("::1/128"), private, "a loopback address"},
	{netip.MustParsePrefix("::/128"), never, "an unspecified address"},
	{netip.MustParsePrefix("fd00:ec2::/32"), linkLocal, "a cloud's metadata address"},
	{netip.MustParsePrefix("fd20:ce::/32"), linkLocal, "a cloud's metadata address"},
	{netip.MustParsePrefix("fc00::/7"), private, "an address of a private network"},
	{netip.MustParsePrefix("fec0::/10"), private, "an address of a private network"},
	{netip.MustParsePrefix("fe80::/10"), linkLocal, "a link-local address"},
	{netip.MustParsePrefix("2001:db8::/32"), never, "an address of documentation"},
	{netip.MustParsePrefix("3fff::/20"), never, "an address of documentation"},
	{netip.MustParsePrefix("2001::/23"), never, "an address of protocol assignments"},
	{netip.MustParsePrefix("2000::/3"), public, ""},
	{netip.MustParsePrefix("::/0"), never, "a reserved address"},
	{netip.MustParsePrefix("0.0.0.0/0"), public, ""},
}

// embedding are IPv6 prefixes whose addresses lead to the IPv4 address inside.
var embedding = []struct {
	prefix netip.Prefix
	offset int // of the four bytes
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // RFC 6052, NAT64
	{netip.MustParsePrefix("2002::/16"), 2},     // RFC 3056, 6to4
	{netip.MustParsePrefix("::/96"), 12},        // RFC 4291, IPv4-compatible
}

// classify finds the kind of an address and a word for it.
func classify(a netip.Addr) (kind int, name string) {
	a = a.WithZone("").Unmap()
	if a != netip.IPv6Unspecified() && a != netip.IPv6Loopback() {
		for _, e := range embedding {
			if e.prefix.Contains(a) {
				b := a.As16()
				return classify(netip.AddrFrom4([4]byte(b[e.offset:])))
			}
		}
	}
	for _, s := range specialPrefixes {
		if s.prefix.Contains(a) {
			return s.kind, s.name
		}
	}
	return never, "no address"
}

// checkAddress decides at the moment of connecting.
func checkAddress(host string, a netip.Addr, far reach) error {
	kind, name := classify(a)
	switch {
	case kind == public, kind == private && far >= reachPrivate, kind == linkLocal && far >= reachNamed:
		return nil
	case kind == private:
		return &DeniedError{Host: host, Private: true, Reason: fmt.Sprintf("%s is at %s, %s, which is not granted", host, a, name)}
	case kind == linkLocal:
		return &DeniedError{Host: host, Private: true, Reason: fmt.Sprintf("%s is at %s, %s, which only a grant of that very number reaches", host, a, name)}
	}
	return &DeniedError{Host: host, Reason: fmt.Sprintf("%s is at %s, %s", host, a, name)}
}
