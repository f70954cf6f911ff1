package mcp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Tool describes one tool. Name is the only required field.
type Tool struct {
	// Name is 1 to 128 of the characters A-Z a-z 0-9 _ - . as the
	// specification asks (server/tools, "Tool Names").
	Name        string
	Title       string // for people
	Description string // for the model

	// InputSchema is a JSON Schema (2020-12 unless it names another) whose
	// root has "type": "object". Empty means any object.
	InputSchema []byte
	// OutputSchema, when given, is a JSON Schema whose root has
	// "type": "object"; results then carry Structured that conforms to it.
	OutputSchema []byte

	Annotations *ToolAnnotations

	// Inline says that a call takes microseconds and never waits: it then runs
	// on the goroutine that reads the connection, and cannot be cancelled.
	Inline bool
	// Validate, when not nil, is given the arguments before the handler. Its
	// error becomes an isError result.
	Validate func(args []byte) error
	// Timeout, when positive, is the time after which a call's context ends.
	// The handler has to heed its context.
	Timeout time.Duration
}

// ToolAnnotations are hints to the client (server/tools, "Tool"); nil is the
// specification's default for that hint.
type ToolAnnotations struct {
	Title           string `json:"title,omitzero"`
	ReadOnlyHint    *bool  `json:"readOnlyHint,omitzero"`    // default false
	DestructiveHint *bool  `json:"destructiveHint,omitzero"` // default true
	IdempotentHint  *bool  `json:"idempotentHint,omitzero"`  // default false
	OpenWorldHint   *bool  `json:"openWorldHint,omitzero"`   // default true
}

// CallRequest is one call of a tool. It and its slices are valid only until
// the handler returns: copy what outlives the call.
type CallRequest struct {
	Name      string // the tool's name
	Arguments []byte // a JSON object, checked for syntax; {} when the client sent none
	Meta      []byte // the request's _meta object as sent; nil when there was none

	// ProtocolVersion is the version this request is served by.
	ProtocolVersion string

	handle
}

// CallResult is what a call gives back. The server does not change it.
type CallResult struct {
	Content    []Content
	Structured []byte // a JSON object, or nil
	IsError    bool   // the tool failed in a way the model should read of
}

// Handler runs one call. Its error becomes an isError result with the error's
// text (an [*ArgumentError] names the argument); a panic is answered with
// -32603 and logged. It must be safe for concurrent use, and should return
// soon after ctx ends.
type Handler func(ctx context.Context, req *CallRequest) (*CallResult, error)

// tool is a registered tool with everything that does not change per call.
type tool struct {
	Tool
	handler Handler
	listing []byte // its entry in tools/list, without line breaks
}

// newTool checks t and prepares its listing. Errors are the programmer's.
func newTool(t Tool, h Handler) (*tool, error) {
	if err := checkToolName(t.Name); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, fmt.Errorf("tool %q has no handler", t.Name)
	}
	if len(t.InputSchema) == 0 {
		t.InputSchema = []byte(`{"type":"object"}`)
	}
	input, err := compactSchema(t.InputSchema)
	if err != nil {
		return nil, fmt.Errorf("tool %q: InputSchema: %w", t.Name, err)
	}
	entry := toolEntry{Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: input}
	if len(t.OutputSchema) > 0 {
		if entry.OutputSchema, err = compactSchema(t.OutputSchema); err != nil {
			return nil, fmt.Errorf("tool %q: OutputSchema: %w", t.Name, err)
		}
	}
	if t.Annotations != nil {
		copied := *t.Annotations
		t.Annotations = &copied
		entry.Annotations = t.Annotations
	}
	listing, err := json.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("tool %q: encoding its listing: %w", t.Name, err)
	}
	return &tool{Tool: t, handler: h, listing: listing}, nil
}

// toolEntry is the wire form of a tool in tools/list.
type toolEntry struct {
	Name         string           `json:"name"`
	Title        string           `json:"title,omitzero"`
	Description  string           `json:"description,omitzero"`
	InputSchema  jsontext.Value   `json:"inputSchema"`
	OutputSchema jsontext.Value   `json:"outputSchema,omitzero"`
	Annotations  *ToolAnnotations `json:"annotations,omitzero"`
}

// toolNameLengthMax is the specification's bound (server/tools, "Tool Names").
const toolNameLengthMax = 128

func checkToolName(name string) error {
	if name == "" || len(name) > toolNameLengthMax {
		return fmt.Errorf("tool name %q has %d characters; 1 to %d are allowed", name, len(name), toolNameLengthMax)
	}
	for _, r := range name {
		if r > 'z' || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", r) {
			return fmt.Errorf("tool name %q has a %q; only A-Z a-z 0-9 _ - . are allowed", name, r)
		}
	}
	return nil
}

// compactSchema returns schema without line breaks when its root is an object
// schema, which both eras require for arguments and the legacy one for results.
func compactSchema(schema []byte) (jsontext.Value, error) {
	v := jsontext.Value(schema).Clone()
	if err := v.Compact(); err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	var root struct {
		Type any `json:"type"`
	}
	if v.Kind() != '{' {
		return nil, fmt.Errorf("a schema is a JSON object, not %s", v.Kind())
	}
	if err := json.Unmarshal(v, &root); err != nil {
		return nil, fmt.Errorf("reading its type: %w", err)
	}
	if root.Type != "object" {
		return nil, fmt.Errorf(`its root must have "type": "object"`)
	}
	return v, nil
}
