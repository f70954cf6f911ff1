package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/mcpclient"
)

// inspectedParam is a parameter of a tool, as its input schema has it.
type inspectedParam struct {
	Name        string          `json:"name"`
	Type        string          `json:"type,omitempty"` // empty: any
	Required    bool            `json:"required,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	Limits      string          `json:"limits,omitempty"` // as "at least 1, at most 5"
	Description string          `json:"description,omitempty"`
}

// property is what is shown of a property of a schema.
type property struct {
	Type        json.RawMessage   `json:"type"`
	Description string            `json:"description"`
	Default     json.RawMessage   `json:"default"`
	Enum        []json.RawMessage `json:"enum"`
	Minimum     json.Number       `json:"minimum"`
	Maximum     json.Number       `json:"maximum"`
	MinLength   json.Number       `json:"minLength"`
	MaxLength   json.Number       `json:"maxLength"`
	MinItems    json.Number       `json:"minItems"`
	MaxItems    json.Number       `json:"maxItems"`
	Pattern     string            `json:"pattern"`
	Items       *property         `json:"items"`
}

// describeTool is what a server lists of a tool.
func describeTool(t *mcpclient.Tool) inspectedTool {
	return inspectedTool{Name: t.Name, Title: t.Title, Description: t.Description, Params: params(t.InputSchema)}
}

// params are the properties of a schema in its order; what cannot be read is left out.
func params(schema []byte) []inspectedParam {
	all := []inspectedParam{}
	var s struct {
		Properties json.RawMessage
		Required   []string
	}
	if json.Unmarshal(schema, &s) != nil || len(s.Properties) == 0 {
		return all
	}
	d := json.NewDecoder(strings.NewReader(string(s.Properties)))
	if _, err := d.Token(); err != nil {
		return all
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return all
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return all
		}
		p := inspectedParam{Name: fmt.Sprint(name), Required: slices.Contains(s.Required, fmt.Sprint(name))}
		var known property
		if json.Unmarshal(raw, &known) == nil {
			p.Type, p.Default, p.Description, p.Limits = known.kind(0), known.Default, known.Description, known.limits()
		}
		all = append(all, p)
	}
	return all
}

// arraysMax is how deep arrays of arrays are told of.
const arraysMax = 8

// kind is the type in a word or a few.
func (p *property) kind(depth int) string {
	var one string
	var several []string
	switch {
	case json.Unmarshal(p.Type, &one) == nil && one == "array" && p.Items != nil && depth < arraysMax:
		if of := p.Items.kind(depth + 1); of != "" {
			return "array of " + of
		}
		return one
	case one != "":
		return one
	case json.Unmarshal(p.Type, &several) == nil:
		return strings.Join(several, " or ")
	}
	return ""
}

// limits are the bounds of a property in words.
func (p *property) limits() string {
	var all []string
	add := func(format string, n json.Number) {
		if n != "" {
			all = append(all, fmt.Sprintf(format, n))
		}
	}
	add("at least %s", p.Minimum)
	add("at most %s", p.Maximum)
	add("at least %s long", p.MinLength)
	add("at most %s long", p.MaxLength)
	add("at least %s elements", p.MinItems)
	add("at most %s elements", p.MaxItems)
	if p.Pattern != "" {
		all = append(all, "matches "+p.Pattern)
	}
	if len(p.Enum) > 0 {
		var words []string
		for _, v := range p.Enum {
			words = append(words, string(v))
		}
		all = append(all, "one of "+strings.Join(words, ", "))
	}
	return strings.Join(all, ", ")
}
