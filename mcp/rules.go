package mcp

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rules are what a struct field's tags say about its values.
type rules struct {
	minimum, maximum *float64
	lengthMin        int
	lengthMax        int // -1: none
	enum             []string
	standard         []byte // the default as raw JSON, or nil
}

// newRules reads the tags of a field; nil when they say nothing. It panics on
// tags that do not fit the field's type.
func newRules(t reflect.Type, f reflect.StructField, way how) *rules {
	bad := func(tag string) string {
		return "mcp: " + t.String() + "." + f.Name + ": its tag " + tag + " does not fit its type " + f.Type.String()
	}
	r, any := &rules{lengthMax: -1}, false
	inner := f.Type
	if way == howPointer {
		inner = inner.Elem()
		way = howOf(inner)
	}
	number := func(tag string) *float64 {
		text, ok := f.Tag.Lookup(tag)
		if !ok {
			return nil
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || way != howInt && way != howUint && way != howFloat {
			panic(bad(tag))
		}
		any = true
		return &n
	}
	length := func(tag string, wanted how, none int) int {
		text, ok := f.Tag.Lookup(tag)
		if !ok {
			return none
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || way != wanted {
			panic(bad(tag))
		}
		any = true
		return n
	}
	r.minimum, r.maximum = number("minimum"), number("maximum")
	r.lengthMin = max(length("minLength", howString, 0), length("minItems", howSlice, 0))
	r.lengthMax = max(length("maxLength", howString, -1), length("maxItems", howSlice, -1))
	if text, ok := f.Tag.Lookup("enum"); ok {
		if way != howString {
			panic(bad("enum"))
		}
		r.enum, any = strings.Split(text, ","), true
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		any = true
		r.standard = []byte(text)
		if way == howString {
			r.standard = appendString(nil, text)
		}
		if !r.tryDefault(inner, way) {
			panic(bad("default"))
		}
	}
	if !any {
		return nil
	}
	return r
}

// tryDefault reports whether the default is one that a caller might send.
func (r *rules) tryDefault(t reflect.Type, way how) bool {
	s := borrowScanner(depthDefault)
	defer s.giveBack()
	if !s.scan(r.standard) {
		return false
	}
	v := reflect.New(t).Elem()
	return decodeValue(r.standard, v, way) == nil && r.check(v) == nil
}

// check returns what is wrong with a decoded value.
func (r *rules) check(v reflect.Value) *ArgumentError {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return r.check(v.Elem())
	case reflect.String:
		text := v.String()
		if r.enum != nil && !slices.Contains(r.enum, text) {
			problem := "must be one of " + strings.Join(r.enum, ", ")
			if near := nearest(text, slices.Values(r.enum)); near != "" {
				problem += "; did you mean " + near + "?"
			}
			return &ArgumentError{Problem: problem}
		}
		return r.checkLength(utf8.RuneCountInString(text), "characters")
	case reflect.Slice:
		return r.checkLength(v.Len(), "items")
	}
	if r.minimum == nil && r.maximum == nil {
		return nil
	}
	n := 0.0
	switch {
	case v.CanInt():
		n = float64(v.Int())
	case v.CanUint():
		n = float64(v.Uint())
	case v.CanFloat():
		n = v.Float()
	}
	switch {
	case r.minimum != nil && n < *r.minimum:
		return &ArgumentError{Problem: "must be at least " + string(appendFloat(nil, *r.minimum))}
	case r.maximum != nil && n > *r.maximum:
		return &ArgumentError{Problem: "must be at most " + string(appendFloat(nil, *r.maximum))}
	}
	return nil
}

func (r *rules) checkLength(n int, what string) *ArgumentError {
	switch {
	case n < r.lengthMin:
		return &ArgumentError{Problem: "must have at least " + itoa(r.lengthMin) + " " + what + ", not " + itoa(n)}
	case r.lengthMax >= 0 && n > r.lengthMax:
		return &ArgumentError{Problem: "must have at most " + itoa(r.lengthMax) + " " + what + ", not " + itoa(n)}
	}
	return nil
}

// appendSchema appends the keywords of the rules, each with a leading comma.
func (r *rules) appendSchema(dst []byte, slice bool) []byte {
	if r == nil {
		return dst
	}
	for _, bound := range [...]struct {
		name  string
		value *float64
	}{{"minimum", r.minimum}, {"maximum", r.maximum}} {
		if bound.value != nil {
			dst = add(add(add(dst, `,"`), bound.name), `":`)
			dst = appendFloat(dst, *bound.value)
		}
	}
	names := [2]string{"minLength", "maxLength"}
	if slice {
		names = [2]string{"minItems", "maxItems"}
	}
	if r.lengthMin > 0 {
		dst = strconv.AppendInt(add(add(add(dst, `,"`), names[0]), `":`), int64(r.lengthMin), 10)
	}
	if r.lengthMax >= 0 {
		dst = strconv.AppendInt(add(add(add(dst, `,"`), names[1]), `":`), int64(r.lengthMax), 10)
	}
	if r.enum != nil {
		dst = appendStrings(add(dst, `,"enum":`), r.enum)
	}
	if r.standard != nil {
		dst = add(add(dst, `,"default":`), r.standard)
	}
	return dst
}
