package toolargs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of how far references and alternatives are followed.
const (
	nestingMax = 32
	partsMax   = 1000 // of one schema
)

// schema is what is known of a JSON Schema.
type schema struct {
	Type        json.RawMessage            `json:"type"`
	Description string                     `json:"description"`
	Properties  map[string]json.RawMessage `json:"properties"`
	Additional  json.RawMessage            `json:"additionalProperties"`
	Items       json.RawMessage            `json:"items"`
	Required    []string                   `json:"required"`
	Enum        []json.RawMessage          `json:"enum"`
	Const       json.RawMessage            `json:"const"`
	AnyOf       []json.RawMessage          `json:"anyOf"`
	OneOf       []json.RawMessage          `json:"oneOf"`
	AllOf       []json.RawMessage          `json:"allOf"`
	Reference   string                     `json:"$ref"`

	root []byte    // the whole document, for references
	all  []*schema // itself, and what it is combined of
}

// read reads the schema of an input; nothing is one that allows all.
func read(input []byte) (*schema, error) {
	if len(input) == 0 {
		input = []byte(`{}`)
	}
	s := parse(input, input, 0)
	if s == nil {
		return nil, fmt.Errorf("the tool's input schema cannot be read; give the arguments with --args")
	}
	return s, nil
}

// parse reads a schema of the document root; true, false and what cannot be read allow
// all: the server decides.
func parse(raw, root []byte, depth int) *schema {
	left := partsMax
	return parsePart(raw, root, depth, &left)
}

// parsePart is parse as long as parts are left: alternatives may lead back to themselves
// in several ways.
func parsePart(raw, root []byte, depth int, left *int) *schema {
	s := &schema{root: root}
	*left--
	if depth > nestingMax || *left < 0 || json.Unmarshal(raw, s) != nil {
		if depth == 0 && string(raw) != "true" {
			return nil
		}
		return (&schema{root: root}).ready()
	}
	s.ready()
	more := slices.Concat(s.AllOf, s.AnyOf, s.OneOf)
	if s.Reference != "" {
		if found := resolve(root, s.Reference); found != nil {
			more = append(more, found)
		}
	}
	for _, m := range more {
		s.all = append(s.all, parsePart(m, root, depth+1, left).all...)
	}
	return s
}

func (s *schema) ready() *schema {
	s.all = []*schema{s}
	return s
}

// resolve finds what a reference within a document leads to, or nil.
func resolve(root []byte, reference string) []byte {
	pointer, ok := strings.CutPrefix(reference, "#/")
	if !ok {
		return nil
	}
	at := json.RawMessage(root)
	for part := range strings.SplitSeq(pointer, "/") {
		var members map[string]json.RawMessage
		if json.Unmarshal(at, &members) != nil {
			return nil
		}
		at = members[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return at
}

// properties are the known members.
func (s *schema) properties() map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, one := range s.all {
		maps.Copy(all, one.Properties)
	}
	return all
}

// open says whether there may be members that are not known. A schema that says nothing
// of them and knows some is taken not to be: they would be misspelt.
func (s *schema) open() bool {
	for _, one := range s.all {
		if len(one.Additional) > 0 && string(one.Additional) != "false" {
			return true
		}
	}
	return len(s.properties()) == 0 && !slices.ContainsFunc(s.all, func(one *schema) bool { return string(one.Additional) == "false" })
}

// member is the schema of a member.
func (s *schema) member(name string) *schema {
	if raw, ok := s.properties()[name]; ok {
		return parse(raw, s.root, 1)
	}
	for _, one := range s.all {
		if len(one.Additional) > 0 && one.Additional[0] == '{' {
			return parse(one.Additional, s.root, 1)
		}
	}
	return (&schema{root: s.root}).ready()
}

// items is the schema of the elements.
func (s *schema) items() *schema {
	for _, one := range s.all {
		if len(one.Items) > 0 {
			return parse(one.Items, s.root, 1)
		}
	}
	return (&schema{root: s.root}).ready()
}

// required are the members that have to be there, whatever alternative is taken.
func (s *schema) required() (names []string) {
	names = append(names, s.Required...)
	for _, raw := range s.AllOf {
		names = append(names, parse(raw, s.root, 1).Required...)
	}
	return names
}

// types are the types that are allowed; none is any.
func (s *schema) types() (types []string) {
	for _, one := range s.all {
		var name string
		var names []string
		switch {
		case json.Unmarshal(one.Type, &name) == nil:
			names = []string{name}
		case json.Unmarshal(one.Type, &names) != nil && len(one.Properties) > 0:
			names = []string{"object"}
		}
		for _, n := range names {
			if !slices.Contains(types, n) {
				types = append(types, n)
			}
		}
	}
	return types
}

// choice is the value of an enum that a text means, or nil.
func (s *schema) choice(text string) json.RawMessage {
	for _, one := range s.all {
		for _, v := range append(slices.Clip(one.Enum), one.Const) {
			var name string
			if json.Unmarshal(v, &name) == nil && name == text || len(v) > 0 && string(v) == text {
				return v
			}
		}
	}
	return nil
}
