package mcp

import (
	"regexp"
	"strings"
)

// uriLengthMax bounds URIs of resources, in bytes.
const uriLengthMax = 8 << 10

// checkURI refuses what cannot be a resource's URI (RFC 3986 section 3): it
// begins with a scheme and holds no space or control character. A template is
// checked in the same way.
func checkURI(uri string) error {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok || scheme == "" || len(uri) > uriLengthMax {
		return newError(quote(shown([]byte(uri))) + " is no URI: it begins with a scheme, such as file:, and has at most " + itoa(uriLengthMax) + " bytes")
	}
	for i := range len(scheme) {
		c := lower(scheme[i])
		if c-'a' >= 26 && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return newError(quote(shown([]byte(uri))) + " is no URI: a scheme has letters, digits, + - . only")
		}
	}
	if i := strings.IndexFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7F }); i >= 0 {
		return newError(quote(shown([]byte(uri))) + " is no URI: byte " + itoa(i) + " is a space or a control character")
	}
	return nil
}

// URITemplate is a template of RFC 6570, levels 1 to 3, as a [ResourceTemplate] has one.
// It is safe for concurrent use.
type URITemplate struct{ parsed *uriTemplate }

// ParseURITemplate parses a template; the error says what is wrong with it.
func ParseURITemplate(text string) (*URITemplate, error) {
	if err := checkURI(text); err != nil {
		return nil, err
	}
	parsed, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	return &URITemplate{parsed}, nil
}

// Variables are the names of the template's variables, in their order.
func (t *URITemplate) Variables() []string {
	var all []string
	for _, g := range t.parsed.groups {
		all = append(all, g.names...)
	}
	return all
}

// Match returns the values of the variables in uri, as [ReadRequest.Variables] has them,
// and whether uri is one of the template's.
func (t *URITemplate) Match(uri string) (map[string]string, bool) { return t.parsed.match(uri) }

// uriTemplate matches URIs against a template of RFC 6570, levels 1 to 3.
type uriTemplate struct {
	pattern  *regexp.Regexp
	groups   []templateGroup // one for each group of the pattern
	literals int             // bytes outside of expressions
}

// templateGroup is what one group of a pattern captures: a variable, or a
// query whose pairs are variables.
type templateGroup struct {
	names []string
	query bool
}

// Characters of values: all that are unreserved or percent-encoded, and what
// is not ASCII; {+var} and {#var} also take reserved ones.
const (
	plainValue    = "[^!#$&'()*+,/:;=?@\\[\\]]*"
	reservedValue = ".*?"
)

// parseTemplate compiles a template. Level 4 (prefixes and explosion) is
// refused: its expansion cannot be undone without knowing the variables' types.
func parseTemplate(text string) (*uriTemplate, error) {
	t := &uriTemplate{}
	var pattern strings.Builder
	pattern.WriteString("(?s)^")
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return nil, newError("template " + quote(text) + " has a } without its {")
		}
		pattern.WriteString(regexp.QuoteMeta(literal))
		t.literals += len(literal)
		if !found {
			break
		}
		expression, next, closed := strings.Cut(after, "}")
		if !closed {
			return nil, newError("template " + quote(text) + " has a { without its }")
		}
		if err := t.expression(&pattern, expression); err != nil {
			return nil, wrap("template "+quote(text)+": {"+expression+"}: ", err)
		}
		rest = next
	}
	pattern.WriteString("$")
	var err error
	t.pattern, err = regexp.Compile(pattern.String())
	return t, err
}

// expression appends the pattern of one expression (RFC 6570 section 3.2).
func (t *uriTemplate) expression(pattern *strings.Builder, text string) error {
	operator := byte(0)
	if text != "" && strings.IndexByte("+#./;?&", text[0]) >= 0 {
		operator, text = text[0], text[1:]
	}
	names := strings.Split(text, ",")
	for _, name := range names {
		if name == "" || strings.ContainsFunc(name, notInName) {
			return newError("a variable's name is made of letters, digits, _ and . ; * and : (level 4) are not supported")
		}
		for _, g := range t.groups {
			for _, earlier := range g.names {
				if earlier == name {
					return newError("the variable " + name + " occurs twice")
				}
			}
		}
	}
	if operator == '?' || operator == '&' {
		pattern.WriteString("(?:" + regexp.QuoteMeta(string(operator)) + "([^#]*))?")
		t.groups = append(t.groups, templateGroup{names, true})
		return nil
	}
	for i, name := range names {
		t.groups = append(t.groups, templateGroup{[]string{name}, false})
		switch operator {
		case 0, '+':
			value := "(" + plainValue + ")"
			if operator == '+' {
				value = "(" + reservedValue + ")"
			}
			if i > 0 {
				value = "(?:," + value + ")?"
			}
			pattern.WriteString(value)
		case '#':
			if i == 0 {
				pattern.WriteString("(?:#(" + reservedValue + "))?")
			} else {
				pattern.WriteString("(?:,(" + reservedValue + "))?")
			}
		case '.', '/':
			value := plainValue
			if operator == '.' && len(names) > 1 { // else the first would take all
				value = strings.Replace(value, "^", "^.", 1)
			}
			pattern.WriteString("(?:" + regexp.QuoteMeta(string(operator)) + "(" + value + "))?")
		case ';':
			pattern.WriteString("(?:;" + regexp.QuoteMeta(name) + "=?(" + plainValue + "))?")
		}
	}
	return nil
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.')
}

// match returns the values of the template's variables in uri; a variable that
// uri leaves out is not there.
func (t *uriTemplate) match(uri string) (map[string]string, bool) {
	if len(uri) > uriLengthMax {
		return nil, false
	}
	at := t.pattern.FindStringSubmatchIndex(uri)
	if at == nil {
		return nil, false
	}
	values := make(map[string]string, len(t.groups))
	for i, g := range t.groups {
		start, end := at[2*i+2], at[2*i+3]
		if start < 0 {
			continue
		}
		if g.query {
			if !g.readQuery(uri[start:end], values) {
				return nil, false
			}
			continue
		}
		value, ok := percentDecoded(uri[start:end])
		if !ok {
			return nil, false
		}
		values[g.names[0]] = value
	}
	return values, true
}

// readQuery reads pairs in any order; a name that the template lacks, or one
// that comes twice, is no match.
func (g *templateGroup) readQuery(query string, values map[string]string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		known := false
		for _, candidate := range g.names {
			known = known || candidate == name
		}
		value, ok := percentDecoded(raw)
		if _, twice := values[name]; !known || twice || !ok {
			return false
		}
		values[name] = value
	}
	return true
}

// PercentEncode encodes each byte of a text that is neither unreserved nor one of keep
// (RFC 3986 sections 2.1 and 2.3), so that it may stand in a URI: with "/" to keep a path
// stays one, and with nothing to keep it is one value wherever it stands.
func PercentEncode(text, keep string) string {
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

// percentDecoded undoes percent-encoding (RFC 3986 section 2.1).
func percentDecoded(text string) (string, bool) {
	if strings.IndexByte(text, '%') < 0 {
		return text, true
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out = append(out, text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		c := hex4([]byte{'0', '0', text[i+1], text[i+2]}, 0)
		if c < 0 {
			return "", false
		}
		out = append(out, byte(c))
		i += 2
	}
	return string(out), true
}
