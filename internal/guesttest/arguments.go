package guesttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/schema"
)

// Arguments are made broadly: from the schema's own words (types, bounds, enums,
// examples) come values at and beyond each bound, one property changed at a time.
// What the schema then takes is called for its answer, what it refuses to see how
// the guest takes it.

const (
	argumentsMax = 48      // of each kind, for one tool
	stringMax    = 100_000 // characters of one generated string
	depthMax     = 6       // of generated values
)

// rule is a JSON Schema, as far as values are made from it.
type rule struct {
	Type        any             `json:"type"`
	Enum        []any           `json:"enum"`
	Const       json.RawMessage `json:"const"`
	Default     json.RawMessage `json:"default"`
	Examples    []any           `json:"examples"`
	Properties  map[string]rule `json:"properties"`
	Required    []string        `json:"required"`
	Items       json.RawMessage `json:"items"`
	MinLength   *float64        `json:"minLength"`
	MaxLength   *float64        `json:"maxLength"`
	MinItems    *float64        `json:"minItems"`
	MaxItems    *float64        `json:"maxItems"`
	Minimum     *float64        `json:"minimum"`
	Maximum     *float64        `json:"maximum"`
	Pattern     string          `json:"pattern"`
	AnyOf       []rule          `json:"anyOf"`
	OneOf       []rule          `json:"oneOf"`
	AllOf       []rule          `json:"allOf"`
	Ref         string          `json:"$ref"`
	Defs        map[string]rule `json:"$defs"`
	Definitions map[string]rule `json:"definitions"`
}

// UnmarshalJSON lets a schema be true or false, which says nothing about values.
func (r *rule) UnmarshalJSON(raw []byte) error {
	type plain rule
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return json.Unmarshal(raw, (*plain)(r))
}

// arguments are the made arguments of one tool, as JSON.
type arguments struct {
	valid, wrong [][]byte
}

// makeArguments makes arguments from a schema that compiles.
func makeArguments(source []byte, compiled *schema.Schema) (arguments, error) {
	var root rule
	if err := json.Unmarshal(source, &root); err != nil {
		return arguments{}, fmt.Errorf("reading the schema: %w", err)
	}
	g := generator{root: root}
	var out arguments
	seen := map[string]bool{}
	for _, candidate := range g.objects(root) {
		raw, err := json.Marshal(candidate)
		if err != nil {
			return arguments{}, fmt.Errorf("writing made arguments: %w", err)
		}
		if seen[string(raw)] {
			continue
		}
		seen[string(raw)] = true
		list := &out.valid
		if compiled.Validate(raw) != nil {
			list = &out.wrong
		}
		if len(*list) < argumentsMax {
			*list = append(*list, raw)
		}
	}
	return out, nil
}

// generator makes values.
type generator struct{ root rule }

// objects are candidates for the whole arguments: with all properties and with the
// required ones alone, then with each property changed, left out and added.
func (g generator) objects(r rule) []any {
	r = g.resolve(r, 0)
	minimal, full := map[string]any{}, map[string]any{}
	names := slices.Sorted(maps.Keys(r.Properties))
	for _, name := range names {
		full[name] = g.value(r.Properties[name], 1)
		if slices.Contains(r.Required, name) {
			minimal[name] = full[name]
		}
	}
	all := []any{minimal, full}
	with := func(name string, value any) {
		changed := maps.Clone(full)
		changed[name] = value
		all = append(all, changed)
	}
	// First one change of each property, then the next, so that the bound on their
	// number cuts the last changes and not the last properties.
	variants := make([][]any, len(names))
	longest := 0
	for i, name := range names {
		variants[i] = g.variants(r.Properties[name])
		longest = max(longest, len(variants[i]))
	}
	for n := range longest {
		for i, name := range names {
			if n < len(variants[i]) {
				with(name, variants[i][n])
			}
		}
	}
	for _, name := range names {
		without := maps.Clone(full)
		delete(without, name)
		all = append(all, without)
	}
	with("no such argument", true)
	for _, name := range names {
		for _, other := range []any{nil, true, 1.5, "text", []any{}, map[string]any{}} {
			with(name, other)
		}
	}
	return all
}

// resolve follows references within the schema and takes over what allOf and the
// first alternative say.
func (g generator) resolve(r rule, depth int) rule {
	if depth > depthMax {
		return r
	}
	if name, ok := strings.CutPrefix(r.Ref, "#/$defs/"); ok {
		return g.resolve(g.root.Defs[name], depth+1)
	}
	if name, ok := strings.CutPrefix(r.Ref, "#/definitions/"); ok {
		return g.resolve(g.root.Definitions[name], depth+1)
	}
	parts := slices.Clone(r.AllOf)
	for _, alternatives := range [][]rule{r.AnyOf, r.OneOf} {
		if len(alternatives) > 0 {
			parts = append(parts, alternatives[0])
		}
	}
	for _, part := range parts {
		part = g.resolve(part, depth+1)
		if r.Type == nil {
			r.Type = part.Type
		}
		if r.Enum == nil {
			r.Enum = part.Enum
		}
		r.Required = append(slices.Clone(r.Required), part.Required...)
		if len(part.Properties) > 0 {
			r.Properties = maps.Clone(r.Properties)
			if r.Properties == nil {
				r.Properties = map[string]rule{}
			}
			maps.Copy(r.Properties, part.Properties)
		}
	}
	return r
}

// value is one plausible value.
func (g generator) value(r rule, depth int) any {
	if depth > depthMax {
		return nil
	}
	r = g.resolve(r, depth)
	switch {
	case len(r.Examples) > 0:
		return r.Examples[0]
	case len(r.Const) > 0:
		return r.Const
	case len(r.Enum) > 0:
		return r.Enum[0]
	case len(r.Default) > 0:
		return r.Default
	}
	switch r.kind() {
	case "string":
		return g.text(r)
	case "integer", "number":
		return clamp(1, r.Minimum, r.Maximum)
	case "boolean":
		return true
	case "array":
		return g.array(r, int(number(r.MinItems, 1)), depth)
	case "null":
		return nil
	default:
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
			object[name] = g.value(r.Properties[name], depth+1)
		}
		return object
	}
}

// kind is the type of a rule, the first of several.
func (r rule) kind() string {
	switch t := r.Type.(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			s, _ := t[0].(string)
			return s
		}
	}
	switch {
	case len(r.Properties) > 0:
		return "object"
	case len(r.Items) > 0:
		return "array"
	}
	return "string"
}

// usualTexts are tried where a pattern says what a string must look like.
var usualTexts = []string{
	"a", "A", "1", "abc", "abc123", "2024-02-29", "2024-02-29T12:00:00Z", "a@example.org", "https://example.org/", "00000000-0000-0000-0000-000000000000", "0123456789abcdef",
}

// text is a plausible string.
func (g generator) text(r rule) any {
	if r.Pattern != "" {
		for _, text := range usualTexts {
			s, err := schema.Compile(fmt.Appendf(nil, `{"pattern":%s}`, quote(r.Pattern)))
			if err == nil && s.Validate([]byte(quote(text))) == nil {
				return text
			}
		}
	}
	text := "a text"
	if low := int(min(number(r.MinLength, 0), stringMax)); low > len(text) {
		text = strings.Repeat("x", low)
	}
	if high := number(r.MaxLength, stringMax); high < float64(len(text)) {
		text = text[:int(high)]
	}
	return text
}

func quote(s string) string {
	raw, _ := json.Marshal(s) // a string always encodes
	return string(raw)
}

// array is count values.
func (g generator) array(r rule, count, depth int) any {
	var item rule
	_ = item.UnmarshalJSON(r.Items) // what is no schema says nothing
	all := []any{}
	for range min(max(count, 0), 1000) {
		all = append(all, g.value(item, depth+1))
	}
	return all
}

// variants are values at and beyond the bounds of a rule.
func (g generator) variants(r rule) []any {
	r = g.resolve(r, 0)
	all := slices.Clone(r.Examples)
	all = append(all, r.Enum...)
	switch r.kind() {
	case "string":
		all = append(all, "", "é😀\u0000\n\t\"\\/<>&\u2028", strings.Repeat("x", int(min(number(r.MaxLength, 10_000), stringMax))))
		if r.MaxLength != nil && *r.MaxLength < stringMax {
			all = append(all, strings.Repeat("x", int(*r.MaxLength)+1), strings.Repeat("😀", int(*r.MaxLength)))
		}
		if r.MinLength != nil && *r.MinLength >= 1 {
			all = append(all, strings.Repeat("x", int(min(*r.MinLength, stringMax))), strings.Repeat("x", int(min(*r.MinLength-1, stringMax))))
		}
	case "integer", "number":
		for _, n := range []float64{number(r.Minimum, -1), number(r.Maximum, 1e6), 0, -1, math.MaxInt32 + 1.0, 1 << 53, -(1 << 53)} {
			all = append(all, n, n+1, n-1)
		}
		all = append(all, 0.5, 1e300)
	case "boolean":
		all = append(all, false)
	case "array":
		all = append(all, g.array(r, int(number(r.MinItems, 0)), 0), g.array(r, int(number(r.MaxItems, 100)), 0), g.array(r, int(number(r.MaxItems, 100))+1, 0))
	}
	return all
}

// number is *n, or otherwise.
func number(n *float64, otherwise float64) float64 {
	if n == nil {
		return otherwise
	}
	return *n
}

func clamp(n float64, low, high *float64) float64 {
	return math.Min(math.Max(n, number(low, n)), number(high, math.Max(n, number(low, n))))
}
