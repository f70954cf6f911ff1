package resource

import (
	"strings"
	"unicode/utf8"

	"github.com/ingot-run/ingot/mcp"
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
	strict := before + mcp.PercentEncode(value, "") + after
	if !strings.HasPrefix(name, "+") {
		return []string{strict}
	}
	keep := reserved
	for segment := range strings.SplitSeq(value, "/") {
		if segment == "." || segment == ".." { // which clients would resolve (RFC 3986 section 5.2.4)
			keep = strings.ReplaceAll(reserved, "/", "")
		}
	}
	all := []string{before + mcp.PercentEncode(value, keep) + after}
	for _, other := range []string{before + mcp.PercentEncode(value, reserved) + after, strict} {
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
func Escape(text string) string { return mcp.PercentEncode(text, "") }

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
