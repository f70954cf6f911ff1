package sandbox

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero"
)

// Extism plug-ins that hold tools, in the two forms that hyper-mcp documents. All
// exports take nothing and return 0, or something else when they failed; their
// input and output are JSON in the kernel memory.
//
//	version 1: describe, call
//	version 2: list_tools, call_tool, and optionally list_resources,
//	           list_resource_templates, read_resource, list_prompts, get_prompt,
//	           complete
//
// docs/ABI.md has both as they are hosted here.

// extism implements abi and asker.
type extism struct {
	version int
	exports []string // those of extismMethods, in that order; version 2 only
}

// extismMethods are the exports of version 2 by the method of the Model Context
// Protocol that they serve.
var extismMethods = []struct{ method, export string }{
	{"resources/list", "list_resources"},
	{"resources/templates/list", "list_resource_templates"},
	{"resources/read", "read_resource"},
	{"prompts/list", "list_prompts"},
	{"prompts/get", "get_prompt"},
	{"completion/complete", "complete"},
}

// detectExtism finds out whether a module that imports from Extism holds tools.
func detectExtism(m wazero.CompiledModule) (abi, error) {
	exports := m.ExportedFunctions()
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return exports[name] == nil })
	}
	var e extism
	switch {
	case has("list_tools", "call_tool"):
		e.version = 2
	case has("describe", "call"):
		e.version = 1
	default:
		return nil, failf(ErrABI, "it is an Extism plug-in, but no tool: it exports neither list_tools and call_tool nor describe and call (docs/ABI.md)")
	}
	used := []string{"list_tools", "call_tool"}
	if e.version == 1 {
		used = []string{"describe", "call"}
	}
	for _, known := range extismMethods {
		if e.version == 2 && has(known.export) {
			e.exports = append(e.exports, known.export)
			used = append(used, known.export)
		}
	}
	for _, name := range used {
		f := exports[name]
		if len(f.ParamTypes()) > 0 || len(f.ResultTypes()) > 1 || len(f.ResultTypes()) == 1 && f.ResultTypes()[0] != i32 {
			return nil, failf(ErrABI, "its export %s has another signature: as an Extism function it takes nothing and returns an i32", name)
		}
	}
	return e, nil
}

// importsExtism says whether a module wants functions of Extism.
func importsExtism(m wazero.CompiledModule) bool {
	for _, f := range m.ImportedFunctions() {
		if module, _, _ := f.Import(); strings.HasPrefix(module, "extism:host/") {
			return true
		}
	}
	return false
}

func (e extism) name() string {
	if e.version == 1 {
		return "extism/1"
	}
	return "extism/2"
}

// extismPagesMax bounds how many pages of tools a plug-in may have.
const extismPagesMax = 64

func (e extism) describe(c *call) ([]Description, error) {
	if e.version == 1 {
		out, err := e.invoke(c, "describe", nil, descriptionBytesMax)
		if err != nil {
			return nil, err
		}
		tools, _, err := extismTools("describe", out)
		return tools, err
	}
	var all []Description
	cursor := ""
	for range extismPagesMax {
		request := extismRequest{Context: extismContext(c)}
		if cursor != "" {
			request.Request = mustJSON(struct {
				Cursor string `json:"cursor"`
			}{cursor})
		}
		out, err := e.invoke(c, "list_tools", mustJSON(request), descriptionBytesMax)
		if err != nil {
			return nil, err
		}
		page, next, err := extismTools("list_tools", out)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			return all, nil
		}
		cursor = next
	}
	return nil, failf(ErrABI, "list_tools has more than %d pages: the nextCursor of the last one must be absent", extismPagesMax)
}

// extismTools reads a list of tools and the cursor of the page behind it.
func extismTools(export string, raw []byte) ([]Description, string, error) {
	var list struct {
		Tools      []jsontext.Value `json:"tools"`
		NextCursor string           `json:"nextCursor"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, "", failf(ErrABI, `%s returned something else than {"tools":[…]}: %v`, export, err)
	}
	var tools []Description
	for _, tool := range list.Tools {
		var d Description
		if err := json.Unmarshal(tool, &d); err != nil { // unknown members are let pass: the protocol has more
			return nil, "", failf(ErrABI, "%s returned a tool that is not as the Model Context Protocol has it: %v", export, err)
		}
		if d.OutputSchema.Kind() == 'n' {
			d.OutputSchema = nil
		}
		if err := d.check(); err != nil {
			return nil, "", err
		}
		tools = append(tools, d)
	}
	return tools, list.NextCursor, nil
}

// extismRequest is the input of an export of version 2.
type extismRequest struct {
	Request jsontext.Value       `json:"request,omitzero"`
	Context extismRequestContext `json:"context"`
}

// extismRequestContext is what a plug-in learns about the request of the client:
// an id, and a progress token when somebody listens.
type extismRequestContext struct {
	ID   int `json:"id"`
	Meta struct {
		ProgressToken *int `json:"progressToken,omitzero"`
	} `json:"_meta"`
}

func extismContext(c *call) (context extismRequestContext) {
	if c.progress != nil {
		context.Meta.ProgressToken = new(int)
	}
	return context
}

// extismCall is a tools/call as both versions have it.
type extismCall struct {
	Name      string         `json:"name"`
	Arguments jsontext.Value `json:"arguments"`
}

func (e extism) call(c *call, tool string, args []byte) (Result, error) {
	request := mustJSON(extismCall{tool, args})
	export, input := "call_tool", []byte(nil)
	if e.version == 1 {
		export = "call"
		input = mustJSON(struct {
			Params jsontext.Value `json:"params"`
		}{request})
	} else {
		input = mustJSON(extismRequest{Request: request, Context: extismContext(c)})
	}
	out, err := e.invoke(c, export, input, c.policy.Limits.OutputBytesMax)
	if err != nil {
		return Result{}, err
	}
	if fault := resultFault("tools/call", out); fault != "" {
		return Result{}, failf(ErrABI, "%s returned a result that %s", export, fault)
	}
	return Result{MCP: out}, nil
}

// methods implements asker.
func (e extism) methods() []string {
	var all []string
	for _, known := range extismMethods {
		if slices.Contains(e.exports, known.export) {
			all = append(all, known.method)
		}
	}
	return all
}

// ask implements asker.
func (e extism) ask(c *call, method string, params []byte) ([]byte, error) {
	for _, known := range extismMethods {
		if known.method != method || !slices.Contains(e.exports, known.export) {
			continue
		}
		if method == "completion/complete" {
			params = extismReference(params)
		}
		out, err := e.invoke(c, known.export, mustJSON(extismRequest{Request: params, Context: extismContext(c)}), c.policy.Limits.OutputBytesMax)
		if err != nil {
			return nil, err
		}
		if fault := resultFault(method, out); fault != "" {
			return nil, failf(ErrABI, "%s returned a result that %s", known.export, fault)
		}
		return out, nil
	}
	return nil, failf(ErrInput, "it does not serve %s", clip(method, nameBytesMax))
}

// extismReference turns the type of what is completed, "ref/prompt" or
// "ref/resource" in the protocol, into "prompt" or "resource", as hyper-mcp does.
// Params that are something else stay as they are.
func extismReference(params []byte) []byte {
	var all, ref map[string]jsontext.Value
	var kind string
	if json.Unmarshal(params, &all) != nil || json.Unmarshal(all["ref"], &ref) != nil || json.Unmarshal(ref["type"], &kind) != nil {
		return params
	}
	ref["type"] = mustJSON(strings.TrimPrefix(kind, "ref/"))
	all["ref"] = mustJSON(ref)
	return mustJSON(all)
}

// invoke runs one export and returns its output, a JSON object.
func (e extism) invoke(c *call, export string, input []byte, outputBytesMax uint64) ([]byte, error) {
	c.extism = nil
	use := c.extismUse()
	defer func() { c.extism = nil }()
	if err := guard(func() error { use.inputAt = use.put(input); return nil }); err != nil {
		return nil, c.explain(export, err)
	}
	use.inputSize = uint64(len(input))
	code, err := c.invoke(export)
	if err != nil {
		return nil, err
	}
	if use.errorAt != 0 || uint32(code) != 0 {
		message := string(use.view(use.errorAt, use.length(use.errorAt)))
		if strings.TrimSpace(message) == "" {
			return nil, failf(ErrABI, "%s returned %d without an error message (error_set)", export, int32(code))
		}
		return nil, &GuestError{Message: clip(message, 4<<10)}
	}
	if use.outputSize > outputBytesMax {
		return nil, failf(ErrOutput, "%s returned %d bytes, at most %d are allowed: return less, or raise the output limit", export, use.outputSize, outputBytesMax)
	}
	out := bytes.Clone(use.view(use.outputAt, use.outputSize))
	if fault := objectFault(out); fault != "" {
		return nil, failf(ErrABI, "%s returned %d bytes that %s", export, len(out), fault)
	}
	return out, nil
}
