package mcp

import (
	"bytes"
	"encoding/base64"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// appendValue appends v as JSON, as DecodeArguments would read it: names come
// from json tags, with omitzero and omitempty; the members of maps are sorted;
// nil slices and maps are empty ones; what is not UTF-8 becomes U+FFFD. Types
// may have MarshalJSON or MarshalText. It is here, rather than a package for all
// of JSON, since that alone would be a third of a wasm build.
func appendValue(dst []byte, v any) ([]byte, error) {
	return appendReflected(dst, reflect.ValueOf(v), 0)
}

// typeName is the name of v's type, for an error.
func typeName(v any) string {
	if v == nil {
		return "nil"
	}
	return reflect.TypeOf(v).String()
}

// valueDepthMax bounds the nesting of a value, and so stops at cycles.
const valueDepthMax = 1000

type (
	jsonMarshaler   interface{ MarshalJSON() ([]byte, error) }
	textMarshaler   interface{ MarshalText() ([]byte, error) }
	jsonUnmarshaler interface{ UnmarshalJSON([]byte) error }
	textUnmarshaler interface{ UnmarshalText([]byte) error }
)

func appendReflected(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth > valueDepthMax {
		return dst, newError("the value is nested too deeply, or contains itself")
	}
	if !v.IsValid() {
		return add(dst, "null"), nil
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return add(dst, "null"), nil
		}
	}
	if out, done, err := appendMarshaled(dst, v); done {
		return out, err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return appendReflected(dst, v.Elem(), depth+1)
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendNumber(dst, v.Float(), v.Type().Bits())
	case reflect.String:
		return appendString(dst, v.String()), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			dst = base64.StdEncoding.AppendEncode(addByte(dst, '"'), v.Bytes())
			return addByte(dst, '"'), nil
		}
		return appendElements(dst, v, depth)
	case reflect.Array:
		return appendElements(dst, v, depth)
	case reflect.Map:
		return appendMap(dst, v, depth)
	case reflect.Struct:
		return appendStruct(dst, v, depth)
	}
	return dst, newError("JSON cannot hold a " + v.Type().String())
}

// appendMarshaled appends what the value's own method makes, if it has one.
func appendMarshaled(dst []byte, v reflect.Value) (out []byte, done bool, err error) {
	t := v.Type()
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && !t.Implements(marshalers[0]) && !t.Implements(marshalers[1]) {
		p := reflect.PointerTo(t)
		if !p.Implements(marshalers[0]) && !p.Implements(marshalers[1]) {
			return dst, false, nil
		}
		addressed := reflect.New(t)
		addressed.Elem().Set(v)
		v = addressed
	}
	if !v.CanInterface() {
		return dst, false, nil
	}
	switch m := v.Interface().(type) {
	case jsonMarshaler:
		raw, err := m.MarshalJSON()
		if err != nil {
			return dst, true, err
		}
		s := borrowScanner(depthLimit)
		defer s.giveBack()
		if !s.scan(raw) {
			return dst, true, newError(t.String() + ".MarshalJSON made no valid JSON: " + s.fault.text())
		}
		return appendOneLine(dst, bytes.TrimSpace(raw)), true, nil
	case textMarshaler:
		text, err := m.MarshalText()
		return appendString(dst, string(text)), true, err
	}
	return dst, false, nil
}

var marshalers = [...]reflect.Type{reflect.TypeFor[jsonMarshaler](), reflect.TypeFor[textMarshaler]()}

// appendNumber appends a float in the shortest form that reads back the same.
func appendNumber(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, newError("JSON has no number " + strconv.FormatFloat(f, 'g', -1, 64))
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits), nil
}

func appendElements(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	dst = addByte(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		if dst, err = appendReflected(dst, v.Index(i), depth+1); err != nil {
			return dst, err
		}
	}
	return addByte(dst, ']'), nil
}

func appendMap(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	values := make(map[string]reflect.Value, v.Len())
	for each := v.MapRange(); each.Next(); {
		key, value := each.Key(), each.Value()
		name, err := keyText(key)
		if err != nil {
			return dst, err
		}
		if _, twice := values[name]; twice {
			return dst, newError("two keys of a " + v.Type().String() + " are both " + quote(name))
		}
		values[name] = value
	}
	dst = addByte(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		if dst, err = appendReflected(addByte(appendString(dst, name), ':'), values[name], depth+1); err != nil {
			return dst, err
		}
	}
	return addByte(dst, '}'), nil
}

// keyText returns a map's key as a member's name.
func keyText(key reflect.Value) (string, error) {
	if m, ok := key.Interface().(textMarshaler); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case key.Kind() == reflect.String:
		return key.String(), nil
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10), nil
	case key.CanUint():
		return strconv.FormatUint(key.Uint(), 10), nil
	}
	return "", newError("JSON cannot hold a map whose keys are " + key.Type().String())
}

// memberField is a field of a struct as encoding sees it.
type memberField struct {
	name      string
	index     []int
	omitZero  bool
	omitEmpty bool
}

var memberFields sync.Map // reflect.Type -> []memberField

// membersOfType returns the fields of a struct, those of embedded structs
// included.
func membersOfType(t reflect.Type) []memberField {
	if known, ok := memberFields.Load(t); ok {
		return known.([]memberField)
	}
	var fields []memberField
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct
		if f.Tag.Get("json") == "-" || !f.IsExported() || embedded {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, memberField{
			name: name, index: f.Index,
			omitZero:  strings.Contains(options, "omitzero"),
			omitEmpty: strings.Contains(options, "omitempty"),
		})
	}
	known, _ := memberFields.LoadOrStore(t, fields)
	return known.([]memberField)
}

func appendStruct(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst = addByte(dst, '{')
	first := len(dst)
	for _, f := range membersOfType(v.Type()) {
		field, err := v.FieldByIndexErr(f.index)
		if err != nil || f.omitZero && field.IsZero() {
			continue
		}
		before := len(dst)
		dst = addByte(appendString(appendComma(dst, first), f.name), ':')
		from := len(dst)
		if dst, err = appendReflected(dst, field, depth+1); err != nil {
			return dst, wrap(f.name+": ", err)
		}
		if f.omitEmpty && isEmptyJSON(dst[from:]) {
			dst = dst[:before]
		}
	}
	return addByte(dst, '}'), nil
}

// isEmptyJSON reports whether omitempty leaves out a value.
func isEmptyJSON(raw []byte) bool {
	switch string(raw) {
	case `null`, `""`, `{}`, `[]`:
		return true
	}
	return false
}
