package mcp

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
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
	// OutputSchema, when given, is a JSON Schema; results then carry Structured
	// that conforms to it. Legacy clients are shown it, and are sent Structured,
	// only when its root has "type": "object".
	OutputSchema []byte

	Annotations *ToolAnnotations
	Icons       []Icon

	// Inline says that a call takes microseconds and never waits: it then runs
	// on the goroutine that reads the connection, and cannot be cancelled. A
	// tool that turns out to take milliseconds is run on workers after a while.
	Inline bool
	// Task says whether a call may become a task; see [Call.StartTask].
	Task TaskMode
	// Validate, when not nil, is given the arguments before the handler. Its
	// error becomes an isError result.
	Validate func(args []byte) error
	// SelfChecked says that the handler checks its arguments, as
	// [CallRequest.Decode] does, and that its results fit the OutputSchema by the
	// way they are made: Options.CompileSchema is not applied.
	SelfChecked bool
	// Timeout, when positive, is the time after which a call's context ends.
	// The handler has to heed its context.
	Timeout time.Duration

	ownInput, ownOutput bool // the schema is that of a Go type
}

// ToolAnnotations are hints to the client (server/tools, "Tool"); nil is the
// specification's default for that hint.
type ToolAnnotations struct {
	Title           string
	ReadOnlyHint    *bool // default false
	DestructiveHint *bool // default true
	IdempotentHint  *bool // default false
	OpenWorldHint   *bool // default true
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
	text textResult // of Text
}

// textResult is a result with one text block.
type textResult struct {
	CallResult
	only [1]Content
}

func (t *textResult) set(text string) *CallResult {
	t.only[0] = Content{Type: ContentText, Text: text}
	t.CallResult = CallResult{Content: t.only[:]}
	return &t.CallResult
}

// Text is [TextResult] in the request's own memory, for a handler that runs often:
// the result is good as this call's only, and not after the handler has returned
// it. (A wrapper that keeps results copies it.)
func (r *CallRequest) Text(text string) *CallResult { return r.text.set(text) }

// Call returns the handle of this call: what to report progress with, log to
// the client, and ask it. Get it from the handler's own goroutine; it may then
// be used from any.
func (r *CallRequest) Call() *Call { return r.open() }

// CallResult is what a call gives back. The server does not change it.
type CallResult struct {
	Content    []Content
	Structured []byte // a JSON text, an object unless all clients are modern; or nil
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
	// listingLegacy is listing without an OutputSchema whose root is no object,
	// which the legacy era does not know.
	listingLegacy []byte
	listingTasks  []byte                      // listingLegacy with what the version with tasks adds
	checkOutput   func(document []byte) error // nil: not checked

	slow    atomic.Int32 // see clock
	demoted atomic.Bool  // not run inline any more
}

func (t *tool) key() string { return t.Name }

func (t *tool) listed(version string) []byte {
	switch version {
	case VersionModern:
		return t.listing
	case versionTasks:
		return t.listingTasks
	}
	return t.listingLegacy
}

// newTool checks t and prepares its listing. Errors are the programmer's.
func newTool(t Tool, h Handler, o *Options) (*tool, error) {
	if err := checkName(t.Name); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, newError("tool " + quote(t.Name) + " has no handler")
	}
	if t.Inline && t.Task.kind != nil {
		return nil, newError("tool " + quote(t.Name) + ": an Inline tool cannot become a task")
	}
	for _, text := range []string{t.Title, t.Description} {
		if !utf8.ValidString(text) {
			return nil, newError("tool " + quote(t.Name) + ": its Title and Description must be UTF-8")
		}
	}
	if len(t.InputSchema) == 0 {
		t.InputSchema = []byte(`{"type":"object"}`)
	}
	input, isObject, err := readSchema(t.InputSchema)
	if err == nil && !isObject {
		err = newError(`its root must have "type": "object"`)
	}
	if err != nil {
		return nil, wrap("tool "+quote(t.Name)+": InputSchema: ", err)
	}
	compile := o.CompileSchema
	if t.SelfChecked {
		compile = nil
	}
	if compile != nil && t.Validate == nil && !t.ownInput {
		if t.Validate, err = compile(input); err != nil {
			return nil, wrap("tool "+quote(t.Name)+": InputSchema: ", err)
		}
	}
	made := &tool{Tool: t, handler: h}
	if o.WrapTool != nil {
		made.handler = o.WrapTool(t, h)
	}
	made.InputSchema = input
	out := appendString([]byte(`{"name":`), t.Name)
	out = appendOptional(out, "title", t.Title)
	out = appendOptional(out, "description", t.Description)
	out = add(add(out, `,"inputSchema":`), input)
	legacy := out
	if len(t.OutputSchema) > 0 {
		output, isObject, err := readSchema(t.OutputSchema)
		if err != nil {
			return nil, wrap("tool "+quote(t.Name)+": OutputSchema: ", err)
		}
		made.OutputSchema = output
		if compile != nil && !t.ownOutput {
			if made.checkOutput, err = compile(output); err != nil {
				return nil, wrap("tool "+quote(t.Name)+": OutputSchema: ", err)
			}
		}
		out = add(add(slices.Clip(out), `,"outputSchema":`), output)
		if isObject {
			legacy = out
		}
	}
	rest := appendIcons(t.Annotations.appendTo(nil), t.Icons)
	made.listing = addByte(add(slices.Clip(out), rest), '}')
	made.listingLegacy = addByte(add(slices.Clip(legacy), rest), '}')
	made.listingTasks = made.listingLegacy
	if t.Task.kind != nil {
		made.listingTasks = add(slices.Clip(made.listingLegacy[:len(made.listingLegacy)-1]), t.Task.kind.listing)
	}
	return made, nil
}

// appendTo appends the member annotations with a leading comma.
func (a *ToolAnnotations) appendTo(dst []byte) []byte {
	if a == nil {
		return dst
	}
	dst = add(dst, `,"annotations":{`)
	from := len(dst)
	if a.Title != "" {
		dst = appendString(add(dst, `"title":`), a.Title)
	}
	for _, hint := range [...]struct {
		name  string
		value *bool
	}{
		{"readOnlyHint", a.ReadOnlyHint}, {"destructiveHint", a.DestructiveHint},
		{"idempotentHint", a.IdempotentHint}, {"openWorldHint", a.OpenWorldHint},
	} {
		if hint.value != nil {
			dst = addByte(appendString(appendComma(dst, from), hint.name), ':')
			dst = strconv.AppendBool(dst, *hint.value)
		}
	}
	return addByte(dst, '}')
}

// nameLengthMax is the specification's bound on tools' names (server/tools,
// "Tool Names"); prompts have the same here.
const nameLengthMax = 128

func checkName(name string) error {
	if name == "" || len(name) > nameLengthMax {
		return newError("the name " + quote(shown([]byte(name))) + " has " + itoa(len(name)) + " characters; 1 to " + itoa(nameLengthMax) + " are allowed")
	}
	for _, r := range name {
		if r > 'z' || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", r) {
			return newError("the name " + quote(name) + " has a " + strconv.QuoteRune(r) + "; only A-Z a-z 0-9 _ - . are allowed")
		}
	}
	return nil
}

// readSchema returns a copy of schema without line breaks, and whether its root
// has "type": "object".
func readSchema(schema []byte) (raw []byte, isObject bool, err error) {
	raw, err = oneLineObject(schema, "")
	if err != nil {
		return nil, false, err
	}
	raw = bytes.TrimSpace(raw)
	for name, value := range membersOf(raw) {
		if name == "type" && string(value) == `"object"` {
			isObject = true
		}
	}
	return raw, isObject, nil
}
