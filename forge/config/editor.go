package config

import (
	"encoding/json"
	"maps"
	"slices"
)

// EditorSchema is the JSON Schema (2020-12) of a forge.yaml, for editors that complete
// and check as one types. It is less strict than [Load]: it knows nothing of what spans
// keys, nor of templates and variables.
func EditorSchema() []byte {
	defs := map[string]any{}
	for _, d := range descriptions() {
		defs[d.name] = objectSchema(d)
	}
	defs["tool"] = anyOf("native_tool", "cli_tool", "http_tool", "pipeline_tool", "wasm_tool")
	kinds := make([]string, len(middlewareTypes))
	for i, t := range middlewareTypes {
		kinds[i] = "middleware_" + t
	}
	defs["middleware"] = anyOf(kinds...)
	root := maps.Clone(defs["file"].(map[string]any))
	delete(defs, "file")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "forge.yaml"
	root["$defs"] = defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of texts and numbers
	}
	return append(out, '\n')
}

func anyOf(names ...string) map[string]any {
	refs := make([]any, len(names))
	for i, n := range names {
		refs[i] = ref(n)
	}
	return map[string]any{"anyOf": refs}
}

func objectSchema(d description) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, k := range d.keys {
		for _, name := range append([]string{k.name}, k.others...) {
			p := maps.Clone(k.form.schema)
			if p == nil {
				p = map[string]any{}
			}
			p = orVariable(p)
			p["description"] = k.doc
			if name != k.name {
				p["description"] = "Another name of " + k.name + ". " + k.doc
			}
			properties[name] = p
		}
		if k.required && len(k.others) == 0 {
			required = append(required, k.name)
		}
	}
	s := map[string]any{"type": "object", "description": d.doc, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// orVariable lets a value that is no text be "${NAME}", too.
func orVariable(p map[string]any) map[string]any {
	types, _ := p["type"].([]any)
	_, isEnum := p["enum"]
	if p["type"] != "integer" && !isEnum && !slices.Contains(types, any("boolean")) && !slices.Contains(types, any("number")) {
		return p
	}
	return map[string]any{"anyOf": []any{p, map[string]any{"type": "string", "pattern": `\$\{`}}}
}

// descriptions are all tables, in the order in which they are met from the file on.
func descriptions() (all []description) {
	seen := map[string]bool{}
	var visit func(d description)
	visit = func(d description) {
		if seen[d.name] {
			return
		}
		seen[d.name] = true
		all = append(all, d)
		at := len(all) - 1
		for i, k := range d.keys {
			if k.name == "type" && kindOfTable[d.name] != "" { // a tool's own kind
				d.keys[i].form = form{human: string(kindOfTable[d.name]), schema: map[string]any{"const": kindOfTable[d.name]}}
			}
			for _, used := range k.form.uses {
				visit(used.describe())
			}
		}
		all[at] = d
	}
	visit(topTable.describe())
	for _, kind := range middlewareTypes {
		visit(middlewareTables[kind].describe())
	}
	return all
}

var kindOfTable = map[string]Kind{
	nativeTable.name: KindNative, cliTable.name: KindCLI, httpTable.name: KindHTTP, pipelineTable.name: KindPipeline, wasmTable.name: KindWasm,
}

// documented is a table that another package reads: keys with their descriptions.
type documented description

func (d *documented) describe() description {
	return description{d.name, d.doc, slices.Clone(d.keys)}
}

func key(name, doc, byDef string, f form) keyDescription {
	return keyDescription{name: name, doc: doc, byDef: byDef, form: f}
}

func required(k keyDescription) keyDescription {
	k.required = true
	return k
}

func textForm() form  { return scalarForm("text", "string", "number", "boolean") }
func pathForm() form  { return scalarForm("path, relative to the file", "string") }
func sizeForm() form  { return scalarForm("size, as 64MiB", "string", "integer") }
func spanForm() form  { return scalarForm("duration, as 1m30s", "string") }
func countForm() form { return scalarForm("whole number", "integer") }

func listForm(d *documented) form {
	return form{"list of mappings", map[string]any{"type": "array", "items": ref(d.name)}, []described{d}}
}

func mapForm(d *documented) form { return form{"mapping", ref(d.name), []described{d}} }

// What package grants reads. A test holds these keys against its own.
var (
	stateGrant = documented{"state_grant", "Keys of the state that a module may use.", []keyDescription{
		required(key("prefix", "What the keys begin with.", "", textForm())),
		key("access", "Whether it may write too.", "read", choice[Tool]([]string{"read", "read-write"}, nil).form),
		key("bytes", "How many bytes it may keep there.", "", sizeForm()),
		key("ops", "How many operations a call may do.", "", countForm()),
	}}
	fileGrant = documented{"file_grant", "A folder that a module may use.", []keyDescription{
		required(key("path", "Where the module sees it.", "", textForm())),
		required(key("root", "The folder.", "", pathForm())),
		key("access", "Whether it may write too.", "read", choice[Tool]([]string{"read", "read-write"}, nil).form),
		key("bytes", "How many bytes it may write.", "", sizeForm()),
	}}
	httpGrant = documented{"http_grant", "A host that a module may send requests to.", []keyDescription{
		required(key("host", "A name, *.name, or an address; :port may stand behind it.", "", textForm())),
		key("methods", "The methods.", "[GET, HEAD]", texts(func(t *Tool) *[]string { return nil }).form),
		key("private", "The host may be this machine or on a private network.", "false", boolean(func(*Tool, bool) {}).form),
		key("headers", "Names of headers that the module may set beside the usual ones.", "", texts(func(t *Tool) *[]string { return nil }).form),
	}}
	limitsKeys = documented{"limits", "Bounds of a module. docs/SECURITY.md has the defaults.", []keyDescription{
		key("module", "The longest module.", "", sizeForm()),
		key("compile_work", "How much work compiling it may be.", "", countForm()),
		key("memory", "The memory of an instance.", "", sizeForm()),
		key("table_elements", "The elements of its tables.", "", countForm()),
		key("fuel", "The work that a call may do.", "", countForm()),
		key("input", "The longest arguments.", "", sizeForm()),
		key("stdin", "The longest standard input.", "", sizeForm()),
		key("output", "The longest answer.", "", sizeForm()),
		key("log_bytes", "What a call may log, in bytes.", "", sizeForm()),
		key("log_lines", "What a call may log, in lines.", "", countForm()),
		key("load_time", "How long loading may take.", "", spanForm()),
		key("concurrency", "How many calls run at once.", "", countForm()),
		key("queue", "How many calls wait.", "", countForm()),
		key("ready_instances", "How many instances are made before a call needs one.", "", countForm()),
		key("idle_instances", "How many instances are kept for later calls.", "", countForm()),
		key("idle_time", "How long they are kept.", "", spanForm()),
		key("open_files", "How many files may be open.", "", countForm()),
		key("http_requests", "How many requests a call may send.", "", countForm()),
		key("http_request_bytes", "The longest request.", "", sizeForm()),
		key("http_response_bytes", "The longest answer to a request.", "", sizeForm()),
		key("http_time", "How long a request may take.", "", spanForm()),
	}}
	capabilityKeys = documented{"capabilities", "What a module may use: nothing that is not written.", []keyDescription{
		key("state", "Keys of the state that it may use.", "", listForm(&stateGrant)),
		key("files", "Folders that it may use.", "", listForm(&fileGrant)),
		key("http", "Hosts that it may send requests to.", "", listForm(&httpGrant)),
		key("env", "Names of variables that are passed on, or variables with values.", "", form{human: "list of names, or texts by name", schema: map[string]any{"type": []any{"array", "object"}}}),
		key("clock", "The time that it sees.", "virtual", choice[Tool]([]string{"virtual", "real"}, nil).form),
		key("random", "Where its chance comes from: os, or {seed: some text}.", "", form{human: "os, or a mapping with a seed", schema: map[string]any{"type": []any{"string", "object"}}}),
		key("limits", "Bounds of the module.", "", mapForm(&limitsKeys)),
	}}
	wasmKeys = []keyDescription{
		required(key("type", "Always wasm.", "", form{human: "wasm", schema: map[string]any{"const": "wasm"}})),
		key("name", "What metrics and status call the module, which names its tools itself; its path otherwise.", "", textForm()),
		required(key("module", "The module's file.", "", pathForm())),
		key("sha256", "The hash that the file has to have.", "", textForm()),
		key("public_key", "The key that has to have signed it: ed25519:BASE64, or a file.", "", textForm()),
		key("signature", "The file of the signature.", "the module's name with .sig", pathForm()),
		key("isolation", "Who shares an instance.", "call", choice[Tool]([]string{"call", "session", "shared"}, nil).form),
		key("timeout", "How long a call may take.", "", spanForm()),
		key("timeout_ms", "How long a call may take, in milliseconds.", "", countForm()),
		key("config", "What Extism guests read.", "", textMap(func(t *Tool) *map[string]string { return nil }).form),
		key("capabilities", "What it may use.", "", mapForm(&capabilityKeys)),
	}
)

// wasmDescribed is wasmTable with the keys of package grants.
type wasmDescribed struct{}

func (wasmDescribed) describe() description {
	d := wasmTable.describe()
	d.keys = append(slices.Clone(wasmKeys), d.keys...)
	return d
}
