package sandbox

import (
	"bytes"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero/api"
)

// The native ABI, version 1; docs/ABI.md specifies it.
//
//	alloc(size i32) i32          room for the arguments, 0 when there is none
//	describe() i64               a result: the description
//	call(ptr i32, len i32) i64   a result: the tool's answer
//
// A result is pointer<<32 | failed<<31 | length of UTF-8 JSON in memory.

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// nativeExports are the functions that every native guest exports.
var nativeExports = []signature{
	{"alloc", []api.ValueType{i32}, []api.ValueType{i32}},
	{"describe", nil, []api.ValueType{i64}},
	{"call", []api.ValueType{i32, i32}, []api.ValueType{i64}},
}

// failedBit marks a result that is an error object.
const failedBit = 1 << 31

// jsonDepthMax bounds the nesting of what a guest returns; it stays below what
// package mcp sends.
const jsonDepthMax = 100

// native implements abi.
type native struct{}

func (native) name() string { return "native/1" }

func (native) describe(c *call) ([]Description, error) {
	packed, err := c.invoke("describe")
	if err != nil {
		return nil, err
	}
	raw, err := native{}.result(c, "describe", packed, descriptionBytesMax)
	if err != nil {
		return nil, err
	}
	d, err := parseDescription(raw)
	return []Description{d}, err
}

func (native) call(c *call, _ string, args []byte) (Result, error) {
	if uint64(len(args)) > math.MaxInt32 {
		return Result{}, failf(ErrInput, "%d bytes of arguments cannot be addressed by a guest", len(args))
	}
	at, err := c.invoke("alloc", uint64(len(args)))
	if err != nil {
		return Result{}, err
	}
	if uint32(at) == 0 {
		return Result{}, c.outOfMemory("alloc(%d) returned 0: the guest has no room for the arguments", len(args))
	}
	if !c.memory().Write(uint32(at), args) {
		return Result{}, failf(ErrABI, "alloc(%d) returned pointer %d, but the guest's memory ends at %d: return a block that lies inside it",
			len(args), uint32(at), c.memory().Size())
	}
	packed, err := c.invoke("call", at, uint64(len(args)))
	if err != nil {
		return Result{}, err
	}
	out, err := native{}.result(c, "call", packed, c.policy.Limits.OutputBytesMax)
	return Result{JSON: out}, err
}

// result copies a result out of the guest's memory and checks that it is what
// it must be: a JSON object, or the guest's own error.
func (native) result(c *call, export string, packed, bytesMax uint64) ([]byte, error) {
	ptr, size := uint32(packed>>32), uint32(packed)&(failedBit-1)
	if uint64(size) > bytesMax {
		return nil, failf(ErrOutput, "%s returned %d bytes, at most %d are allowed: return less, or raise the output limit", export, size, bytesMax)
	}
	view, ok := c.memory().Read(ptr, size)
	if !ok {
		return nil, failf(ErrABI, "%s returned pointer %d and length %d, but the guest's memory ends at %d: pack the result as pointer<<32 | length",
			export, ptr, size, c.memory().Size())
	}
	out := bytes.Clone(view)
	if problem := objectFault(out); problem != "" {
		return nil, failf(ErrABI, "%s returned %d bytes that %s: return one UTF-8 JSON object (docs/ABI.md)", export, size, problem)
	}
	if packed&failedBit != 0 {
		return nil, guestError(out)
	}
	return out, nil
}

// guestError reads the error object of a failed result.
func guestError(raw []byte) error {
	g := &GuestError{}
	if err := json.Unmarshal(raw, g, json.RejectUnknownMembers(true)); err != nil {
		return failf(ErrABI, `the error object is not {"message":"…","code":"…"}: %v`, err)
	}
	if g.Message == "" {
		return failf(ErrABI, `the error object has no "message": say what failed`)
	}
	g.Message, g.Code = clip(g.Message, 4<<10), clip(g.Code, 64)
	return g
}

// objectFault says why b is not a JSON object that may be passed on, or "".
func objectFault(b []byte) string {
	if plainObject(b) {
		return ""
	}
	return slowObjectFault(b)
}

// slowObjectFault is objectFault for all that JSON knows.
func slowObjectFault(b []byte) string {
	if len(b) == 0 {
		return "are no JSON"
	}
	v := jsontext.Value(b)
	if !v.IsValid() {
		d := jsontext.NewDecoder(bytes.NewReader(b))
		if _, err := d.ReadValue(); err != nil {
			return "are not valid JSON (" + clip(err.Error(), 200) + ")"
		}
		return "are more than one JSON value"
	}
	if v.Kind() != '{' {
		return "are not a JSON object"
	}
	if depth(b) > jsonDepthMax {
		return "nest too deep for a client to read"
	}
	return ""
}

// depth is the deepest nesting in valid JSON.
func depth(b []byte) int {
	now, deepest, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
