package mcp

import (
	"strconv"
)

// JSON-RPC 2.0 error codes, and those that MCP 2026-07-28 adds
// (basic/index, "Error Codes").
const (
	CodeParse              = -32700 // the frame is not strict JSON
	CodeInvalidRequest     = -32600 // it is JSON but no message
	CodeMethodNotFound     = -32601
	CodeInvalidParams      = -32602 // also an unknown tool, or _meta that lacks a field
	CodeInternal           = -32603 // a handler panicked or made an unusable result
	CodeHeaderMismatch     = -32020 // HTTP headers contradict the message
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
}

// Error returns the message with its code.
func (e *wireError) Error() string {
	return e.message + " (" + strconv.Itoa(e.code) + ")"
}

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
