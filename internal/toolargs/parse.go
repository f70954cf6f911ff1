package toolargs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

// depthMax is how deep a key may lead: a.b.c is three.
const depthMax = 32

// Parse makes a JSON object of pairs such as city=Oslo, by the schema that the object
// has to fit. base, unless nil, is an object that the pairs are put into. The error names
// the pair, says what is wrong with it, and which name was probably meant.
func Parse(input, base []byte, pairs []string) (json.RawMessage, error) {
	top, err := read(input)
	if err != nil {
		return nil, err
	}
	into := object{}
	if base != nil {
		if into, err = objectOf(base); err != nil {
			return nil, fmt.Errorf("the arguments are not a JSON object: %w", err)
		}
	}
	given := map[string]bool{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("%.80q is no argument: write %s=VALUE", pair, pair)
		case key == "":
			return nil, fmt.Errorf("%.80q lacks the name of an argument before the =", pair)
		case !utf8.ValidString(pair):
			return nil, fmt.Errorf("the argument %.80q is not UTF-8", key)
		}
		if err := into.put(top, path(top, key), text, given[key]); err != nil {
			return nil, fmt.Errorf("argument %s: %w", key, err)
		}
		given[key] = true
	}
	for _, name := range top.required() {
		if _, ok := into[name]; !ok {
			return nil, fmt.Errorf("argument %s is missing%s", name, hint(top, name))
		}
	}
	return json.Marshal(into)
}

// hint shows how an argument that is missing is written.
func hint(top *schema, name string) string {
	s := top.member(name)
	text := fmt.Sprintf(": give it as %s=%s", name, strings.ToUpper(strings.Join(s.types(), "|")))
	if s.Description != "" {
		text += fmt.Sprintf(" (%.200s)", s.Description)
	}
	return text
}

// path splits a key at its dots, unless there is an argument of the whole name.
func path(top *schema, key string) []string {
	if _, ok := top.properties()[key]; ok || !strings.Contains(key, ".") {
		return []string{key}
	}
	return strings.Split(key, ".")
}

// object is a JSON object whose values are objects or JSON texts.
type object map[string]any

// objectOf reads an object; the objects inside stay texts until they are written to.
func objectOf(text []byte) (object, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("it is null")
	}
	o := object{}
	for name, v := range members {
		o[name] = v
	}
	return o, nil
}

// put sets the value at a path. again says that the same path was set before, which
// adds to an array.
func (o object) put(s *schema, path []string, text string, again bool) error {
	if len(path) > depthMax {
		return fmt.Errorf("is more than %d deep", depthMax)
	}
	name := path[0]
	if name == "" {
		return errors.New("has an empty name in it")
	}
	if properties := s.properties(); properties[name] == nil && !s.open() {
		return fmt.Errorf("there is no %q%s. What the schema does not know can be given with --args", name, yamlfile.Nearest(name, slices.Sorted(maps.Keys(properties))))
	}
	below := s.member(name)
	if len(path) > 1 {
		inner, err := o.inner(name)
		if err != nil {
			return err
		}
		if types := below.types(); len(types) > 0 && !slices.Contains(types, "object") {
			return fmt.Errorf("%s is %s, and has no members", name, yamlfile.OrList(types))
		}
		return inner.put(below, path[1:], text, again)
	}
	value, err := below.value(text, 0)
	if err != nil {
		return err
	}
	if again {
		before, _ := o[name].(json.RawMessage)
		if value, err = joined(before, value); err != nil {
			return err
		}
	}
	o[name] = value
	return nil
}

// inner is the object of a name, made when there is none.
func (o object) inner(name string) (object, error) {
	switch v := o[name].(type) {
	case object:
		return v, nil
	case json.RawMessage:
		inner, err := objectOf(v)
		if err != nil {
			return nil, fmt.Errorf("%s already has a value that is no object", name)
		}
		o[name] = inner
		return inner, nil
	}
	inner := object{}
	o[name] = inner
	return inner, nil
}

// joined is the elements of two arrays.
func joined(before, more json.RawMessage) (json.RawMessage, error) {
	var a, b []json.RawMessage
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(more, &b) != nil {
		return nil, errors.New("is given twice, and is no array")
	}
	return json.Marshal(append(a, b...))
}

// value makes JSON of a text that stands so many arrays deep.
func (s *schema) value(text string, depth int) (json.RawMessage, error) {
	if v := s.choice(text); v != nil {
		return v, nil
	}
	types := s.types()
	if len(types) == 0 {
		return anything(text), nil
	}
	var fault error
	for _, kind := range order {
		if !slices.Contains(types, kind) {
			continue
		}
		v, err := s.as(kind, text, depth)
		if err == nil {
			return v, nil
		}
		fault = err
	}
	if len(types) > 1 {
		fault = fmt.Errorf("%.80q is neither %s", text, strings.Join(types, " nor "))
	}
	return nil, fault
}

// order is that in which types are tried where a schema allows several: a text is
// anything, and comes last.
var order = []string{"null", "boolean", "integer", "number", "array", "object", "string"}

// as reads a text as a type.
func (s *schema) as(kind, text string, depth int) (json.RawMessage, error) {
	raw := json.RawMessage(strings.TrimSpace(text))
	valid := json.Valid(raw)
	switch kind {
	case "string":
		return json.Marshal(text)
	case "null":
		if string(raw) == "null" {
			return raw, nil
		}
		return nil, fmt.Errorf("is null or nothing, not %.80q", text)
	case "boolean":
		if string(raw) == "true" || string(raw) == "false" {
			return raw, nil
		}
		return nil, fmt.Errorf("is true or false, not %.80q", text)
	case "integer":
		if valid && isNumber(raw) && !bytes.ContainsAny(raw, ".eE") {
			return raw, nil
		}
		return nil, fmt.Errorf("is a whole number, not %.80q", text)
	case "number":
		if valid && isNumber(raw) {
			return raw, nil
		}
		return nil, fmt.Errorf("is a number, not %.80q", text)
	case "array":
		return s.array(text, raw, valid, depth)
	default:
		if valid && raw[0] == '{' {
			return raw, nil
		}
		return nil, fmt.Errorf("is an object, not %.80q: write it as JSON, or its members as NAME.member=VALUE", text)
	}
}

func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

// array reads JSON, or elements between commas. An array whose elements are such arrays
// again, by a reference, has no end.
func (s *schema) array(text string, raw json.RawMessage, valid bool, depth int) (json.RawMessage, error) {
	if valid && raw[0] == '[' {
		return raw, nil
	}
	if depth == depthMax {
		return nil, fmt.Errorf("is an array more than %d deep: write it as JSON", depthMax)
	}
	elements := []json.RawMessage{}
	if text != "" {
		for part := range strings.SplitSeq(text, ",") {
			v, err := s.items().value(part, depth+1)
			if err != nil {
				return nil, fmt.Errorf("an element %w", err)
			}
			elements = append(elements, v)
		}
	}
	return json.Marshal(elements)
}

// anything is JSON where the text is that, and else the text.
func anything(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always encode
	}
	return quoted
}
