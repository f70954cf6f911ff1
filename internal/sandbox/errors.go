package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What went wrong, for errors.Is. The text of each is its stable code.
//
// From [Host.Load]: these, ErrABI, ErrMemory, ErrClosed, and what describing
// itself can end in: ErrDeadline, ErrTrap, ErrExit, ErrOutput, ErrCanceled.
var (
	// ErrPolicy: the policy asks for a limit that cannot be enforced.
	ErrPolicy = errors.New("bad policy")
	// ErrPin: the module is not the one that is pinned, or not signed as it must be.
	ErrPin = errors.New("pin violated")
	// ErrModule: the bytes are not a module that can be compiled.
	ErrModule = errors.New("bad module")
)

// From [Module.Call].
var (
	// ErrInput: the arguments are not JSON, or too long.
	ErrInput = errors.New("bad input")
	// ErrBusy: all instances were in use for as long as the caller could wait, or
	// too many calls waited already. The call has not begun.
	ErrBusy = errors.New("busy")
	// ErrFuel: the guest burnt the fuel of its call.
	ErrFuel = errors.New("fuel used up")
	// ErrDeadline: the guest was stopped at its time limit.
	ErrDeadline = errors.New("deadline exceeded")
	// ErrCanceled: the caller's context ended first; wraps its error.
	ErrCanceled = errors.New("canceled")
	// ErrMemory: the guest asked for more memory than it may have, and failed.
	ErrMemory = errors.New("memory limit reached")
	// ErrTrap: the guest executed an illegal operation.
	ErrTrap = errors.New("trap")
	// ErrExit: the guest ended itself (proc_exit, os.Exit, an uncaught panic).
	ErrExit = errors.New("guest exited")
	// ErrABI: the guest does not keep to the ABI: missing exports, a result
	// outside its memory, text that is not JSON.
	ErrABI = errors.New("ABI violation")
	// ErrRefused: the host did not do what the guest asked, and the guest has no way
	// to hear of it: an HTTP request of an Extism plug-in that is not granted or got
	// no answer.
	ErrRefused = errors.New("refused")
	// ErrOutput: the result is longer than it may be.
	ErrOutput = errors.New("output too long")
	// ErrClosed: the module was closed; the call has not begun.
	ErrClosed = errors.New("closed")
)

// Error is the one type of error that this package returns, apart from
// [GuestError]. It says what, where and how to mend it.
type Error struct {
	// Tool is the name of the tool, or of its file where none is meant.
	Tool string
	// Op is what was being done: "load", "describe" or "call".
	Op string
	// Kind is one of the sentinels above.
	Kind error
	// Detail says what was seen, and what would mend it.
	Detail string
	// Cause is the error underneath, if there is one.
	Cause error
}

// Error is "tool NAME: OP: KIND: DETAIL".
func (e *Error) Error() string {
	return fmt.Sprintf("tool %s: %s: %v: %s", e.Tool, e.Op, e.Kind, e.Detail)
}

// Unwrap gives the kind and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// GuestError is a failure that the tool itself reports: it ran to its end and
// says that it cannot do what was asked. The text is the guest's and meant for
// the caller.
type GuestError struct {
	// Message is for people; never empty.
	Message string `json:"message"`
	// Code is for programs; empty when the guest gives none.
	Code string `json:"code"`
}

// Error is the guest's message, with its code if it has one.
func (e *GuestError) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Message + " (" + e.Code + ")"
}

// failure is an error without its tool and operation, as the inner layers make
// it; [at] adds them.
type failure struct {
	kind   error
	detail string
	cause  error
}

// Error implements error.
func (f *failure) Error() string { return f.kind.Error() + ": " + f.detail }

// failf makes a failure.
func failf(kind error, format string, args ...any) *failure {
	return &failure{kind: kind, detail: fmt.Sprintf(format, args...)}
}

// at adds the tool and the operation: it turns err into an *Error; a GuestError stays as it is.
func at(tool, op string, err error) error {
	if err == nil { // most often: before anything is allocated
		return nil
	}
	var f *failure
	var g *GuestError
	switch {
	case errors.As(err, &g):
		return g
	case errors.As(err, &f):
		return &Error{Tool: tool, Op: op, Kind: f.kind, Detail: f.detail, Cause: f.cause}
	default:
		return &Error{Tool: tool, Op: op, Kind: ErrABI, Detail: err.Error(), Cause: err}
	}
}

// clip cuts a guest's text to n bytes at a character boundary, and makes what
// is not printable visible, so that it can stand in an error or a log.
func clip(s string, n int) string {
	cut := len(s) > n
	if cut {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}
