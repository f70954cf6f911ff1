package sandbox

import (
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Results that a guest writes for the Model Context Protocol are passed on as they
// are, so they are checked for the shape that every client relies on: members that
// must be there, and the types of those that are known. Further members are the
// guest's own affair.

// resultShapes are what a result must look like, by the method it answers.
var resultShapes = map[string]members{
	"tools/call": {
		"content": list(contentBlock), "structuredContent": optional(anObject), "isError": optional(aBool),
	},
	"resources/list": {
		"resources": list(members{"uri": aString, "name": aString, "mimeType": optional(aString)}), "nextCursor": optional(aString),
	},
	"resources/templates/list": {
		"resourceTemplates": list(members{"uriTemplate": aString, "name": aString}), "nextCursor": optional(aString),
	},
	"resources/read": {"contents": list(resourceContents)},
	"prompts/list": {
		"prompts":    list(members{"name": aString, "arguments": optional(list(members{"name": aString, "required": optional(aBool)}))}),
		"nextCursor": optional(aString),
	},
	"prompts/get": {
		"messages": list(members{"role": oneOf("user", "assistant"), "content": contentBlock}), "description": optional(aString),
	},
	"completion/complete": {
		"completion": members{"values": list(aString), "total": optional(aNumber), "hasMore": optional(aBool)},
	},
}

// resultFault says what is wrong with a result of a method, going on from "a result
// that", or "".
func resultFault(method string, raw []byte) string {
	if fault := resultShapes[method].fault(raw); fault != "" {
		return "is not one of " + method + ": it" + fault
	}
	return ""
}

// valueRule checks one JSON value. What it says goes on from the value's name.
type valueRule interface{ fault(jsontext.Value) string }

type (
	// members is the shape of an object: of what must stand in it, or may.
	members map[string]valueRule
	// kindOf is one kind of value.
	kindOf struct {
		kinds string // as jsontext.Kind has them
		name  string
	}
	listOf     struct{ item valueRule }
	optionalOf struct{ valueRule }
	enumOf     []string
	// block is content of any kind, contents what a resource holds.
	block    struct{}
	contents struct{}
)

var (
	aString  = kindOf{`"`, "a string"}
	aNumber  = kindOf{"0", "a number"}
	aBool    = kindOf{"tf", "a boolean"}
	anObject = kindOf{"{", "an object"}

	contentBlock     block
	resourceContents contents
)

func list(item valueRule) valueRule   { return listOf{item} }
func optional(r valueRule) valueRule  { return optionalOf{r} }
func oneOf(words ...string) valueRule { return enumOf(words) }

func (k kindOf) fault(v jsontext.Value) string {
	for _, kind := range []byte(k.kinds) {
		if v.Kind() == jsontext.Kind(kind) {
			return ""
		}
	}
	return " must be " + k.name
}

func (l listOf) fault(v jsontext.Value) string {
	var items []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &items) != nil {
		return " must be an array"
	}
	for i, item := range items {
		if fault := l.item.fault(item); fault != "" {
			return fmt.Sprintf("[%d]%s", i, fault)
		}
	}
	return ""
}

func (e enumOf) fault(v jsontext.Value) string {
	var word string
	if v.Kind() == '"' && json.Unmarshal(v, &word) == nil {
		for _, known := range e {
			if word == known {
				return ""
			}
		}
	}
	return fmt.Sprintf(" must be one of %q", []string(e))
}

func (m members) fault(v jsontext.Value) string {
	var object map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &object) != nil {
		return " must be an object"
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		rule := m[name]
		value, there := object[name]
		maybe, isOptional := rule.(optionalOf)
		switch {
		case isOptional && (!there || value.Kind() == 'n'): // many encoders write null for nothing
			continue
		case isOptional:
			rule = maybe.valueRule
		case !there:
			return " has no ." + name
		}
		if fault := rule.fault(value); fault != "" {
			return "." + name + fault
		}
	}
	return ""
}

// blockShapes are the kinds of content.
var blockShapes = map[string]members{
	"text":          {"text": aString},
	"image":         {"data": aString, "mimeType": aString},
	"audio":         {"data": aString, "mimeType": aString},
	"resource_link": {"uri": aString, "name": aString},
	"resource":      {"resource": resourceContents},
}

func (block) fault(v jsontext.Value) string {
	if fault := (members{"type": aString}).fault(v); fault != "" {
		return fault
	}
	var b struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(v, &b) // checked above
	rules, ok := blockShapes[b.Type]
	if !ok {
		return fmt.Sprintf(".type is %q, which is no kind of content", clip(b.Type, 64))
	}
	return rules.fault(v)
}

func (contents) fault(v jsontext.Value) string {
	if fault := (members{"uri": aString, "mimeType": optional(aString)}).fault(v); fault != "" {
		return fault
	}
	text, blob := members{"text": aString}.fault(v), members{"blob": aString}.fault(v)
	if text != "" && blob != "" {
		return " has neither a text nor a blob that is a string"
	}
	return ""
}

// mustJSON encodes what always encodes: valid JSON among plain fields.
func mustJSON(v any) jsontext.Value {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
