package hoststate

import (
	"errors"
	"strings"

	"github.com/ingot-run/ingot/state"
)

// The codes of docs/ABI.md that mean something to this package.
const (
	codeAbsent   = -1
	codeConflict = -10
)

// sentinels are what the other codes mean in package state.
var sentinels = map[int32]error{
	-11: state.ErrClosed,
	-12: state.ErrKey,
	-13: state.ErrValueSize,
	-14: state.ErrTTL,
	-15: state.ErrFull,
	-16: state.ErrNotNumber,
	-17: state.ErrOverflow,
	-18: state.ErrOptions,
	-19: state.ErrBatch,
	-20: state.ErrBatch,
	-22: state.ErrClosed,
	-27: state.ErrDegraded,
	-28: state.ErrReadOnly,
}

// errReply says that the host does not keep to docs/ABI.md.
var errReply = errors.New("state: the host's reply does not fit its encoding")

// failure is an error that the host told of.
type failure struct {
	sentinel error
	text     string
}

func (f *failure) Error() string {
	return "state: " + strings.TrimPrefix(f.text, "engine: ")
}
func (f *failure) Unwrap() error { return f.sentinel }

// errorOf is the error of a negative result.
func errorOf(r *reply) error {
	if r.result == codeConflict {
		return &state.ConflictError{Index: int(r.r1), Version: r.r0}
	}
	text := string(r.body.rest)
	if sentinel := sentinels[r.result]; sentinel != nil {
		return &failure{sentinel, text}
	}
	return errors.New("state: " + text)
}
