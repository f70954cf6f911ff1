package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
)

// Tool is what a tool says about itself, apart from its schemas.
type Tool struct {
	// Name is 1 to 64 of the characters A-Z a-z 0-9 _ -.
	Name string
	// Title is the name for people; may be empty.
	Title string
	// Description says, for the model that chooses among tools, what the tool
	// does.
	Description string
	// Hints say what kind of tool it is; nil says nothing.
	Hints *Hints
}

// Hints are the annotations of the Model Context Protocol. Say only what is so.
type Hints struct {
	ReadOnly    bool // changes nothing
	Destructive bool // may destroy something, when not ReadOnly
	Idempotent  bool // a second call with the same arguments changes nothing more
	OpenWorld   bool // deals with things outside the host
}

// registered is the one tool of the module.
var registered *registration

type registration struct {
	description []byte
	run         func(args []byte) ([]byte, error)
}

// Register makes f the module's tool. Call it once, in an init function. It
// panics on a mistake that needs no call to show: a second tool, or a type
// without a schema.
//
// In must be a struct, Out a struct or a map with string keys. Their schemas
// follow their fields: strings, booleans, numbers, structs, slices, arrays, maps
// with string keys, []byte (as base64) and pointers to these. A field is
// required unless it is a pointer or has omitempty or omitzero. Struct tags:
//
//	json:"name"          its name; "-" leaves it out
//	doc:"…"              its description
//	enum:"a,b"           the strings it may be
//	min:"1" max:"9"      bounds of a number, or of the length of a string or slice
//
// The host checks arguments and results against the schemas; that a required member
// is there is checked by it alone. A nil slice or map in a result is sent as an empty
// one.
func Register[In, Out any](t Tool, f func(In) (Out, error)) {
	if registered != nil {
		panic("guest: Register was called twice: a module has one tool")
	}
	input, output := schemaOf[In](), schemaOf[Out]()
	if input["type"] != "object" || output["type"] != "object" {
		panic("guest: Register: arguments and result are JSON objects: use struct types")
	}
	description, err := json.Marshal(wireTool{
		Name: t.Name, Title: t.Title, Description: t.Description,
		InputSchema: input, OutputSchema: output, Annotations: t.Hints.wire(),
	})
	if err != nil {
		panic("guest: Register: " + err.Error())
	}
	registered = &registration{description, func(raw []byte) ([]byte, error) {
		in, err := decode[In](raw)
		if err != nil {
			return nil, err
		}
		out, err := f(in)
		if err != nil {
			return nil, err
		}
		return encode(&out)
	}}
	warmUp[In, Out]()
}

// decode reads the arguments of a call.
func decode[In any](raw []byte) (in In, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, Fail("bad_arguments", "the arguments do not fit: %v", err)
	}
	if fault := boundsFault(reflect.ValueOf(in), ""); fault != "" {
		return in, Fail("bad_arguments", "the arguments do not fit: %s", fault)
	}
	return in, nil
}

// encode writes the result of a call.
func encode[Out any](out *Out) ([]byte, error) {
	fillEmpty(reflect.ValueOf(out).Elem())
	return json.Marshal(*out)
}

// warmUp encodes and decodes once what calls will. A host that puts the guest's
// memory back after each call puts it back to what it is after the module's init
// functions: what encoding/json learns of a type when it first meets it would be
// learnt in every call. Methods of the types that cannot take zero values do no
// harm here.
func warmUp[In, Out any]() {
	defer func() { _ = recover() }()
	var in In
	var out Out
	if raw, err := encode(&in); err == nil {
		_, _ = decode[In](raw)
	}
	_, _ = encode(&out)
}

// wireTool is the description that docs/ABI.md specifies.
type wireTool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title,omitempty"`
	Description  string          `json:"description"`
	InputSchema  schema          `json:"inputSchema"`
	OutputSchema schema          `json:"outputSchema"`
	Annotations  map[string]bool `json:"annotations,omitempty"`
}

// wire is the hints as annotations.
func (h *Hints) wire() map[string]bool {
	if h == nil {
		return nil
	}
	return map[string]bool{
		"readOnlyHint": h.ReadOnly, "destructiveHint": h.Destructive, "idempotentHint": h.Idempotent, "openWorldHint": h.OpenWorld,
	}
}

// Describe is the registered tool's description as JSON.
func Describe() []byte {
	mustBeRegistered()
	return registered.description
}

// Call runs the registered tool on JSON arguments, as a host would, and returns
// its JSON result.
func Call(args []byte) ([]byte, error) {
	mustBeRegistered()
	return registered.run(args)
}

func mustBeRegistered() {
	if registered == nil {
		panic("guest: there is no tool: call guest.Register in an init function")
	}
}

// wireError is the error object that docs/ABI.md specifies.
func wireError(err error) []byte {
	var e *Error
	object := struct {
		Message string `json:"message"`
		Code    string `json:"code,omitempty"`
	}{Message: err.Error()}
	if errors.As(err, &e) {
		object.Code = e.Code
	}
	if object.Message == "" {
		object.Message = "the tool failed without a message"
	}
	raw, err := json.Marshal(object)
	if err != nil {
		panic(err) // two strings always encode
	}
	return raw
}
