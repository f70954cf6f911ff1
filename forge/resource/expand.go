package resource

import (
	"strings"
	"unicode/utf8"
)

// uriBytesMax is the longest URI that is listed.
const uriBytesMax = 8 << 10

// reserved are the characters that {+name} lets stand beside unreserved ones
// (RFC 6570 section 3.2.3, RFC 3986 section 2.2).
const reserved = ":/?#[]@!$&'()*+,;="

// spelled returns the URIs that the entry's template makes of the value of its one
// variable: first the one that lists have, then those that clients may expand.
func (e *entry) spelled(value string) []string {
	before, rest, _ := strings.Cut(e.config.URITemplate, "{")
	name, after, _ := strings.Cut(rest, "}")
	strict := before + escaped(value, "") + after
	if !strings.HasPrefix(name, "+") {
		return []string{strict}
	}
	keep := reserved
	for segment := range strings.SplitSeq(value, "/") {
		if segment == "." || segment == ".." { // which clients would resolve (RFC 3986 section 5.2.4)
			keep = strings.ReplaceAll(reserved, "/", "")
		}
	}
	all := []string{before + escaped(value, keep) + after}
	for _, other := range []string{before + escaped(value, reserved) + after, strict} {
		if other != all[0] {
			all = append(all, other)
		}
	}
	return all
}

// greedy says whether the variable may hold slashes.
func (e *entry) greedy() bool { return strings.Contains(e.config.URITemplate, "{+") }

// variable is the value of the template's one variable.
func (e *entry) variable(at *place) string {
	for _, v := range at.variables {
		return v
	}
	return ""
}

// Escape percent-encodes all of a text that is not unreserved (RFC 3986 section 2.3): it
// is one value, wherever in a URI it stands.
func Escape(text string) string { return escaped(text, "") }

// escaped percent-encodes what is neither unreserved nor in keep.
func escaped(text, keep string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			out.WriteByte(c)
		default:
			out.WriteByte('%')
			out.WriteByte(digits[c>>4])
			out.WriteByte(digits[c&15])
		}
	}
	return out.String()
}

// shown is a name for a list; uri where the name is no text.
func shown(name, uri string) string {
	if name == "" || !utf8.ValidString(name) {
		return uri
	}
	return name
}

// before is what stands in front of the template's first expression.
func (e *entry) before() string {
	text, _, _ := strings.Cut(e.config.URITemplate, "{")
	return text
}
