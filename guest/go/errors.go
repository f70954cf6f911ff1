package guest

import "fmt"

// Error is a failure with a code that a program can act on.
type Error struct {
	Code    string // such as "bad_date"
	Message string // what is wrong and how to mend it
}

// What the host's functions fail with, for errors.Is. The codes are those of
// docs/ABI.md. A tool that returns such an error as it is passes the host's
// message and code on to its caller.
var (
	// ErrNotFound: there is no such key.
	ErrNotFound = &Error{Code: "not_found"}
	// ErrDenied: the policy does not grant it; the message names the missing grant.
	ErrDenied = &Error{Code: "denied"}
	// ErrLimit: a limit of the call is used up, or something is too long.
	ErrLimit = &Error{Code: "limit"}
	// ErrInvalid: the request is not what the function takes.
	ErrInvalid = &Error{Code: "invalid"}
	// ErrConflict: the key is at another version.
	ErrConflict = &Error{Code: "conflict"}
	// ErrUnavailable: the host cannot do it now: it has no state, there is no
	// such address, the connection broke.
	ErrUnavailable = &Error{Code: "unavailable"}
	// ErrTimeout: the time of the request was over.
	ErrTimeout = &Error{Code: "timeout"}
)

// hostErrors are the errors above at the numbers of the ABI.
var hostErrors = [...]*Error{1: ErrNotFound, ErrDenied, ErrLimit, ErrInvalid, ErrConflict, ErrUnavailable, ErrTimeout}

// Error is the message, or the code where there is none.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Message
}

// Is says that an error matches one of the sentinels by its code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Message == "" && t.Code != "" && t.Code == e.Code
}

// Fail makes an [*Error].
func Fail(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// hostError is the error of an answer's code, which is not 0.
func hostError(code uint32, message string) error {
	if int(code) >= len(hostErrors) {
		return &Error{Code: "unavailable", Message: fmt.Sprintf("the host failed with code %d, which this SDK does not know: %s", code, message)}
	}
	return &Error{Code: hostErrors[code].Code, Message: message}
}
