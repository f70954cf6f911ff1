package mcp

import (
	"bytes"
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// DecodeArguments decodes a call's arguments into the struct that into points
// to. Names come from json tags as usual, and are case-sensitive. A field is
// optional when its tag has omitzero or omitempty, or when it is a pointer;
// null is accepted for pointers only. An integer may be written 60 or 60.0.
//
// Further tags say what a value must be like: minimum and maximum (numbers),
// minLength and maxLength (strings, in characters), minItems and maxItems
// (slices), enum (strings, separated by commas), and default, which makes a
// field optional: a JSON value, or a string's text as it is.
//
// The error is an [*ArgumentError] that names the argument: one that is
// unknown (with the nearest known name), missing, of the wrong type or out of
// range, also inside nested structs and slices (entries[2].key).
//
// DecodeArguments panics on a programmer's mistake: into is not a pointer to a
// struct, or has embedded fields or tag options other than those above.
//
// into may be on the caller's stack: nothing keeps it, and types that decode
// themselves are given memory of their own.
func DecodeArguments(args []byte, into any) error {
	v := structOf(into)
	s := borrowScanner(depthLimit)
	defer s.giveBack()
	if !s.scan(args) {
		return &ArgumentError{Argument: "arguments", Problem: "not valid JSON: " + s.fault.problem}
	}
	if raw := args[s.space(0):]; raw[0] != '{' {
		return &ArgumentError{Argument: "arguments", Problem: "must be an object, not " + describe(raw)}
	}
	return decodeWhole(s, s.top, v)
}

// Decode is [DecodeArguments] of the call's arguments. It is faster, since they
// are not scanned a second time where the call has not changed hands since they
// were read.
func (r *CallRequest) Decode(into any) error {
	from := r.from
	if from == nil || from.scanned == nil || // or a wrapper of the handler has put others there
		len(r.Arguments) != len(from.arguments) || unsafe.SliceData(r.Arguments) != unsafe.SliceData(from.arguments) {
		return DecodeArguments(r.Arguments, into)
	}
	return decodeWhole(from.scanned, from.scanned.arguments, structOf(into))
}

// structOf returns the struct that into points to.
func structOf(into any) reflect.Value {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic("mcp: DecodeArguments: into is " + typeName(into) + ", not a pointer to a struct")
	}
	return v.Elem()
}

// decodeWhole decodes the members of all arguments.
func decodeWhole(s *scanner, members []member, v reflect.Value) error {
	problem := decodeStruct(s, members, v)
	if problem == nil {
		return nil
	}
	if problem.Argument == "" {
		problem.Argument = "arguments"
	}
	return problem
}

// decodeStruct decodes members of an object, which s has noted, into the struct
// v. The Argument of its error is relative to v.
func decodeStruct(s *scanner, members []member, v reflect.Value) *ArgumentError {
	shape := shapeOf(v.Type())
	required := 0
	for i := range members {
		name := s.at(members[i].name)
		f := shape.field(name)
		if f == nil {
			return shape.unknown(string(name))
		}
		if f.required {
			required++
		}
		problem := decodeValue(s.at(members[i].value), v.Field(f.index), f.how)
		if problem == nil && f.rules != nil {
			problem = f.rules.check(v.Field(f.index))
		}
		if problem != nil {
			return problem.within(f.name)
		}
	}
	if required < shape.required {
		return shape.missing(s, members)
	}
	if shape.defaults && len(members) < len(shape.fields) {
		shape.fill(s, members, v)
	}
	return nil
}

// fill sets the fields that members leave out and that have a default.
func (sh *shape) fill(s *scanner, members []member, v reflect.Value) {
	for _, f := range sh.fields {
		if f.rules == nil || f.rules.standard == nil || s.has(members, f.name) {
			continue
		}
		decodeValue(f.rules.standard, v.Field(f.index), f.how) // newShape has tried it
	}
}

// has reports whether one of members has this name.
func (s *scanner) has(members []member, name string) bool {
	for _, m := range members {
		if string(s.at(m.name)) == name {
			return true
		}
	}
	return false
}

// within returns e as seen from one level further out.
func (e *ArgumentError) within(outer string) *ArgumentError {
	if e.Argument != "" && e.Argument[0] != '[' {
		outer += "."
	}
	e.Argument = outer + e.Argument
	return e
}

// how is the way to decode a type.
type how uint8

const (
	howOther how = iota // see decodeOther
	howString
	howBool
	howInt
	howUint
	howFloat
	howStruct
	howSlice
	howPointer
)

// howOf chooses the way for t. Types with their own UnmarshalJSON, maps,
// arrays, byte slices (base64) and interfaces go to decodeOther.
func howOf(t reflect.Type) how {
	for _, own := range ownDecoders {
		if reflect.PointerTo(t).Implements(own) {
			return howOther
		}
	}
	switch t.Kind() {
	case reflect.String:
		return howString
	case reflect.Bool:
		return howBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return howInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return howUint
	case reflect.Float32, reflect.Float64:
		return howFloat
	case reflect.Struct:
		return howStruct
	case reflect.Pointer:
		return howPointer
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return howSlice
		}
	}
	return howOther
}

// ownDecoders are how a type may decode itself.
var ownDecoders = [...]reflect.Type{reflect.TypeFor[jsonUnmarshaler](), reflect.TypeFor[textUnmarshaler]()}

// decodeValue decodes one scanned value into v.
func decodeValue(raw []byte, v reflect.Value, way how) *ArgumentError {
	switch way {
	case howString:
		if raw[0] != '"' {
			return mustBe("a string", raw)
		}
		v.SetString(unquoted(raw))
	case howBool:
		if raw[0] != 't' && raw[0] != 'f' {
			return mustBe("true or false", raw)
		}
		v.SetBool(raw[0] == 't')
	case howInt, howUint:
		return decodeInteger(raw, v, way)
	case howFloat:
		f, err := strconv.ParseFloat(string(raw), v.Type().Bits())
		if raw[0] != '-' && !isDigit(raw[0]) {
			return mustBe("a number", raw)
		} else if err != nil {
			return &ArgumentError{Problem: "is out of range"}
		}
		v.SetFloat(f)
	case howStruct:
		if raw[0] != '{' {
			return &ArgumentError{Problem: "must be an object, not " + describe(raw)}
		}
		s := &scanner{depthMax: len(raw)}
		s.scan(raw)
		return decodeStruct(s, s.top, v)
	default:
		return decodeApart(raw, v, way)
	}
	return nil
}

// decodeApart decodes what takes more than setting a word or two into memory of
// its own, and moves it into v. What v's fields belong to may thus be on a stack:
// reflect.Value.Set, and every type's own method, would have it moved to the heap.
func decodeApart(raw []byte, v reflect.Value, way how) *ArgumentError {
	made := reflect.New(v.Type()).Elem()
	problem := decodeMade(raw, made, way)
	if problem == nil {
		reflect.NewAt(v.Type(), hide(v.Addr().UnsafePointer())).Elem().Set(made)
	}
	return problem
}

// hide returns p, and keeps the compiler from seeing so. Whoever is given the
// result must not keep it: Set does not.
//
//go:nosplit
func hide(p unsafe.Pointer) unsafe.Pointer {
	hidden := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&hidden))
}

// decodeMade decodes into v, which is on the heap.
func decodeMade(raw []byte, v reflect.Value, way how) *ArgumentError {
	switch way {
	case howSlice:
		return decodeSlice(raw, v)
	case howPointer:
		if raw[0] == 'n' {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(raw, v.Elem(), howOf(v.Type().Elem()))
	}
	return decodeOther(raw, v)
}

func mustBe(wanted string, raw []byte) *ArgumentError {
	if raw[0] == 'n' {
		return &ArgumentError{Problem: "must be " + wanted + ", not null; leave an optional argument out"}
	}
	return &ArgumentError{Problem: "must be " + wanted + ", not " + describe(raw)}
}

// unquoted returns the value of a scanned string.
func unquoted(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	return string(appendUnescaped(make([]byte, 0, len(inner)), inner))
}

// floatExactMax is 2^53: up to it a float64 holds every integer.
const floatExactMax = 1 << 53

// decodeInteger reads 60 and, since JSON Schema counts it as an integer, 60.0.
func decodeInteger(raw []byte, v reflect.Value, way how) *ArgumentError {
	if raw[0] != '-' && !isDigit(raw[0]) {
		return mustBe("an integer", raw)
	}
	text := string(raw)
	if !validID(raw) { // it has a fraction or an exponent
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > floatExactMax {
			return mustBe("an integer", raw)
		}
		text = strconv.FormatInt(int64(f), 10)
	}
	bits := v.Type().Bits()
	if way == howUint {
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return &ArgumentError{Problem: "must be between 0 and " + strconv.FormatUint(math.MaxUint64>>(64-bits), 10)}
		}
		v.SetUint(n)
		return nil
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		limit := int64(math.MaxInt64) >> (64 - bits)
		return &ArgumentError{Problem: "must be between " + strconv.FormatInt(-limit-1, 10) + " and " + strconv.FormatInt(limit, 10)}
	}
	v.SetInt(n)
	return nil
}

// decodeSlice decodes an array element by element.
func decodeSlice(raw []byte, v reflect.Value) *ArgumentError {
	if raw[0] != '[' {
		return mustBe("an array", raw)
	}
	s := scanner{depthMax: len(raw), data: raw}
	way := howOf(v.Type().Elem())
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := s.space(1); raw[i] != ']'; {
		end := s.value(i, 0)
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		last := v.Len() - 1
		if problem := decodeValue(raw[i:end], v.Index(last), way); problem != nil {
			return problem.within("[" + itoa(last) + "]")
		}
		if i = s.space(end); raw[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return nil
}

// decodeArray decodes an array of one length.
func decodeArray(raw []byte, v reflect.Value) *ArgumentError {
	if raw[0] != '[' {
		return mustBe("an array", raw)
	}
	way, n := howOf(v.Type().Elem()), 0
	for element := range elementsOf(raw) {
		if n < v.Len() {
			if problem := decodeValue(element, v.Index(n), way); problem != nil {
				return problem.within("[" + itoa(n) + "]")
			}
		}
		n++
	}
	if n != v.Len() {
		return &ArgumentError{Problem: "must have " + itoa(v.Len()) + " items, not " + itoa(n)}
	}
	return nil
}

// decodeOther decodes into a type that is seldom met: one that decodes itself,
// a map, an array, bytes in base64, or any.
func decodeOther(raw []byte, v reflect.Value) *ArgumentError {
	switch own := v.Addr().Interface().(type) {
	case jsonUnmarshaler:
		if err := own.UnmarshalJSON(raw); err != nil {
			return doesNotFit(v, err)
		}
		return nil
	case textUnmarshaler:
		if raw[0] != '"' {
			return mustBe("a string", raw)
		}
		if err := own.UnmarshalText([]byte(unquoted(raw))); err != nil {
			return doesNotFit(v, err)
		}
		return nil
	}
	switch {
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		return decodeMap(raw, v)
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		decoded, problem := decodeAny(raw)
		if problem == nil && decoded != nil {
			v.Set(reflect.ValueOf(decoded))
		}
		return problem
	case v.Kind() == reflect.Slice: // of bytes
		if raw[0] != '"' {
			return mustBe("a string in base64", raw)
		}
		decoded, err := base64.StdEncoding.DecodeString(unquoted(raw))
		if err != nil {
			return &ArgumentError{Problem: "is not standard base64 with padding"}
		}
		v.SetBytes(decoded)
		return nil
	case v.Kind() == reflect.Array:
		return decodeArray(raw, v)
	}
	return &ArgumentError{Problem: "cannot be given: the server keeps it in a " + v.Type().String()}
}

func doesNotFit(v reflect.Value, err error) *ArgumentError {
	return &ArgumentError{Problem: "does not fit " + v.Type().String() + ": " + err.Error()}
}

// decodeMap decodes an object into a map of strings to anything.
func decodeMap(raw []byte, v reflect.Value) *ArgumentError {
	if raw[0] != '{' {
		return mustBe("an object", raw)
	}
	made := reflect.MakeMap(v.Type())
	way := howOf(v.Type().Elem())
	for name, value := range membersOf(raw) {
		element := reflect.New(v.Type().Elem()).Elem()
		if problem := decodeValue(value, element, way); problem != nil {
			return problem.within(name)
		}
		key := reflect.New(v.Type().Key()).Elem()
		key.SetString(name)
		made.SetMapIndex(key, element)
	}
	v.Set(made)
	return nil
}

// decodeAny decodes any value: a map[string]any, []any, string, float64, bool
// or nil.
func decodeAny(raw []byte) (any, *ArgumentError) {
	switch raw[0] {
	case '{':
		made := map[string]any{}
		for name, value := range membersOf(raw) {
			inner, problem := decodeAny(value)
			if problem != nil {
				return nil, problem.within(name)
			}
			made[name] = inner
		}
		return made, nil
	case '[':
		made := []any{}
		for element := range elementsOf(raw) {
			inner, problem := decodeAny(element)
			if problem != nil {
				return nil, problem.within("[" + itoa(len(made)) + "]")
			}
			made = append(made, inner)
		}
		return made, nil
	case '"':
		return unquoted(raw), nil
	case 't', 'f':
		return raw[0] == 't', nil
	case 'n':
		return nil, nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return nil, &ArgumentError{Problem: "is out of range"}
	}
	return f, nil
}

// shape is what decoding needs to know of a struct type.
type shape struct {
	fields   []shapeField
	required int  // fields that must be there
	defaults bool // a field has a default
}

type shapeField struct {
	name     string
	index    int
	how      how
	required bool
	always   bool   // results have it: nothing leaves it out when it is empty
	rules    *rules // nil: none
}

var shapes sync.Map // reflect.Type -> *shape

func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	made := newShape(t)
	known, _ := shapes.LoadOrStore(t, made)
	return known.(*shape)
}

func newShape(t reflect.Type) *shape {
	made := &shape{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous {
			panic("mcp: DecodeArguments: " + t.String() + " embeds " + f.Type.String() + "; name the field")
		}
		field := shapeField{name: f.Name, index: i, how: howOf(f.Type), required: f.Type.Kind() != reflect.Pointer, always: true}
		name, options, _ := strings.Cut(tag, ",")
		if name != "" {
			field.name = name
		}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "omitzero", "omitempty":
				field.required, field.always = false, false
			default:
				panic("mcp: DecodeArguments: " + t.String() + "." + f.Name + " has the tag option " + quote(option) + ", which is not supported")
			}
		}
		if field.rules = newRules(t, f, field.how); field.rules != nil && field.rules.standard != nil {
			field.required, made.defaults = false, true
		}
		if field.required {
			made.required++
		}
		made.fields = append(made.fields, field)
	}
	return made
}

func (sh *shape) field(name []byte) *shapeField {
	for i := range sh.fields {
		if sh.fields[i].name == string(name) {
			return &sh.fields[i]
		}
	}
	return nil
}

// unknown is the error for a name that no field has.
func (sh *shape) unknown(name string) *ArgumentError {
	names := func(yield func(string) bool) {
		for _, f := range sh.fields {
			if !yield(f.name) {
				return
			}
		}
	}
	e := &ArgumentError{Argument: shown([]byte(name)), Problem: "is not known"}
	switch near := nearest(name, names); {
	case near != "":
		e.Problem += "; did you mean " + quote(near) + "?"
	case len(sh.fields) == 0:
		e.Problem += "; there are no arguments here"
	default:
		e.Problem += "; known are"
		for i, f := range sh.fields {
			if i > 0 {
				e.Problem += ","
			}
			e.Problem += " " + f.name
		}
	}
	return e
}

// missing is the error for the first required field that members lack.
func (sh *shape) missing(s *scanner, members []member) *ArgumentError {
	for _, f := range sh.fields {
		if f.required && !s.has(members, f.name) {
			return &ArgumentError{Argument: f.name, Problem: "is missing"}
		}
	}
	return nil
}
