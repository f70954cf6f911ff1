package streamable

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/mcp"
)

// toolParams are a tool's arguments that stand in headers too (x-mcp-header in
// its schema; basic/transports/streamable-http, "Custom Headers from Tool
// Parameters").
type toolParams struct {
	schema []byte // what params were read from; compared by address
	params []toolParam
}

// toolParam is one of them.
type toolParam struct {
	header string   // in its canonical form
	path   []string // of property names
}

// paramsOf returns those of the tool that e calls. Schemas are read once.
func (h *Handler) paramsOf(e *mcp.Exchange) []toolParam {
	schema := e.ToolSchema()
	if len(schema) == 0 {
		return nil
	}
	if known, ok := h.params.Load(e.Name); ok {
		if known := known.(*toolParams); &known.schema[0] == &schema[0] {
			return known.params
		}
	}
	known := &toolParams{schema: schema, params: appendParams(nil, schema, nil)}
	h.params.Store(e.Name, known) // names are those of tools: bounded
	return known.params
}

// appendParams appends those of schema, whose properties are at path. What is
// not as the specification wants it is left out: clients do not use such tools.
func appendParams(dst []toolParam, schema jsontext.Value, path []string) []toolParam {
	var object struct {
		Properties map[string]jsontext.Value `json:"properties"`
	}
	if json.Unmarshal(schema, &object) != nil {
		return dst // true or false: nothing is said of properties
	}
	for name, property := range object.Properties {
		at := append(slices.Clone(path), name)
		var annotation struct {
			Header string `json:"x-mcp-header"`
		}
		if json.Unmarshal(property, &annotation) == nil && isToken(annotation.Header) {
			dst = append(dst, toolParam{http.CanonicalHeaderKey(headerParam + annotation.Header), at})
		}
		dst = appendParams(dst, property, at)
	}
	return dst
}

// isToken reports whether name may be part of a header's name (RFC 9110
// section 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		b := name[i]
		letter := 'a' <= b|0x20 && b|0x20 <= 'z'
		if !letter && (b < '0' || b > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(b)) {
			return false
		}
	}
	return name != ""
}

// checkParams refuses e when a header of an argument contradicts it.
func (h *Handler) checkParams(e *mcp.Exchange, header http.Header) {
	for _, p := range h.paramsOf(e) {
		values := header[p.header]
		want := valueAt(e.Arguments(), p.path)
		switch {
		case want == nil && len(values) == 0:
		case want == nil:
			e.Refuse(mcp.CodeHeaderMismatch, "Header mismatch: "+p.header+" is sent, and arguments."+strings.Join(p.path, ".")+" is not")
		case len(values) != 1:
			e.Refuse(mcp.CodeHeaderMismatch, "Header mismatch: "+p.header+" must be sent exactly once with arguments."+strings.Join(p.path, "."))
		default:
			got, ok := decodeValue(values[0])
			if !ok || hasUnsafe(values[0]) {
				refuseUnsafe(e, p.header)
			} else if !sameValue(got, want) {
				refuseMismatch(e, p.header, got, plain(want))
			}
		}
	}
}

// valueAt returns the value at path; nil when there is none, or null.
func valueAt(raw jsontext.Value, path []string) jsontext.Value {
	for _, name := range path {
		var object map[string]jsontext.Value
		if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &object) != nil {
			return nil
		}
		raw = object[name]
	}
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// plain is a value as a header spells it.
func plain(raw jsontext.Value) string {
	if text, err := jsontext.AppendUnquote(nil, raw); err == nil {
		return string(text)
	}
	return string(raw)
}

// sameValue compares a header's value with an argument: numbers by value, as
// far as all clients can represent them.
func sameValue(got string, want jsontext.Value) bool {
	if got == plain(want) {
		return true
	}
	if want[0] != '-' && (want[0] < '0' || want[0] > '9') {
		return false
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(string(want), 64)
	return errA == nil && errB == nil && a == b && math.Abs(a) < 1<<53
}
