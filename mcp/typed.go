package mcp

import (
	"context"
	"reflect"
	"slices"
	"time"
)

// Adder is what tools can be added to: a [*Server], or a [*Catalog] during an
// Update.
type Adder interface {
	AddTool(t Tool, h Handler)
}

var (
	_ Adder = (*Server)(nil)
	_ Adder = (*Catalog)(nil)
)

// TypedHandler is a tool's handler with decoded arguments. in is checked and
// has its defaults; the result becomes the call's structured content and, as
// JSON, its text. req is as in [Handler].
type TypedHandler[In, Out any] func(ctx context.Context, req *CallRequest, in *In) (*Out, error)

// AddTool adds a tool whose schemas come from Go types. In is a struct as
// [DecodeArguments] takes it; tags title and description speak to the model.
// Out is a struct too, or [CallResult] for a tool that makes its own content.
// Schemas that t has already stay as they are. It panics on a programmer's
// mistake.
//
//	type in struct {
//		City string `json:"city" description:"Where."`
//		Days int    `json:"days" default:"3" minimum:"1" maximum:"14"`
//	}
//	mcp.AddTool(server, mcp.Tool{Name: "forecast"},
//		func(ctx context.Context, req *mcp.CallRequest, in *in) (*out, error) { … })
func AddTool[In, Out any](to Adder, t Tool, h TypedHandler[In, Out]) {
	if h == nil {
		panic("mcp: AddTool: tool " + t.Name + " has no handler")
	}
	if len(t.InputSchema) == 0 {
		t.InputSchema, t.ownInput = SchemaOf[In](), true
	}
	raw := reflect.TypeFor[Out]() == reflect.TypeFor[CallResult]()
	if len(t.OutputSchema) == 0 && !raw {
		t.OutputSchema, t.ownOutput = schemaOf(reflect.TypeFor[Out](), true), true
	}
	shapeOf(reflect.TypeFor[In]()) // panics now, not at the first call
	to.AddTool(t, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		in := new(In)
		if err := req.Decode(in); err != nil {
			return nil, err
		}
		out, err := h(ctx, req, in)
		if err != nil {
			return nil, err
		}
		if raw {
			return any(out).(*CallResult), nil
		}
		if out == nil {
			out = new(Out)
		}
		return StructuredResult(out)
	})
}

// SchemaOf returns the JSON Schema of a struct that [DecodeArguments] decodes:
// of a tool's arguments, or of an elicitation's form.
func SchemaOf[T any]() []byte { return schemaOf(reflect.TypeFor[T](), false) }

// schemaOf makes the schema of t; results say of pointers that they may be
// null, since that is how nil is encoded.
func schemaOf(t reflect.Type, result bool) []byte {
	if t.Kind() != reflect.Struct || howOf(t) != howStruct {
		panic("mcp: a schema is made of a struct, not of " + t.String())
	}
	m := schemaMaker{result: result}
	return m.object(nil, t)
}

// schemaMaker makes a schema; open are the structs it is inside of.
type schemaMaker struct {
	result bool
	open   []reflect.Type
}

// object appends the schema of a struct.
func (m *schemaMaker) object(dst []byte, t reflect.Type) []byte {
	if slices.Contains(m.open, t) {
		panic("mcp: " + t.String() + " contains itself; write its schema by hand")
	}
	m.open = append(m.open, t)
	defer func() { m.open = m.open[:len(m.open)-1] }()
	shape := shapeOf(t)
	dst = add(dst, `{"type":"object","properties":{`)
	var required []string
	for i, f := range shape.fields {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		dst = m.field(addByte(appendString(dst, f.name), ':'), t.Field(f.index), f.rules)
		if f.required || m.result && f.always {
			required = append(required, f.name)
		}
	}
	dst = addByte(dst, '}')
	if len(required) > 0 {
		dst = appendStrings(add(dst, `,"required":`), required)
	}
	return add(dst, `,"additionalProperties":false}`)
}

// field appends the schema of a field with what its tags say.
func (m *schemaMaker) field(dst []byte, f reflect.StructField, r *rules) []byte {
	from := len(dst)
	dst = m.value(dst, f.Type)
	dst = dst[:len(dst)-1] // the brace comes after the tags
	tags := r.appendSchema(nil, f.Type.Kind() == reflect.Slice)
	tags = appendOptional(tags, "title", f.Tag.Get("title"))
	tags = appendOptional(tags, "description", f.Tag.Get("description"))
	if len(dst) == from+1 && len(tags) > 0 {
		tags = tags[1:] // an empty schema has no member before them
	}
	return addByte(add(dst, tags), '}')
}

// value appends the schema of any type, always with a closing brace.
func (m *schemaMaker) value(dst []byte, t reflect.Type) []byte {
	switch howOf(t) {
	case howString:
		return add(dst, `{"type":"string"}`)
	case howBool:
		return add(dst, `{"type":"boolean"}`)
	case howInt:
		return add(dst, `{"type":"integer"}`)
	case howUint:
		return add(dst, `{"type":"integer","minimum":0}`)
	case howFloat:
		return add(dst, `{"type":"number"}`)
	case howStruct:
		return m.object(dst, t)
	case howSlice:
		dst = m.value(add(dst, `{"type":"array","items":`), t.Elem())
		return addByte(dst, '}')
	case howPointer:
		if !m.result {
			return m.value(dst, t.Elem())
		}
		dst = m.value(add(dst, `{"anyOf":[`), t.Elem())
		return add(dst, `,{"type":"null"}]}`)
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return add(dst, `{"type":"string","format":"date-time"}`)
	case reflect.PointerTo(t).Implements(ownDecoders[1]) && !reflect.PointerTo(t).Implements(ownDecoders[0]):
		return add(dst, `{"type":"string"}`)
	case t.Kind() == reflect.Slice: // of bytes
		return add(dst, `{"type":"string","contentEncoding":"base64"}`)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		dst = m.value(add(dst, `{"type":"object","additionalProperties":`), t.Elem())
		return addByte(dst, '}')
	}
	return add(dst, `{}`) // any, or a type that decodes itself
}
