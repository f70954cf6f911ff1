package mcp

import (
	"bytes"
)

// kind is what a JSON-RPC message is for.
type kind uint8

const (
	kindRequest      kind = iota // it has an id and a method: answer it
	kindNotification             // it has a method and no id: never answer it
	kindResponse                 // it answers a request of ours
	kindBatch                    // it is an array: no message, perhaps several
)

// message is one JSON-RPC message after the scan. Its slices point into the
// frame (or the scanner's scratch) and are good until the next scan.
type message struct {
	kind    kind
	id      []byte // the raw JSON string or integer; nil for a notification
	method  []byte // without quotes and escapes
	params  []byte // raw, or nil
	result  []byte // of a response: its raw result or error
	failed  bool   // of a response: result is an error
	again   bool   // all but its id and its arguments is as in the last request
	scanner *scanner
}

// param returns the raw value of a member of params, or nil.
//
//go:noinline
func (m *message) param(name string) []byte {
	s := m.scanner
	for i := range s.params {
		if string(s.at(s.params[i].name)) == name {
			return s.at(s.params[i].value)
		}
	}
	return nil
}

// parse scans frame and sorts its members. When the frame is no message that
// can be served, the error says why and the returned message has the id, when
// that could be read.
func (s *scanner) parse(frame []byte) (message, *wireError) {
	if s.repeat != nil {
		s.reset(frame)
		if s.again() {
			return s.repeated(), nil
		}
	}
	m := message{scanner: s}
	if !s.scan(frame) {
		return m, s.parseError()
	}
	first := s.space(0)
	if frame[first] == '[' {
		m.kind = kindBatch
		return m, nil
	}
	if frame[first] != '{' {
		return m, refuse(CodeInvalidRequest, "a JSON-RPC message is an object, not "+describe(frame[first:]))
	}
	e := s.envelope()
	if e.id != nil && !validID(e.id) {
		return m, refuse(CodeInvalidRequest, "the id is a string or an integer, not "+describe(e.id))
	}
	m.id = e.id
	bad := s.classify(&m, &e)
	if s.repeat != nil && bad == nil && m.kind == kindRequest {
		s.remember()
	}
	return m, bad
}

// envelope holds the raw members of a message; nil is one that is not there.
type envelope struct {
	version, id, method, params []byte
	result, fault               []byte
	slip                        string // a member that is known but for its case
}

func (s *scanner) envelope() (e envelope) {
	for i := range s.top {
		value := s.at(s.top[i].value)
		switch name := s.at(s.top[i].name); string(name) {
		case "jsonrpc":
			e.version = value
		case "id":
			e.id = value
		case "method":
			e.method = value
		case "params":
			e.params = value
		case "result":
			e.result = value
		case "error":
			e.fault = value
		default:
			if known := envelopeName(name); known != "" {
				e.slip = "unknown member " + quote(string(name)) + ": write it " + quote(known) + ", names are case-sensitive"
			}
		}
	}
	return e
}

// classify sets m's kind and method.
func (s *scanner) classify(m *message, e *envelope) *wireError {
	invalid := func(text string) *wireError { return refuse(CodeInvalidRequest, text) }
	switch {
	case e.slip != "":
		return invalid(e.slip)
	case string(e.version) != `"2.0"`:
		return invalid(`the member "jsonrpc" must be "2.0"`)
	case e.method == nil && (e.result != nil || e.fault != nil):
		m.kind, m.result = kindResponse, e.result
		if e.fault != nil {
			m.result, m.failed = e.fault, true
		}
		return nil
	case e.method == nil:
		return invalid(`the member "method" is missing`)
	case e.result != nil || e.fault != nil:
		return invalid(`a message has "method" or "result"/"error", not both`)
	case e.method[0] != '"':
		return invalid(`the member "method" is a string, not ` + describe(e.method))
	}
	m.method, m.params = s.unquote(e.method), e.params
	m.kind = kindNotification
	if m.id != nil {
		m.kind = kindRequest
	}
	switch {
	case e.params == nil || e.params[0] == '{':
		return nil
	case e.params[0] == '[':
		return refuse(CodeInvalidParams, "params is an object in MCP, not an array")
	}
	return invalid("params is an object, not " + describe(e.params))
}

// unquote returns the value of a scanned string.
func (s *scanner) unquote(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	from := len(s.scratch)
	s.scratch = appendUnescaped(s.scratch, inner)
	return s.scratch[from:len(s.scratch):len(s.scratch)]
}

// parseError turns the scan's fault into the answer to the frame.
func (s *scanner) parseError() *wireError {
	problem := s.fault.problem
	if problem == problemDepth {
		problem += ": at most " + itoa(s.depthMax) + " levels are read"
	}
	return refuse(CodeParse, "parse error at byte "+itoa(s.fault.offset)+": "+problem)
}

// envelopeName returns the envelope member that name is when letter case is
// put aside, or "".
func envelopeName(name []byte) string {
	for _, known := range [...]string{"jsonrpc", "id", "method", "params", "result", "error"} {
		if len(name) == len(known) && equalFold(string(name), known) {
			return known
		}
	}
	return ""
}

// equalFold reports whether two texts of one length are equal but for the case
// of ASCII letters.
func equalFold(a, b string) bool {
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// validID reports whether raw is a string or an integer without fraction and
// exponent.
func validID(raw []byte) bool {
	if raw[0] == '"' {
		return true
	}
	if raw[0] == '-' {
		raw = raw[1:]
	}
	for _, c := range raw {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// describe names the kind of a scanned value for an error. It and its like are kept
// out of line: they are called at dozens of places, none of them often.
//
//go:noinline
func describe(raw []byte) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	for _, c := range raw {
		if c == '.' || c == 'e' || c == 'E' {
			return "a number with a fraction or exponent"
		}
	}
	return "a number"
}

// idKey returns what two ids have in common exactly when they are the same id:
// the raw text of an integer, and a quote with the value of a string.
func (s *scanner) idKey(raw []byte) string {
	if raw[0] != '"' {
		return string(raw)
	}
	return `"` + string(s.unquote(raw))
}
