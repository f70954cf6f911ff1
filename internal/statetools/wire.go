package statetools

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// valueOf is the value that a call gives as text or as base64.
func valueOf(text, encoded *string) ([]byte, error) {
	switch {
	case text != nil && encoded != nil:
		return nil, &mcp.ArgumentError{Argument: "value_base64", Problem: "stands beside value; give one of them"}
	case text != nil:
		return []byte(*text), nil
	case encoded != nil:
		b, err := base64.StdEncoding.DecodeString(*encoded)
		if err != nil {
			return nil, &mcp.ArgumentError{Argument: "value_base64", Problem: "is not standard base64 with padding"}
		}
		return b, nil
	default:
		return nil, &mcp.ArgumentError{Argument: "value", Problem: "is missing; give value (text) or value_base64 (bytes)"}
	}
}

// ttlOf is a lifetime given in seconds; nil means for ever.
func ttlOf(seconds *float64) (time.Duration, error) {
	if seconds == nil {
		return 0, nil
	}
	if !(*seconds > 0 && *seconds <= state.TTLMax.Seconds()) {
		return 0, &mcp.ArgumentError{Argument: "ttl_seconds", Problem: fmt.Sprintf("must be above 0 and at most %.0f; leave it out for an entry that lives for ever", state.TTLMax.Seconds())}
	}
	// Rounded to the millisecond, which is what the caller can mean; a float's
	// last digits would otherwise round 0.1 s up to 101 ms.
	return max(time.Duration(*seconds*1000+0.5), 1) * time.Millisecond, nil
}

// checkKey refuses a key that the state would refuse, naming the argument.
func checkKey(key, argument string) error {
	if key == "" || len(key) > state.KeyBytesMax {
		return &mcp.ArgumentError{Argument: argument, Problem: fmt.Sprintf("must have 1 to %d bytes, not %d", state.KeyBytesMax, len(key))}
	}
	return nil
}

// within puts where before the argument that err names, unless it is there.
func within(err error, where string) error {
	argument, ok := errors.AsType[*mcp.ArgumentError](err)
	if !ok || strings.HasPrefix(argument.Argument, where) {
		return err
	}
	return &mcp.ArgumentError{Argument: where + argument.Argument, Problem: argument.Problem}
}

// explain turns an error of the state into one for the caller of a tool:
// argument is the one to name when the fault is in the key.
func explain(err error, argument string) error {
	var refused *mcp.Error
	if errors.As(err, &refused) { // by access rules: no failure of the tool
		return err
	}
	text := strings.TrimPrefix(err.Error(), "state: ")
	if errors.Is(err, state.ErrValueSize) {
		argument = "value"
	}
	for _, fault := range []error{
		state.ErrKey, state.ErrValueSize, state.ErrNotNumber, state.ErrOverflow, state.ErrTTL, state.ErrOptions,
	} {
		if errors.Is(err, fault) {
			return &mcp.ArgumentError{Argument: argument, Problem: text}
		}
	}
	return errors.New(text)
}

// appendEntry appends the members that tell of an entry, each with a leading
// comma; nothing for an absent one.
func (t tools) appendEntry(out []byte, e state.Entry) []byte {
	if !e.Found() {
		return out
	}
	if utf8.Valid(e.Value) {
		out, _ = jsontext.AppendQuote(append(out, `,"value":`...), e.Value)
	} else {
		out = base64.StdEncoding.AppendEncode(append(out, `,"value_base64":"`...), e.Value)
		out = append(out, '"')
	}
	return t.appendMeta(out, e.Meta)
}

// appendMeta appends version and remaining lifetime.
func (t tools) appendMeta(out []byte, m state.Meta) []byte {
	out = strconv.AppendUint(append(out, `,"version":`...), m.Version, 10)
	if m.ExpiresAt != 0 {
		// At least 1: the entry was there when it was read.
		left := max(m.ExpiresAt-t.state.Now(), 1)
		out = strconv.AppendInt(append(out, `,"ttl_seconds":`...), (left+999)/1000, 10)
	}
	return out
}

// encodePage is the answer of state_list.
func (t tools) encodePage(page state.Page) []byte {
	out := []byte(`{"entries":[`)
	for i, e := range page.Entries {
		if i > 0 {
			out = append(out, ',')
		}
		if utf8.ValidString(e.Key) {
			out = appendQuoted(append(out, `{"key":`...), e.Key)
		} else {
			out = base64.StdEncoding.AppendEncode(append(out, `{"key_base64":"`...), []byte(e.Key))
			out = append(out, '"')
		}
		out = t.appendMeta(out, e.Meta)
		out = strconv.AppendInt(append(out, `,"size":`...), int64(e.Size), 10)
		out = append(out, '}')
	}
	out = append(out, ']')
	if page.Next != "" {
		out = append(out, `,"next_cursor":"`...)
		out = base64.RawURLEncoding.AppendEncode(out, []byte(page.Next))
		out = append(out, '"')
	}
	return append(out, '}')
}

// appendQuoted appends s as a JSON string. It must be valid UTF-8.
func appendQuoted(out []byte, s string) []byte {
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
