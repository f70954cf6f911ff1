package config

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/internal/yamlfile"
	"github.com/ingot-run/ingot/mcp"
)

// Bounds of tools.
const (
	toolsMax = 10_000
	// StepsMax is how many steps a pipeline may have, those inside of parallel counted.
	StepsMax = 256
)

var kinds = []string{"native", "cli", "http", "pipeline", "wasm"}

var (
	nativeTable   = table[Tool]{name: "native_tool", what: "a native tool", doc: "A tool that is a Go function, registered by its path."}
	cliTable      = table[Tool]{name: "cli_tool", what: "a cli tool", doc: "A tool that runs a program, without a shell."}
	httpTable     = table[Tool]{name: "http_tool", what: "an http tool", doc: "A tool that sends an HTTP request."}
	pipelineTable = table[Tool]{name: "pipeline_tool", what: "a pipeline tool", doc: "A tool that calls others, step by step."}
	// wasmTable has what a wasm tool has beside the keys of package grants.
	wasmTable = table[Tool]{name: "wasm_tool", what: "a wasm tool", doc: "A tool that is a WebAssembly module. It has what its capabilities say and nothing else."}

	annotationsTable = table[mcp.ToolAnnotations]{name: "annotations", what: "annotations", doc: "Hints to clients; they are not held to anything."}
	iconTable        = table[mcp.Icon]{name: "icon", what: "an icon", doc: "A picture for user interfaces."}
	handlerTable     = table[Native]{name: "handler", what: "a handler", doc: "What answers; path or function alone may also be written as a text."}
	handlerTypes     = []string{"native"}
)

func toolTables() {
	annotationsTable.fields = []field[mcp.ToolAnnotations]{
		{name: "title", doc: "What people call the tool.", value: text(func(a *mcp.ToolAnnotations) *string { return &a.Title })},
		hint("read_only", "readOnlyHint", "The tool changes nothing.", func(a *mcp.ToolAnnotations) **bool { return &a.ReadOnlyHint }),
		hint("destructive", "destructiveHint", "The tool may destroy what is there.", func(a *mcp.ToolAnnotations) **bool { return &a.DestructiveHint }),
		hint("idempotent", "idempotentHint", "A second call with the same arguments changes nothing more.", func(a *mcp.ToolAnnotations) **bool { return &a.IdempotentHint }),
		hint("open_world", "openWorldHint", "The tool reaches things outside of the server.", func(a *mcp.ToolAnnotations) **bool { return &a.OpenWorldHint }),
	}
	annotationsTable.ready()
	iconTable.fields = []field[mcp.Icon]{
		{name: "src", required: true, doc: "An https or data URL.", value: iconSource()},
		{name: "mime_type", doc: "The picture's media type.", value: text(func(i *mcp.Icon) *string { return &i.MIMEType })},
		{name: "sizes", doc: "Sizes such as 48x48, or any.", value: texts(func(i *mcp.Icon) *[]string { return &i.Sizes })},
		{name: "theme", doc: "The background that it is made for.", value: choice([]string{"light", "dark"}, func(i *mcp.Icon, w string) { i.Theme = w })},
	}
	iconTable.ready()
	handlerTable.fields = []field[Native]{
		{name: "type", doc: "Always native.", value: choice(handlerTypes, func(*Native, string) {})},
		{name: "path", others: []string{"function"}, doc: "The name that the Go function is registered under.", value: text(func(h *Native) *string { return &h.Path })},
		{name: "inline", doc: "An expression over the parameters, whose value is the answer, in place of a function.", value: source(func(h *Native) *string { return &h.Inline })},
	}
	handlerTable.ready()
	kindTables()
}

func kindTables() {
	common := commonFields()
	paramsField := field[Tool]{name: "params", doc: "What a call takes. Arguments are checked against it. Without it a native tool takes what its Go function has fields for.", value: params(func(t *Tool) *[]Param { return &t.Params }, "params", "")}
	timeouts := []field[Tool]{
		{name: "timeout", same: "timeout_ms", doc: "How long a call may take. A cli tool that says nothing has 5m, an http tool 30s.", value: duration(func(t *Tool) *time.Duration { return &t.Timeout })},
		{name: "timeout_ms", same: "timeout", doc: "How long a call may take, in milliseconds.", value: units(time.Millisecond, func(t *Tool) *time.Duration { return &t.Timeout })},
	}
	all := func(own ...field[Tool]) []field[Tool] {
		return append(append(append(append([]field[Tool]{}, common...), timeouts...), paramsField, toolState()), own...)
	}
	nativeTable.fields = all(field[Tool]{name: "handler", required: true, doc: "The function that answers.", value: handler(func(t *Tool, h *Native) { t.Native = h })})
	cliTable.fields = all(cliFields()...)
	httpTable.fields = append(all(toolHTTPFields()...), resilienceFields()...)
	pipelineTable.fields = all(
		field[Tool]{name: "steps", required: true, doc: "What is called, in order.", value: many(&stepTable, StepsMax, func(t *Tool) *[]Step { return &t.Pipeline.Steps }, (*loader).step)},
		field[Tool]{name: "output", doc: "What the pipeline answers: any value, whose texts are templates over the variables. Without it, what the last step answered.", value: ofTemplates(anything(func(t *Tool) *rawJSON { return &t.Pipeline.Output }))},
	)
	wasmTable.fields = common[len(common)-1:] // middleware: the rest is for the module to say
	for _, t := range []*table[Tool]{&nativeTable, &cliTable, &httpTable, &pipelineTable, &wasmTable} {
		t.ready()
	}
}

// commonFields are the keys of each tool: type and name first.
func commonFields() []field[Tool] {
	return []field[Tool]{
		{name: "type", doc: "What answers the calls.", value: value[Tool]{form: choice[Tool](kinds, nil).form}},
		{name: "name", required: true, lenient: true, doc: "The name that clients call: 1 to 128 of A-Z a-z 0-9 _ - and the dot.", value: text(func(t *Tool) *string { return &t.Name })},
		{name: "title", doc: "What people call the tool.", value: text(func(t *Tool) *string { return &t.Title })},
		{name: "description", doc: "What the tool does and when to use it; models read it.", value: text(func(t *Tool) *string { return &t.Description })},
		{name: "annotations", doc: "Hints to clients.", value: one(&annotationsTable, func(t *Tool, a *mcp.ToolAnnotations) { t.Annotations = a }, noPlace, mcp.ToolAnnotations{})},
		{name: "icons", doc: "Pictures of the tool.", value: many(&iconTable, 16, func(t *Tool) *[]mcp.Icon { return &t.Icons }, func(l *loader, n *node, i *mcp.Icon) { iconTable.read(l, n, i, nil) })},
		{name: "output_schema", others: []string{"outputSchema"}, doc: "The JSON Schema of structured answers.", value: jsonSchema(func(t *Tool) *rawJSON { return &t.OutputSchema })},
		{name: "middleware", doc: "What stands around this tool, inside of the file's own middleware.", value: middlewares(func(t *Tool) *[]Middleware { return &t.Middleware })},
	}
}

func cliFields() []field[Tool] {
	return []field[Tool]{
		{name: "command", required: true, doc: "The program: a name that is found in PATH, or a path; one with a slash is relative to the file.", value: command()},
		{name: "args", doc: "Its arguments, templates. One that is a single {{param}} of type array gives an argument for each element.", value: ofTemplates(texts(func(t *Tool) *[]string { return &t.CLI.Args }))},
		{name: "cwd", doc: "The working directory.", value: plainPath(func(t *Tool) *string { return &t.CLI.Cwd })},
		{name: "env", doc: "Variables with their values, which are templates; or a list of names, as pass_env.", value: ofTemplates(cliEnv())},
		{name: "pass_env", doc: "Names of the server's variables that the program gets. It gets no other, but for PATH.", value: variableNames(func(t *Tool) *[]string { return &t.CLI.PassEnv })},
		{name: "stream", byDef: "false", doc: "Send the output as progress while the program runs.", value: boolean(func(t *Tool, b bool) { t.CLI.Stream = b })},
		{name: "output_max", byDef: "1MiB", doc: "The longest output that is read, of stdout and of stderr.", value: size(func(t *Tool) *uint64 { return &t.CLI.OutputBytesMax })},
		{name: "success_codes", byDef: "[0]", doc: "The exit codes of a success.", value: exitCodes()},
	}
}

func hint(name, other, doc string, get func(*mcp.ToolAnnotations) **bool) field[mcp.ToolAnnotations] {
	return field[mcp.ToolAnnotations]{name: name, others: []string{other}, doc: doc, value: boolean(func(a *mcp.ToolAnnotations, b bool) { *get(a) = &b })}
}

func noPlace[T any](*T) *Place { return nil }

func iconSource() value[mcp.Icon] {
	v := text(func(i *mcp.Icon) *string { return &i.Source })
	read := v.read
	v.read = func(l *loader, n *node, i *mcp.Icon, what string) {
		before := l.Faults()
		read(l, n, i, what)
		if l.Faults() > before {
			return
		}
		if u, err := url.Parse(i.Source); err != nil || u.Scheme != "https" && u.Scheme != "data" {
			l.Fault(n, "an icon's src is an https or data URL")
		}
	}
	return v
}

// handler reads a mapping, or the path alone.
func handler[T any](set func(*T, *Native)) value[T] {
	f := form{human: "text, or mapping", schema: map[string]any{"anyOf": []any{map[string]any{"type": "string"}, ref("handler")}}, uses: []described{&handlerTable}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		h := &Native{}
		set(to, h)
		before := l.Faults()
		if l.IsMapping(n) {
			handlerTable.read(l, n, h, nil)
		} else {
			h.Path, _ = l.text(n, what)
		}
		if l.Faults() == before && (h.Path == "") == (h.Inline == "") {
			l.Fault(n, "a handler has a path (the name of a Go function) or an inline expression: one of the two")
		}
	}}
}

func command() value[Tool] {
	v := text(func(t *Tool) *string { return &t.CLI.Command })
	read := v.read
	v.read = func(l *loader, n *node, t *Tool, what string) {
		before := l.Faults()
		read(l, n, t, what)
		switch c := t.CLI.Command; {
		case l.Faults() > before:
		case c == "":
			l.Fault(n, "command is empty")
		case strings.Contains(c, "{{"):
			l.Fault(n, "command has no placeholders: a caller must not choose the program; write them in args")
		case strings.ContainsAny(c, " \t\n") && !strings.Contains(c, "/"):
			l.Fault(n, "command is the program alone, no shell reads it: write the rest in args, as command: %s and args: [%s]", strings.Fields(c)[0], strings.Join(strings.Fields(c)[1:], ", "))
		case strings.Contains(c, "/"):
			l.Path(what, &t.CLI.Command)(n)
		}
	}
	return v
}

// plainPath is a path that no caller has a say in.
func plainPath(get func(*Tool) *string) value[Tool] {
	v := path(get)
	read := v.read
	v.read = func(l *loader, n *node, t *Tool, what string) {
		if x := l.Resolve(n); x != nil && strings.Contains(x.Value, "{{") {
			l.Fault(n, "%s has no placeholders: a caller must not choose where the program runs; give the path as an argument", what)
			return
		}
		read(l, n, t, what)
	}
	return v
}

func variableNames(get func(*Tool) *[]string) value[Tool] {
	v := texts(get)
	v.form.human = "list of names"
	read := v.read
	v.read = func(l *loader, n *node, t *Tool, what string) {
		read(l, n, t, what)
		for _, name := range *get(t) {
			if !yamlfile.IsVariable(name) && name != "" {
				l.Fault(n, "%q in %s is no name of a variable: letters, digits and _, no digit first; one with a value is written as env: {NAME: value}", name, what)
			}
		}
	}
	return v
}

// cliEnv reads values by name, or a list of names.
func cliEnv() value[Tool] {
	values, names := textMap(func(t *Tool) *map[string]string { return &t.CLI.Env }), variableNames(func(t *Tool) *[]string { return &t.CLI.PassEnv })
	f := form{human: "templates by name, or list of names", schema: map[string]any{"anyOf": []any{values.form.schema, names.form.schema}}}
	return value[Tool]{f, func(l *loader, n *node, t *Tool, what string) {
		if l.IsList(n) {
			names.read(l, n, t, what)
			return
		}
		values.read(l, n, t, what)
		for name := range t.CLI.Env {
			if !yamlfile.IsVariable(name) {
				l.Fault(n, "%q in env is no name of a variable: letters, digits and _, no digit first", name)
			}
		}
	}}
}

func exitCodes() value[Tool] {
	f := form{human: "list of exit codes", schema: map[string]any{"type": "array", "items": map[string]any{"type": "integer", "minimum": 0, "maximum": 255}}}
	return value[Tool]{f, func(l *loader, n *node, t *Tool, what string) {
		t.CLI.SuccessCodes = nil
		if !l.bounded(n, what, 256) {
			return
		}
		l.List(n, what, func(n *node) {
			l.Count("an exit code", 0, 255, func(v uint64) { t.CLI.SuccessCodes = append(t.CLI.SuccessCodes, int(v)) })(n)
		})
	}}
}

// jsonSchema reads a JSON Schema of objects and compiles it.
func jsonSchema[T any](get func(*T) *rawJSON) value[T] {
	return value[T]{form{human: "JSON Schema", schema: map[string]any{"type": "object"}}, func(l *loader, n *node, to *T, what string) {
		if !l.IsMapping(n) {
			l.Fault(n, "%s is a JSON Schema, as {type: object, properties: {…}}", what)
			return
		}
		source := l.JSON(n, what, nil)
		if source == nil {
			return
		}
		if len(source) > schema.SchemaBytesMax {
			l.Fault(n, "%s has %d bytes, at most %d are read", what, len(source), schema.SchemaBytesMax)
			return
		}
		var root struct {
			Type json.RawMessage `json:"type"`
		}
		if json.Unmarshal(source, &root) != nil || string(root.Type) != `"object"` {
			l.Fault(n, "%s lacks type: object, which structured values are", what)
			return
		}
		if _, err := compile(source); err != nil {
			l.Fault(n, "%s is no JSON Schema: %s", what, schemaFaults(err))
			return
		}
		*get(to) = source
	}}
}

// schemaFaults are the lines of a compiler's error that say what is wrong: the rest
// says which parts of the meta-schema that breaks.
func schemaFaults(err error) string {
	var faults []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimLeft(strings.TrimSpace(line), "- ")
		if !strings.HasSuffix(line, "failed") && !strings.Contains(line, "metaschema") {
			faults = append(faults, line)
		}
	}
	if len(faults) == 0 {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	return strings.Join(faults, "; ")
}

// tool reads one entry of tools.
func (l *loader) tool(n *node, t *Tool) {
	before := l.Faults()
	l.readTool(n, t)
	t.broken = l.Faults() > before
	if t.broken && t.Name == "" {
		l.incomplete = true
	}
}

func (l *loader) readTool(n *node, t *Tool) {
	kind, ok := l.kindOf(n)
	if !ok {
		return
	}
	t.Kind = kind
	l.modules = l.modules || kind == KindWasm
	switch kind {
	case KindNative:
		nativeTable.read(l, n, t, &t.Place)
	case KindCLI:
		t.CLI = &CLI{OutputBytesMax: 1 << 20, SuccessCodes: []int{0}}
		cliTable.read(l, n, t, &t.Place)
	case KindHTTP:
		t.HTTP = &HTTP{ResponseBytesMax: 8 << 20}
		httpTable.read(l, n, t, &t.Place)
		t.desugar()
	case KindPipeline:
		t.Pipeline = &Pipeline{}
		pipelineTable.read(l, n, t, &t.Place)
	case KindWasm:
		w := grants.Entry(l.Reader, n, &t.Place, append(wasmTable.keys(l, t), l.ofModules()...))
		t.Wasm, t.Name, t.Timeout = &w, w.Name, w.Policy.Limits.TimeMax
	}
	switch {
	case t.Place.Has("name"):
		l.toolName(t)
	case kind != KindWasm && !t.Hidden:
		l.Lacks(n, "a tool", "name")
	}
}

// ofModules are the keys of other tools that a module decides: each is a fault.
func (l *loader) ofModules() (all []yamlfile.Key) {
	for _, name := range []string{"title", "description", "annotations", "icons", "params", "output_schema", "outputSchema"} {
		all = append(all, yamlfile.Key{Name: name, Read: func(n *node) {
			l.Fault(n, "the module says itself what its %s is: leave it out", name)
		}})
	}
	return all
}

// toolName checks a name as MCP asks (server/tools, "Tool Names").
func (l *loader) toolName(t *Tool) {
	if t.Name == "" || len(t.Name) > nameBytesMax {
		l.Note(t.At("name"), "a tool's name has 1 to %d characters", nameBytesMax)
		return
	}
	for _, c := range t.Name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			l.Note(t.At("name"), "the tool's name %q has %q in it: a name is made of A-Z a-z 0-9 _ - and the dot", t.Name, c)
			return
		}
	}
}

// kindOf is the type of a tool. One with a handler may leave it out: it is native.
func (l *loader) kindOf(n *node) (Kind, bool) {
	if !l.IsMapping(n) {
		l.Members(n, "a tool", nil, func(_, _ *node) {})
		return "", false
	}
	guess := ""
	content := l.Resolve(n).Content
	for i := 0; i+1 < len(content); i += 2 {
		switch content[i].Value {
		case "type":
			kind, ok := Kind(""), false
			l.Choice("the type of a tool", kinds, func(i int) { kind, ok = Kind(kinds[i]), true })(content[i+1])
			return kind, ok
		case "handler":
			guess = "native"
		case "command":
			guess = "cli"
		case "endpoint":
			guess = "http"
		case "steps":
			guess = "pipeline"
		case "module":
			guess = "wasm"
		}
	}
	switch guess {
	case "native":
		return KindNative, true
	case "":
		l.Fault(n, `a tool lacks the key "type": it has to be %s`, yamlfile.OrList(kinds))
	default:
		l.Fault(n, `a tool lacks the key "type": by its other keys, type: %s is meant`, guess)
	}
	return "", false
}
