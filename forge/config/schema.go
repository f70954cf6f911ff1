package config

import (
	"strconv"

	"github.com/ingot-run/ingot/internal/schema"
)

// inputSchema is the JSON Schema of an object with these parameters and no others.
func inputSchema(params []Param) []byte {
	return appendObject([]byte(`{"type":"object"`), params, true, false)
}

// shape is inputSchema with all that the loader has checked by itself taken out or made
// the same (texts, numbers, the values of enum): many tools have one in common.
func shape(params []Param) []byte {
	return appendObject([]byte(`{"type":"object"`), params, true, true)
}

// appendObject writes what an object holds, from behind its type to its end.
func appendObject(out []byte, params []Param, closed, bare bool) []byte {
	out = append(out, `,"properties":{`...)
	required := 0
	for i := range params {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, jsonText(params[i].Name)...), ':')
		out = appendParam(out, &params[i], bare)
		if params[i].Required {
			required++
		}
	}
	out = append(out, '}')
	if required > 0 {
		out = append(out, `,"required":[`...)
		for i := range params {
			if params[i].Required {
				out = append(append(out, jsonText(params[i].Name)...), ',')
			}
		}
		out[len(out)-1] = ']'
	}
	if closed {
		out = append(out, `,"additionalProperties":false`...)
	}
	return append(out, '}')
}

func appendParam(out []byte, p *Param, bare bool) []byte {
	out = append(append(append(out, `{"type":"`...), p.Type...), '"')
	if p.Title != "" && !bare {
		out = append(append(out, `,"title":`...), jsonText(p.Title)...)
	}
	if p.Description != "" && !bare {
		out = append(append(out, `,"description":`...), jsonText(p.Description)...)
	}
	if p.Default != nil && !bare {
		out = append(append(out, `,"default":`...), p.Default...)
	}
	if bare && len(p.Enum) > 0 {
		out = append(out, `,"enum":[1]`...)
	} else if len(p.Enum) > 0 {
		out = append(out, `,"enum":[`...)
		for _, v := range p.Enum {
			out = append(append(out, v...), ',')
		}
		out[len(out)-1] = ']'
	}
	lengths := [2]string{`,"minLength":`, `,"maxLength":`}
	if p.Type == "array" {
		lengths = [2]string{`,"minItems":`, `,"maxItems":`}
	}
	for i, v := range []*float64{p.Min, p.Max} {
		if v != nil {
			n := *v
			if bare {
				n = 1
			}
			out = strconv.AppendFloat(append(out, [2]string{`,"minimum":`, `,"maximum":`}[i]...), n, 'g', -1, 64)
		}
	}
	for i, v := range []*int{p.MinLength, p.MaxLength} {
		if v != nil {
			n := int64(*v)
			if bare {
				n = 1
			}
			out = strconv.AppendInt(append(out, lengths[i]...), n, 10)
		}
	}
	if p.Pattern != "" {
		out = append(append(out, `,"pattern":`...), jsonText(p.Pattern)...)
	}
	if p.Items != nil {
		out = appendParam(append(out, `,"items":`...), p.Items, bare)
	}
	if len(p.Properties) > 0 {
		return appendObject(out, p.Properties, false, bare)
	}
	return append(out, '}')
}

func compile(source []byte) (*schema.Schema, error) { return schema.Compile(source) }

// schemas makes the input schemas of all tools. Each shape is compiled once, as a
// check: a compilation takes some 0.1 ms, which for each of a thousand tools would be
// the whole time that a load may take.
func (l *loader) schemas(c *Config) {
	good := map[string]bool{}
	for i := range c.Tools {
		t := &c.Tools[i]
		if t.Kind == KindWasm || t.Hidden && len(t.Params) == 0 && !t.Place.Has("params") {
			continue
		}
		t.InputSchema = inputSchema(t.Params)
		s := shape(t.Params)
		if good[string(s)] {
			continue
		}
		good[string(s)] = true
		if len(t.InputSchema) > schema.SchemaBytesMax {
			l.Note(t.At("params"), "the schema of the parameters has %d bytes, at most %d are read", len(t.InputSchema), schema.SchemaBytesMax)
		} else if _, err := compile(s); err != nil {
			l.Note(t.At("params"), "the parameters make no schema: %v", err)
		}
	}
}
