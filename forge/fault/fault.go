// Package fault says what kind of failure a tool met, so that what stands around
// the tool (retry, circuit breaker, fallback, the metrics) can act on it.
//
// The main types are [Class] and [Error].
//
//	return nil, fault.New(fault.Unavailable, "%s does not answer", host)
//	…
//	if fault.ClassOf(err).Retryable() { … }
//
// # Caveats
//
// The text of an error goes to the caller: no secret may stand in it.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// Class is a kind of failure. Its text is stable: files and metrics name it.
type Class string

// The classes.
const (
	// InvalidInput: the arguments are not what the tool takes.
	InvalidInput Class = "invalid_input"
	// Denied: the tool, or the caller, may not do it.
	Denied Class = "denied"
	// Timeout: it took longer than it may.
	Timeout Class = "timeout"
	// Unavailable: what the tool needs does not answer, or is busy; later it may.
	Unavailable Class = "unavailable"
	// Failed: the tool was run, and says that it failed.
	Failed Class = "failed"
	// Canceled: the caller gave up.
	Canceled Class = "canceled"
	// Internal: the server itself is at fault.
	Internal Class = "internal"
)

// Classes are all of them.
var Classes = []Class{InvalidInput, Denied, Timeout, Unavailable, Failed, Canceled, Internal}

// Retryable says whether the same call may go better a little later.
func (c Class) Retryable() bool { return c == Timeout || c == Unavailable }

// OfTool says whether the failure speaks against what the tool stands on, and not
// against the call: a circuit breaker counts these.
func (c Class) OfTool() bool {
	return c == Timeout || c == Unavailable || c == Failed || c == Internal
}

// Codes of JSON-RPC 2.0, section 5.1.
const (
	codeInvalidParams = -32602
	codeInternal      = -32603
)

// Error is a failure of a class.
type Error struct {
	Class Class
	// Message is for the caller: what failed, and what mends it.
	Message string
	// Cause is the error underneath; it is not shown to the caller.
	Cause error
	// RetryAfter is how long the other side, or a limit, asks to be left alone; 0
	// when it does not say.
	RetryAfter time.Duration
}

// New makes an error.
func New(class Class, format string, args ...any) *Error {
	return &Error{Class: class, Message: fmt.Sprintf(format, args...)}
}

// Because makes an error with what caused it.
func Because(cause error, class Class, format string, args ...any) *Error {
	return &Error{Class: class, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ClassOf is the class of any error of a handler; empty for nil.
func ClassOf(err error) Class {
	var f *Error
	var bad *mcp.ArgumentError
	var code *mcp.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &f):
		return f.Class
	case errors.As(err, &bad):
		return InvalidInput
	case errors.As(err, &code) && code.Code == codeInvalidParams:
		return InvalidInput
	case code != nil && code.Code == codeInternal:
		return Internal
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Canceled
	default:
		return Failed
	}
}

// RetryAfter is how long an error asks to be left alone; 0 when it does not say.
func RetryAfter(err error) time.Duration {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.RetryAfter
	}
	return 0
}

// Shorten bounds a text that an error or a log quotes; "…" stands for what is left out.
func Shorten(text string, bytesMax int) string {
	if len(text) <= bytesMax {
		return text
	}
	return strings.ToValidUTF8(text[:bytesMax], "") + "…"
}
