package config

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

type rawJSON = json.RawMessage

// Bounds of parameters.
const (
	paramsMax     = 256
	paramDepthMax = 8
	nameBytesMax  = 128
)

// paramTypes are the words of a type; float is another word for number.
var paramTypes = []string{"string", "integer", "float", "number", "boolean", "array", "object"}

var paramTable = table[Param]{name: "param", what: "a parameter", doc: "A parameter in its full form. In the short form it is the type alone, and the parameter is required."}

// listedParamTable is the form in a list, where the name stands inside.
var listedParamTable = table[Param]{name: "listed_param", what: "a parameter", doc: "A parameter in a list: the full form with its name."}

var validationTable = table[Param]{name: "param_validation", what: "validation", doc: "What a parameter's value has to be; the same keys may stand in the parameter itself."}

func paramTables() {
	bounds := []field[Param]{
		{name: "minimum", others: []string{"min"}, doc: "The least number that is allowed.", value: float(func(p *Param) **float64 { return &p.Min })},
		{name: "maximum", others: []string{"max"}, doc: "The greatest number that is allowed.", value: float(func(p *Param) **float64 { return &p.Max })},
		{name: "min_length", doc: "The least count of a string's characters, or of an array's elements.", value: length(func(p *Param) **int { return &p.MinLength })},
		{name: "max_length", doc: "The greatest count of a string's characters, or of an array's elements.", value: length(func(p *Param) **int { return &p.MaxLength })},
		{name: "pattern", doc: "A regular expression (RE2) that a string has to match somewhere; ^ and $ tie it to the ends.", value: pattern(func(p *Param) *string { return &p.Pattern })},
	}
	validationTable.fields = bounds
	validationTable.ready()
	paramTable.fields = append([]field[Param]{
		{name: "type", required: true, doc: "What the value is. float and number are the same.", value: paramType()},
		{name: "required", byDef: "false", doc: "A call without it is refused.", value: boolean(func(p *Param, b bool) { p.Required = b })},
		{name: "default", doc: "The value where a call has none.", value: anything(func(p *Param) *rawJSON { return &p.Default })},
		{name: "description", doc: "What the parameter is for; models read it.", value: text(func(p *Param) *string { return &p.Description })},
		{name: "enum", doc: "The values that are allowed.", value: jsonList(func(p *Param) *[]rawJSON { return &p.Enum })},
		{name: "items", doc: "What an array holds: a type, or a parameter without a name.", value: items()},
		{name: "properties", doc: "What an object holds, as params.", value: params(func(p *Param) *[]Param { return &p.Properties }, "properties", "")},
		{name: "validation", doc: "The bounds of the value, kept apart.", value: value[Param]{
			form{human: "mapping", schema: ref("param_validation"), uses: []described{&validationTable}},
			func(l *loader, n *node, p *Param, _ string) { validationTable.read(l, n, p, nil) },
		}},
	}, bounds...)
	paramTable.ready()
	listedParamTable.fields = append([]field[Param]{
		{name: "name", required: true, doc: "The parameter's name.", value: text(func(p *Param) *string { return &p.Name })},
		{name: "title", doc: "What people call it.", value: text(func(p *Param) *string { return &p.Title })},
	}, paramTable.fields...)
	listedParamTable.ready()
}

func float(get func(*Param) **float64) value[Param] {
	return value[Param]{scalarForm("number", "number"), func(l *loader, n *node, p *Param, what string) {
		s, shown, ok := l.Scalar(n, what)
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || v != v || v-v != 0 { // not a number, or infinite
			l.Fault(n, "%s is %q: it has to be a number", what, shown)
			return
		}
		*get(p) = &v
	}}
}

func length(get func(*Param) **int) value[Param] {
	return count(0, 1<<30, func(p *Param, v int) { *get(p) = &v })
}

func pattern[T any](get func(*T) *string) value[T] {
	v := text(get)
	v.form.human = "regular expression"
	read := v.read
	v.read = func(l *loader, n *node, to *T, what string) {
		read(l, n, to, what)
		if _, err := regexp.Compile(*get(to)); err != nil {
			l.Fault(n, "%s is no regular expression of RE2: %v", what, err)
			*get(to) = ""
		}
	}
	return v
}

func jsonList(get func(*Param) *[]rawJSON) value[Param] {
	return value[Param]{form{human: "list of values", schema: map[string]any{"type": "array"}}, func(l *loader, n *node, p *Param, what string) {
		if !l.bounded(n, what, listMax) {
			return
		}
		seen := map[string]bool{}
		l.List(n, what, func(n *node) {
			v := l.JSON(n, what, nil)
			if seen[string(v)] && v != nil {
				l.Fault(n, "%s has %s twice", what, v)
			}
			seen[string(v)] = true
			*get(p) = append(*get(p), v)
		})
	}}
}

func paramType() value[Param] {
	return choice(paramTypes, func(p *Param, word string) { p.Type = normalType(word) })
}

func normalType(word string) string {
	if word == "float" {
		return "number"
	}
	return word
}

func items() value[Param] {
	f := form{human: "type, or mapping", schema: map[string]any{"anyOf": []any{typeSchema(), ref("param")}}, uses: []described{&paramTable}}
	return value[Param]{f, func(l *loader, n *node, p *Param, _ string) {
		p.Items = &Param{}
		l.deeper(n, func() { l.param(n, p.Items, "") })
	}}
}

func typeSchema() map[string]any {
	enum := make([]any, len(paramTypes))
	for i, w := range paramTypes {
		enum[i] = w
	}
	return map[string]any{"enum": enum}
}

// params reads parameters, a mapping or a list. byDefault is the type of one that
// names none; empty: it has to.
func params[T any](get func(*T) *[]Param, what, byDefault string) value[T] {
	f := form{human: "parameters by name, or a list of them", schema: map[string]any{"anyOf": []any{
		map[string]any{"type": "object", "additionalProperties": map[string]any{"anyOf": []any{typeSchema(), ref("param")}}},
		map[string]any{"type": "array", "items": ref("listed_param")},
	}}, uses: []described{&paramTable, &listedParamTable}}
	if byDefault != "" { // the type may be left out
		f.schema = map[string]any{"anyOf": []any{map[string]any{"type": "object"}, map[string]any{"type": "array", "items": map[string]any{"type": "object"}}}}
	}
	return value[T]{f, func(l *loader, n *node, to *T, _ string) {
		if !l.bounded(n, what, paramsMax) {
			return
		}
		l.deeper(n, func() { *get(to) = l.params(n, what, byDefault) })
	}}
}

// deeper runs read one level further down.
func (l *loader) deeper(n *node, read func()) {
	if l.depth == paramDepthMax {
		l.Fault(n, "this is nested more than %d deep", paramDepthMax)
		return
	}
	l.depth++
	read()
	l.depth--
}

func (l *loader) params(n *node, what, byDefault string) (all []Param) {
	if !l.IsList(n) {
		l.Members(n, what, nil, func(key, v *node) {
			p := Param{Name: key.Value}
			l.paramName(key, p.Name)
			l.param(v, &p, byDefault)
			all = append(all, p)
		})
		return all
	}
	l.List(n, what, func(n *node) {
		p := Param{Type: byDefault}
		l.listedParam(n, &p)
		for _, before := range all {
			if p.Name != "" && before.Name == p.Name {
				l.Fault(n, "%s has %q twice", what, p.Name)
			}
		}
		all = append(all, p)
	})
	return all
}

func (l *loader) listedParam(n *node, p *Param) {
	t := &listedParamTable
	if p.Type != "" {
		t = &argumentTable
	}
	before := l.Faults()
	t.read(l, n, p, &p.Place)
	if p.Place.Has("name") {
		l.paramName(n, p.Name)
	}
	if l.Faults() == before {
		l.checkParam(p)
	}
}

// param reads one parameter in the short or the full form.
func (l *loader) param(n *node, p *Param, byDefault string) {
	if !l.IsMapping(n) {
		p.Place.Pos = l.Pos(n)
		p.Required = true
		l.Choice("the type of a parameter", paramTypes, func(i int) { p.Type = normalType(paramTypes[i]) })(n)
		return
	}
	t := &paramTable
	if byDefault != "" {
		t, p.Type = &argumentTable, byDefault
	}
	before := l.Faults()
	t.read(l, n, p, &p.Place)
	if l.Faults() == before {
		l.checkParam(p)
	}
}

func (l *loader) paramName(n *node, name string) {
	switch {
	case name == "":
		l.Fault(n, "a parameter's name is empty")
	case len(name) > nameBytesMax:
		l.Fault(n, "a parameter's name has %d bytes, at most %d are read", len(name), nameBytesMax)
	}
}

// checkParam finds keys that do not go with the type, and values that do not fit.
func (l *loader) checkParam(p *Param) {
	fits := func(key string, set bool, types ...string) {
		for _, t := range types {
			set = set && p.Type != t
		}
		if set {
			l.Note(p.At(key), "%s is for %s, and this parameter is of type %s", key, yamlfile.OrList(types), p.Type)
		}
	}
	key := func(name, other string) string {
		if p.Has(name) {
			return name
		}
		return other
	}
	fits(key("min", "minimum"), p.Min != nil, "integer", "number")
	fits(key("max", "maximum"), p.Max != nil, "integer", "number")
	fits("min_length", p.MinLength != nil, "string", "array")
	fits("max_length", p.MaxLength != nil, "string", "array")
	fits("pattern", p.Pattern != "", "string")
	fits("items", p.Items != nil, "array")
	fits("properties", p.Properties != nil, "object")
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		l.Note(p.At(key("max", "maximum")), "the maximum %v is below the minimum %v: no value is allowed", *p.Max, *p.Min)
	}
	if p.MinLength != nil && p.MaxLength != nil && *p.MinLength > *p.MaxLength {
		l.Note(p.At("max_length"), "max_length %d is below min_length %d: no value is allowed", *p.MaxLength, *p.MinLength)
	}
	for i, v := range p.Enum {
		if !isOfType(v, p.Type) {
			l.Note(p.At("enum["+strconv.Itoa(i)+"]"), "enum has %s, which is %s, in a parameter of type %s%s", v, jsonType(v), p.Type, quotesHint(v, p.Type))
		}
	}
	if p.Default == nil {
		return
	}
	switch {
	case !isOfType(p.Default, p.Type):
		l.Note(p.At("default"), "the default %s is %s, and the parameter of type %s%s", p.Default, jsonType(p.Default), p.Type, quotesHint(p.Default, p.Type))
	case p.Required:
		l.Note(p.At("default"), "a required parameter needs no default: leave one of the two out")
	default:
		l.checkDefault(p)
	}
}

// checkDefault holds a default against the parameter's own bounds.
func (l *loader) checkDefault(p *Param) {
	if p.Enum == nil && p.Min == nil && p.Max == nil && p.MinLength == nil && p.MaxLength == nil && p.Pattern == "" && p.Items == nil && p.Properties == nil {
		return
	}
	if v, err := strconv.ParseFloat(string(p.Default), 64); err == nil && p.Enum == nil && (p.Min == nil || v >= *p.Min) && (p.Max == nil || v <= *p.Max) {
		return // the most common, without the cost of a schema
	}
	bare := *p
	bare.Required = false
	s, err := compile(inputSchema([]Param{bare}))
	if err != nil {
		return // which is told of the whole schema
	}
	if err := s.Validate(objectOf(p.Name, p.Default)); err != nil {
		l.Note(p.At("default"), "the default does not fit the parameter: %v", err)
	}
}

func quotesHint(v rawJSON, want string) string {
	if want == "string" {
		return ": write it in quotes"
	}
	if t := jsonType(v); t == "a string" && (want == "integer" || want == "number" || want == "boolean") {
		return ": write it without quotes"
	}
	return ""
}

// jsonType names what a JSON value is.
func jsonType(v rawJSON) string {
	switch v[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func isOfType(v rawJSON, want string) bool {
	if len(v) == 0 {
		return true // a fault that was noted
	}
	switch got := jsonType(v); want {
	case "integer":
		f, err := strconv.ParseFloat(string(v), 64)
		return got == "a number" && err == nil && f == float64(int64(f))
	case "number":
		return got == "a number"
	default:
		return got == "a "+want || got == "an "+want
	}
}

func objectOf(name string, v rawJSON) []byte {
	return append(append(append([]byte("{"), jsonText(name)...), ':'), append(v, '}')...)
}

func jsonText(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
