package sandbox

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Description is what a tool says about itself; its fields are those of a tool
// in the Model Context Protocol.
type Description struct {
	// Name is 1 to 64 of the characters A-Z a-z 0-9 _ -.
	Name string `json:"name"`
	// Title is the name for people; may be empty.
	Title string `json:"title"`
	// Description is for the model that chooses among tools; never empty.
	Description string `json:"description"`
	// InputSchema is a JSON Schema object with "type": "object".
	InputSchema jsontext.Value `json:"inputSchema"`
	// OutputSchema is one for the result; empty when the tool has none.
	OutputSchema jsontext.Value `json:"outputSchema"`
	// Annotations are hints about what the tool does.
	Annotations *Annotations `json:"annotations"`
}

// Annotations are the hints of the Model Context Protocol; nil is "not said".
type Annotations struct {
	Title           string `json:"title"`
	ReadOnlyHint    *bool  `json:"readOnlyHint"`
	DestructiveHint *bool  `json:"destructiveHint"`
	IdempotentHint  *bool  `json:"idempotentHint"`
	OpenWorldHint   *bool  `json:"openWorldHint"`
}

const (
	nameBytesMax        = 64 // what the strictest clients take
	titleBytesMax       = 256
	descriptionTextsMax = 16 << 10
)

// parseDescription reads what describe returned. Unknown members are refused:
// they are typing errors more often than news from the future.
func parseDescription(raw []byte) (Description, error) {
	var d Description
	if err := json.Unmarshal(raw, &d, json.RejectUnknownMembers(true)); err != nil {
		return d, failf(ErrABI, "the description is not as docs/ABI.md has it: %v", err)
	}
	return d, d.check()
}

// check refuses a description that is incomplete or too long.
func (d *Description) check() error {
	if fault := nameFault(d.Name); fault != "" {
		return failf(ErrABI, "the description's name %q %s", clip(d.Name, nameBytesMax), fault)
	}
	switch {
	case len(d.Title) > titleBytesMax:
		return failf(ErrABI, "the title of tool %s has %d bytes, at most %d are allowed", d.Name, len(d.Title), titleBytesMax)
	case strings.TrimSpace(d.Description) == "":
		return failf(ErrABI, `tool %s has no "description": say in a sentence or two what it does, it is what a model chooses by`, d.Name)
	case len(d.Description) > descriptionTextsMax:
		return failf(ErrABI, "the description of tool %s has %d bytes, at most %d are allowed", d.Name, len(d.Description), descriptionTextsMax)
	case len(d.InputSchema) == 0:
		return failf(ErrABI, `tool %s has no "inputSchema": a tool without arguments has {"type":"object","additionalProperties":false}`, d.Name)
	}
	if fault := schemaFault(d.InputSchema); fault != "" {
		return failf(ErrABI, "the inputSchema of tool %s %s", d.Name, fault)
	}
	if len(d.OutputSchema) > 0 {
		if fault := schemaFault(d.OutputSchema); fault != "" {
			return failf(ErrABI, "the outputSchema of tool %s %s", d.Name, fault)
		}
	}
	return nil
}

// nameFault says what is wrong with a tool's name, or "".
func nameFault(name string) string {
	if name == "" {
		return "is empty"
	}
	if len(name) > nameBytesMax {
		return "is longer than 64 bytes"
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return "has characters other than A-Z a-z 0-9 _ -"
		}
	}
	return ""
}

// schemaFault checks only what the protocol asks of the root; that the schema
// is sound is for whoever validates with it.
func schemaFault(schema jsontext.Value) string {
	var root struct {
		Type jsontext.Value `json:"type"`
	}
	if schema.Kind() != '{' || json.Unmarshal(schema, &root) != nil || string(root.Type) != `"object"` {
		return `must be a JSON object with "type": "object"`
	}
	return ""
}
