package mcp

import (
	"errors"
	"strconv"
	"strings"
)

// JSON-RPC 2.0 error codes, and those that MCP 2026-07-28 adds
// (basic/index, "Error Codes").
const (
	CodeParse              = -32700 // the frame is not strict JSON
	CodeInvalidRequest     = -32600 // it is JSON but no message
	CodeMethodNotFound     = -32601
	CodeInvalidParams      = -32602 // also an unknown tool, or _meta that lacks a field
	CodeInternal           = -32603 // a handler panicked or made an unusable result
	CodeNoResource         = -32002 // legacy; modern has -32602
	CodeHeaderMismatch     = -32020 // HTTP headers contradict the message
	CodeMissingCapability  = -32021 // the client lacks what the request needs
	CodeUnsupportedVersion = -32022
)

// Problems that a scan reports and that others recognize.
const (
	problemStart     = "no JSON value begins with this byte"
	problemDepth     = "the nesting is too deep"
	problemDuplicate = "a name occurs twice in one object"
)

// wireError is the error member of a response: what a request met that is not
// the tool's own doing. Its data, when there is some, is raw JSON.
type wireError struct {
	code    int
	message string
	data    []byte
	// result, when not nil, makes this no error: the members of a result of
	// another kind than the request's own.
	result []byte
}

// refuse returns a wireError. It is kept out of line, where its hundred callers
// would each allocate one by themselves.
//
//go:noinline
func refuse(code int, message string) *wireError { return &wireError{code: code, message: message} }

// Error returns the message with its code.
func (e *wireError) Error() string {
	return e.message + " (" + strconv.Itoa(e.code) + ")"
}

// wrapped is an error with words before it.
type wrapped struct {
	before string
	err    error
}

// wrap puts words before an error, which errors.Is and errors.As still find. It
// is here, as are concatenated messages all over this package, since fmt would be
// a tenth of a wasm build's own code.
//
//go:noinline
func wrap(before string, err error) error { return &wrapped{before, err} }

// quote is strconv.Quote, and itoa strconv.Itoa, out of line.
//
//go:noinline
func quote(text string) string { return strconv.Quote(text) }

//go:noinline
func itoa(n int) string { return strconv.Itoa(n) }

// newError is errors.New, out of line.
//
//go:noinline
func newError(text string) error { return errors.New(text) }

// Error returns the words and the error's own.
func (w *wrapped) Error() string { return w.before + w.err.Error() }

// Unwrap returns the error.
func (w *wrapped) Unwrap() error { return w.err }

// ArgumentError says which argument of a tool call is wrong and how. A handler
// that returns one (wrapped or not) has its text sent as an isError result, so
// that the model can mend the call.
type ArgumentError struct {
	Argument string // the argument's name, or a path such as entries[2].key
	Problem  string // what is wrong and what would be right
}

// Error returns `argument "key": must be a string, not a number`.
func (e *ArgumentError) Error() string {
	return "argument " + strconv.Quote(e.Argument) + ": " + e.Problem
}

// Error is a JSON-RPC error. A handler that returns one (wrapped or not) has
// the request answered with it; any other error of a tool's handler becomes an
// isError result, which the model reads, and any other error of a resource's or
// prompt's handler is answered with -32603.
type Error struct {
	Code    int
	Message string
	Data    []byte // raw JSON, or nil
}

// Error returns the message with its code.
func (e *Error) Error() string { return e.Message + " (" + strconv.Itoa(e.Code) + ")" }

// CapabilityError is returned to a handler that asks for what the client
// cannot do, or did not say it can. Returned on, it is answered with -32021 in
// the modern era.
type CapabilityError struct {
	Capability string // a path such as elicitation.url or sampling
}

// Error names the capability.
func (e *CapabilityError) Error() string {
	return "the client lacks the capability " + e.Capability
}

// data is the error's data member: the capability as nested objects.
func (e *CapabilityError) data() []byte {
	out, depth := []byte(`{"requiredCapabilities":`), 1
	for part := range splitPath(e.Capability) {
		out = addByte(appendString(addByte(out, '{'), part), ':')
		depth++
	}
	out = add(out, "{}")
	for range depth {
		out = addByte(out, '}')
	}
	return out
}

// splitPath yields what stands between the dots of path; an extension's name,
// which has dots itself, is one part.
func splitPath(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		if rest, ok := strings.CutPrefix(path, "extensions."); ok {
			_ = yield("extensions") && yield(rest)
			return
		}
		for part := range strings.SplitSeq(path, ".") {
			if !yield(part) {
				return
			}
		}
	}
}

// ClientError is the error with which a client answered a question.
type ClientError struct {
	Code    int
	Message string
}

// Error says what the client said.
func (e *ClientError) Error() string {
	return "the client answered with an error: " + e.Message + " (" + strconv.Itoa(e.Code) + ")"
}

// clientError reads the error member of a client's response.
func clientError(raw []byte) error {
	e := &ClientError{Message: "no message"}
	for name, value := range membersOf(raw) {
		switch {
		case name == "message" && value[0] == '"':
			e.Message = shown([]byte(unquoted(value)))
		case name == "code":
			e.Code, _ = strconv.Atoi(string(value)) // 0 for what is no number
		}
	}
	return e
}

// protocolError returns the JSON-RPC error that err stands for, or nil.
func protocolError(err error, modern bool) *wireError {
	if e, ok := errors.AsType[*Error](err); ok {
		return &wireError{code: e.Code, message: e.Message, data: e.Data}
	}
	if e, ok := errors.AsType[*CapabilityError](err); ok && modern {
		return &wireError{code: CodeMissingCapability, message: e.Error(), data: e.data()}
	}
	return nil
}

func errIDInFlight() *wireError {
	return refuse(CodeInvalidRequest, "the id is that of a request still in flight")
}
