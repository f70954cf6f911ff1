package guest

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// schema is a JSON Schema object.
type schema map[string]any

// schemaOf derives the schema of a type; it panics where there is none.
func schemaOf[T any]() schema {
	return typeSchema(reflect.TypeFor[T](), nil)
}

// typeSchema is the schema of t; inside lists the structs around it, to find
// types that contain themselves.
func typeSchema(t reflect.Type, inside []reflect.Type) schema {
	if ownEncoding(t) {
		panic(fmt.Sprintf("guest: %v encodes itself, so its schema is unknown: use plain types", t))
	}
	switch t.Kind() {
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Pointer:
		return typeSchema(t.Elem(), inside)
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string", "contentEncoding": "base64"}
		}
		return schema{"type": "array", "items": typeSchema(t.Elem(), inside)}
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic(fmt.Sprintf("guest: %v has keys that are not strings", t))
		}
		return schema{"type": "object", "additionalProperties": typeSchema(t.Elem(), inside)}
	case reflect.Struct:
		return structSchema(t, inside)
	default:
		panic(fmt.Sprintf("guest: %v has no JSON Schema: use strings, booleans, numbers, structs, slices and maps", t))
	}
}

// ownEncoding says whether encoding/json would not look at t's fields.
func ownEncoding(t reflect.Type) bool {
	for _, i := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

func structSchema(t reflect.Type, inside []reflect.Type) schema {
	for _, outer := range inside {
		if outer == t {
			panic(fmt.Sprintf("guest: %v contains itself, which a schema without references cannot say", t))
		}
	}
	inside = append(inside[:len(inside):len(inside)], t)
	properties, required := schema{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" && options == "" {
			continue
		}
		if f.Anonymous {
			panic(fmt.Sprintf("guest: %v embeds %s: give it a field name", t, f.Name))
		}
		if name == "" {
			name = f.Name
		}
		properties[name] = fieldSchema(f, inside)
		optional := f.Type.Kind() == reflect.Pointer || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if !optional {
			required = append(required, name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// fieldSchema is the schema of a field's type with what its tags add.
func fieldSchema(f reflect.StructField, inside []reflect.Type) schema {
	s := typeSchema(f.Type, inside)
	if doc := f.Tag.Get("doc"); doc != "" {
		s["description"] = doc
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		if s["type"] != "string" {
			panic("guest: the enum tag of " + f.Name + " needs a string")
		}
		s["enum"] = strings.Split(enum, ",")
	}
	low, high := "", ""
	switch s["type"] {
	case "integer", "number":
		low, high = "minimum", "maximum"
	case "string":
		low, high = "minLength", "maxLength"
	case "array":
		low, high = "minItems", "maxItems"
	}
	for tag, keyword := range map[string]string{"min": low, "max": high} {
		text, ok := f.Tag.Lookup(tag)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || keyword == "" {
			panic(fmt.Sprintf("guest: the %s tag of %s is %q: it must be a number, on a number, string or slice", tag, f.Name, text))
		}
		s[keyword] = n
	}
	return s
}

// boundsFault says which field of v breaks its enum, min or max tag, or "". The
// host checks arguments against the schema, but not every host does. What is absent
// and may be is not looked at.
func boundsFault(v reflect.Value, path string) string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return boundsFault(v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if fault := boundsFault(v.Index(i), fmt.Sprintf("%s[%d]", path, i)); fault != "" {
				return fault
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			optional := strings.Contains(options, "omit")
			if !f.IsExported() || v.Field(i).IsZero() && (optional || f.Type.Kind() == reflect.Pointer) {
				continue
			}
			if name == "" {
				name = f.Name
			}
			if fault := tagFault(f.Tag, reflect.Indirect(v.Field(i))); fault != "" {
				return path + name + " " + fault
			}
			if fault := boundsFault(v.Field(i), path+name+"."); fault != "" {
				return fault
			}
		}
	}
	return ""
}

// tagFault says which of a field's tags its value breaks, or "".
func tagFault(tag reflect.StructTag, v reflect.Value) string {
	if enum := tag.Get("enum"); enum != "" && !slices.Contains(strings.Split(enum, ","), v.String()) {
		return "must be one of " + enum
	}
	measure, of := 0.0, ""
	switch {
	case v.CanInt():
		measure = float64(v.Int())
	case v.CanUint():
		measure = float64(v.Uint())
	case v.CanFloat():
		measure = v.Float()
	case v.Kind() == reflect.String:
		measure, of = float64(utf8.RuneCountInString(v.String())), " characters long"
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		measure, of = float64(v.Len()), " items long"
	default:
		return ""
	}
	if low, ok := tag.Lookup("min"); ok && measure < bound(low) {
		return "must be at least " + low + of
	}
	if high, ok := tag.Lookup("max"); ok && measure > bound(high) {
		return "must be at most " + high + of
	}
	return ""
}

// bound is the number of a tag; fieldSchema has refused what is none.
func bound(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// fillEmpty makes nil slices and maps empty, at any depth, so that they are
// sent as [] and {} and not as null, which their schema excludes.
func fillEmpty(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillEmpty(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillEmpty(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		fillItems(v)
	case reflect.Array:
		fillItems(v)
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for _, key := range v.MapKeys() { // values of a map cannot be set in place
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			fillEmpty(value)
			v.SetMapIndex(key, value)
		}
	}
}

// fillItems fills the items of a slice or array, unless they hold nothing to
// fill.
func fillItems(v reflect.Value) {
	switch v.Type().Elem().Kind() {
	case reflect.Pointer, reflect.Struct, reflect.Slice, reflect.Array, reflect.Map:
		for i := range v.Len() {
			fillEmpty(v.Index(i))
		}
	}
}
