package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/mcp"
)

// uriExpression is what stands between the braces of a URI template.
var uriExpression = regexp.MustCompile(`^([+#./;?&]?)([A-Za-z0-9_.]+\*?(?:,[A-Za-z0-9_.]+\*?)*)$`)

// pathExpression is the one form of a variable that names a file or a key.
var pathExpression = regexp.MustCompile(`\{\+?[A-Za-z0-9_.]+\}`)

// uriTemplate reads a URI template and returns it as package mcp matches it: {name*},
// {+name*} and {/name*} are a variable that may hold slashes. Or it says what is wrong.
func uriTemplate(t string) (plain string, variables []string, fault string) {
	if scheme, _, ok := strings.Cut(t, ":"); !ok || scheme == "" || strings.ContainsAny(scheme, "{}/ ") {
		return "", nil, "the URI " + quote(t) + " does not begin with a scheme, as notes:///{name}"
	}
	var out strings.Builder
	for rest := t; ; {
		before, inner, ok := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return "", nil, "the URI " + quote(t) + " has a } without a {"
		}
		out.WriteString(before)
		if !ok {
			break
		}
		var expression string
		if expression, rest, ok = strings.Cut(inner, "}"); !ok {
			return "", nil, "the URI " + quote(t) + " has a { without a }"
		}
		one, fault := uriVariable(expression)
		if fault != "" {
			return "", nil, "the URI " + quote(t) + " has {" + expression + "}, " + fault
		}
		out.WriteString(one)
	}
	parsed, err := mcp.ParseURITemplate(out.String())
	if err != nil {
		return "", nil, "the URI cannot be used: " + err.Error()
	}
	return out.String(), parsed.Variables(), ""
}

// uriVariable is an expression of a template as package mcp reads it.
func uriVariable(expression string) (plain, fault string) {
	m := uriExpression.FindStringSubmatch(expression)
	switch {
	case m == nil:
		return "", "which is no variable of a URI template (RFC 6570), as {name} or {+path}"
	case !strings.Contains(expression, "*"):
		return "{" + expression + "}", ""
	case strings.Contains(m[2], ",") || !slices.Contains([]string{"", "+", "/"}, m[1]):
		return "", "and what a * spreads cannot be read back: a * stands behind a single name only, as {path*}, {+path*} or {/path*}"
	case m[1] == "/":
		return "/{+" + strings.TrimSuffix(m[2], "*") + "}", ""
	default:
		return "{+" + strings.TrimSuffix(m[2], "*") + "}", ""
	}
}
