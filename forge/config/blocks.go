package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

// Bounds of the other blocks.
const (
	resourcesMax = 10_000
	promptsMax   = 10_000
	testsMax     = 10_000
)

var (
	metaTable     = table[Meta]{name: "forge", what: "forge", doc: "What the server is and where it is reached."}
	stepTable     = table[Step]{name: "step", what: "a step", doc: "A call of a tool, or steps that run at once."}
	resourceTable = table[Resource]{name: "resource", what: "a resource", doc: "Something that clients read by its URI. One of handler, file, root, http and state says what answers; a URI file://./PATH says it by itself."}
	promptTable   = table[Prompt]{name: "prompt", what: "a prompt", doc: "A text that people choose. Without template and messages it is the description, followed by the arguments."}
	messageTable  = table[Message]{name: "message", what: "a message", doc: "One message of a prompt."}
	argumentTable = table[Param]{name: "argument", what: "an argument", doc: "An argument of a prompt: a text; its type says what it has to read as."}
	stateTable    = table[State]{name: "state", what: "state", doc: "Where the state is kept."}
	optionsTable  = table[State]{name: "state_options", what: "options", doc: "Options of the backend."}
	testTable     = table[Test]{name: "test", what: "a test", doc: "A call, and what it has to answer. Tests are checked for their form; nothing runs them yet."}
	expectTable   = table[Expect]{name: "expect", what: "expect", doc: "What a call has to answer; all that is written has to hold."}
	transports    = []string{TransportStdio, TransportHTTP, TransportSSE, TransportWebSocket}
)

func blockTables() {
	metaTable.fields = []field[Meta]{
		{name: "name", required: true, doc: "What the server is called.", value: text(func(m *Meta) *string { return &m.Name })},
		{name: "version", byDef: "0.1.0", doc: "Its version.", value: text(func(m *Meta) *string { return &m.Version })},
		{name: "description", doc: "What it is for.", value: text(func(m *Meta) *string { return &m.Description })},
		{name: "transport", byDef: "stdio", doc: "How clients reach it.", value: choice(transports, func(m *Meta, w string) { m.Transport = w })},
		{name: "host", byDef: "127.0.0.1", doc: "The address to listen on, but for stdio.", value: text(func(m *Meta) *string { return &m.Host })},
		{name: "port", byDef: "7070", doc: "The port to listen on, but for stdio.", value: count(1, 65535, func(m *Meta, v int) { m.Port = v })},
		{name: "optimization", byDef: "debug", doc: "For files of pforge, which builds a program of each: it changes nothing here.", value: choice([]string{"debug", "release"}, func(m *Meta, w string) { m.Release = w == "release" })},
	}
	metaTable.ready()
	stepTable.fields = stepFields()
	stepTable.ready()
	messageTable.fields = []field[Message]{
		{name: "role", byDef: "user", doc: "Who says it.", value: choice([]string{RoleUser, RoleAssistant}, func(m *Message, w string) { m.Role = w })},
		{name: "template", others: []string{"content"}, required: true, doc: "The text, with the arguments as {{name}}.", value: templated(func(m *Message) *string { return &m.Template })},
	}
	messageTable.ready()
	argumentFields()
	promptTable.fields = []field[Prompt]{
		{name: "name", required: true, doc: "The prompt's name.", value: text(func(p *Prompt) *string { return &p.Name })},
		{name: "title", doc: "What people call it.", value: text(func(p *Prompt) *string { return &p.Title })},
		{name: "description", doc: "What it is for.", value: text(func(p *Prompt) *string { return &p.Description })},
		{name: "template", doc: "The text of its one message, with the arguments as {{name}}.", value: templated(func(p *Prompt) *string {
			p.Messages = append(p.Messages, Message{Role: RoleUser})
			return &p.Messages[len(p.Messages)-1].Template
		})},
		{name: "messages", same: "template", doc: "Several messages, with roles.", value: many(&messageTable, 100, func(p *Prompt) *[]Message { return &p.Messages }, func(l *loader, n *node, m *Message) { m.Role = RoleUser; messageTable.read(l, n, m, &m.Place) })},
		{name: "arguments", others: []string{"params"}, doc: "What the client fills in, by name or as a list.", value: params(func(p *Prompt) *[]Param { return &p.Arguments }, "arguments", "string")},
	}
	promptTable.ready()
	resourceTable.fields = resourceFields()
	resourceTable.ready()
	stateFields()
	testTable.fields = []field[Test]{
		{name: "name", doc: "What the test is called; the tool's name otherwise.", value: text(func(t *Test) *string { return &t.Name })},
		{name: "tool", required: true, doc: "The tool that is called.", value: text(func(t *Test) *string { return &t.Tool })},
		{name: "input", others: []string{"args", "params"}, doc: "Its arguments.", value: jsonObject(func(t *Test) *rawJSON { return &t.Input })},
		{name: "expect", doc: "What the call has to answer; a success otherwise.", value: one(&expectTable, func(t *Test, e *Expect) { t.Expect = *e }, func(e *Expect) *Place { return &e.Place }, Expect{})},
	}
	testTable.ready()
	expectTable.fields = []field[Expect]{
		{name: "error", byDef: "false", doc: "The answer is an error.", value: boolean(func(e *Expect, b bool) { e.Error = b })},
		{name: "text", doc: "The whole text of the answer.", value: value[Expect]{scalarForm("text", "string", "number", "boolean"), func(l *loader, n *node, e *Expect, what string) {
			if s, ok := l.text(n, what); ok {
				e.Text = &s
			}
		}}},
		{name: "contains", doc: "Texts that the answer's text contains.", value: texts(func(e *Expect) *[]string { return &e.Contains })},
		{name: "matches", doc: "A regular expression (RE2) that the answer's text matches somewhere.", value: pattern(func(e *Expect) *string { return &e.Matches })},
		{name: "json", others: []string{"output"}, doc: "The structured answer, or the text read as JSON.", value: anything(func(e *Expect) *rawJSON { return &e.JSON })},
	}
	expectTable.ready()
}

func argumentFields() {
	for _, f := range listedParamTable.fields {
		switch f.name {
		case "name", "title", "required", "default", "description", "enum":
			argumentTable.fields = append(argumentTable.fields, f)
		}
	}
	kind := choice([]string{"string", "integer", "float", "number", "boolean"}, func(p *Param, w string) { p.Type = normalType(w) })
	argumentTable.fields = append(argumentTable.fields, field[Param]{name: "type", byDef: "string", doc: "What the text has to read as.", value: kind})
	argumentTable.ready()
	i := argumentTable.index["name"]
	argumentTable.fields[i].required = false // by name it stands outside
}

func stepFields() []field[Step] {
	policies := []string{string(ErrorFailFast), string(ErrorContinue)}
	return []field[Step]{
		{name: "tool", doc: "The tool that is called.", value: text(func(s *Step) *string { return &s.Tool })},
		{name: "parallel", same: "tool", doc: "Steps that run at once.", value: steps()},
		{name: "input", others: []string{"params"}, doc: "The arguments: a mapping whose texts are templates, or a template that gives an object.", value: ofTemplates(jsonObject(func(s *Step) *rawJSON { return &s.Input }))},
		{name: "input_from", same: "input", doc: "The variable that holds the arguments.", value: text(func(s *Step) *string { return &s.InputFrom })},
		{name: "output_var", others: []string{"output_key"}, doc: "The variable that the answer goes to.", value: text(func(s *Step) *string { return &s.OutputVar })},
		{name: "condition", doc: "An expression over arguments and variables; the step is left out where it is false.", value: source(func(s *Step) *string { return &s.Condition })},
		{name: "error_policy", others: []string{"on_error"}, byDef: "fail_fast", doc: "What an error does: end the pipeline, or go on with the next step.", value: choice(policies, func(s *Step, w string) { s.ErrorPolicy = ErrorPolicy(w) })},
		{name: "timeout", same: "timeout_ms", doc: "How long the step may take.", value: duration(func(s *Step) *time.Duration { return &s.Timeout })},
		{name: "timeout_ms", same: "timeout", doc: "How long the step may take, in milliseconds.", value: units(time.Millisecond, func(s *Step) *time.Duration { return &s.Timeout })},
	}
}

func steps() value[Step] {
	v := many(&stepTable, StepsMax, func(s *Step) *[]Step { return &s.Parallel }, (*loader).step)
	read := v.read
	v.read = func(l *loader, n *node, s *Step, what string) { l.deeper(n, func() { read(l, n, s, what) }) }
	return v
}

func (l *loader) step(n *node, s *Step) {
	s.ErrorPolicy = ErrorFailFast
	before := l.Faults()
	stepTable.read(l, n, s, &s.Place)
	if l.Faults() > before {
		return
	}
	if s.Tool == "" && len(s.Parallel) == 0 {
		l.Fault(n, "a step lacks the tool that it calls, as tool: NAME, or parallel: with steps that run at once")
	}
	for _, key := range []string{"input", "params", "input_from", "output_var", "output_key"} {
		if len(s.Parallel) > 0 && s.Place.Has(key) {
			l.Note(s.At(key), "%s belongs to the steps inside of parallel", key)
		}
	}
}

// jsonObject is a mapping, or a text that stands for one.
func jsonObject[T any](get func(*T) *rawJSON) value[T] {
	return value[T]{form{human: "mapping", schema: map[string]any{"type": []any{"object", "string"}}}, func(l *loader, n *node, to *T, what string) {
		v := l.JSON(n, what, nil)
		if v != nil && v[0] != '{' && v[0] != '"' {
			l.Fault(n, "%s has to be a mapping of arguments, not %s", what, jsonType(v))
			return
		}
		*get(to) = v
	}}
}

func resourceFields() []field[Resource] {
	operations := map[string]func(*Resource){
		"read": func(r *Resource) { r.Read = true }, "write": func(r *Resource) { r.Write = true }, "subscribe": func(r *Resource) { r.Subscribe = true },
	}
	words := []string{"read", "write", "subscribe"}
	supports := form{human: "list of " + yamlfile.OrList(words), schema: map[string]any{"type": "array", "items": map[string]any{"enum": []any{"read", "write", "subscribe"}}}}
	return []field[Resource]{
		{name: "uri_template", others: []string{"uri"}, required: true, doc: "The URI, or a template of RFC 6570 as notes:///{name}.", value: text(func(r *Resource) *string { return &r.URITemplate })},
		{name: "name", doc: "What it is called; the URI otherwise.", value: text(func(r *Resource) *string { return &r.Name })},
		{name: "title", doc: "What people call it.", value: text(func(r *Resource) *string { return &r.Title })},
		{name: "description", doc: "What it holds; models read it.", value: text(func(r *Resource) *string { return &r.Description })},
		{name: "mime_type", doc: "Its media type; by name or content otherwise.", value: text(func(r *Resource) *string { return &r.MIMEType })},
		{name: "supports", byDef: "[read]", doc: "What clients may do.", value: value[Resource]{supports, func(l *loader, n *node, r *Resource, what string) {
			l.List(n, what, func(n *node) {
				l.Choice("an operation", words, func(i int) { operations[words[i]](r) })(n)
			})
		}}},
		{name: "handler", doc: "The Go function that answers.", value: handler(func(r *Resource, h *Native) { r.Handler = h })},
		{name: "file", same: "handler", doc: "The file that answers.", value: path(func(r *Resource) *string { return &r.File })},
		{name: "root", same: "handler", doc: "The folder whose files answer: the template's one variable is a path in it.", value: path(func(r *Resource) *string { return &r.Root })},
		{name: "http", same: "handler", doc: "The request that answers; its templates are over the template's variables.", value: value[Resource]{
			form{human: "mapping", schema: ref("http_source"), uses: []described{&resourceHTTPTable}},
			func(l *loader, n *node, r *Resource, _ string) {
				r.HTTP = &HTTP{Method: "GET", ResponseBytesMax: 8 << 20}
				resourceHTTPTable.read(l, n, r.HTTP, &r.httpPlace)
			},
		}},
		{name: "state", same: "handler", doc: "The prefix of keys that answer: the template's one variable is the rest of the key.", value: text(func(r *Resource) *string { return &r.StatePrefix })},
		{name: "cache", doc: "Keeps what was read.", value: one(&cacheTable, func(r *Resource, c *Cache) { r.Cache = c }, func(c *Cache) *Place { return &c.Place }, cacheDefaults)},
	}
}

var sourceKeys = []string{"handler", "file", "root", "http", "state"}

func (l *loader) resource(n *node, r *Resource) {
	before := l.Faults()
	resourceTable.read(l, n, r, &r.Place)
	if l.Faults() > before {
		return
	}
	if !r.Read && !r.Write && !r.Subscribe {
		r.Read = true
	}
	if r.Name == "" {
		r.Name = r.URITemplate
	}
	variables, fault := uriVariables(r.URITemplate)
	if fault != "" {
		l.Note(r.At("uri_template"), "%s", fault)
		return
	}
	var sources []string
	for _, k := range sourceKeys {
		if r.Place.Has(k) {
			sources = append(sources, k)
		}
	}
	switch {
	case len(sources) > 1:
		l.Note(r.At(sources[1]), "a resource is answered by one thing, and this one has %s", strings.Join(sources, " and "))
	case len(sources) == 0:
		l.fileURI(n, r)
	case sources[0] == "file" && len(variables) > 0:
		l.Note(r.At("file"), "one file has no variables, and the URI has %s: say root and a folder", strings.Join(variables, ", "))
	case (sources[0] == "root" || sources[0] == "state") && len(variables) != 1:
		l.Note(r.At(sources[0]), "%s needs a URI with one variable, as notes:///{+path}; this one has %d", sources[0], len(variables))
	case sources[0] == "http":
		l.checkHTTP(r.HTTP, &r.httpPlace, "endpoint", scopeOf("the URI", variables))
	}
	if r.Write && (r.HTTP != nil) {
		l.Note(r.At("supports"), "a resource that is answered by http can be read only")
	}
}

// fileURI takes the file out of a URI such as file://./README.md.
func (l *loader) fileURI(n *node, r *Resource) {
	name, ok := strings.CutPrefix(r.URITemplate, "file://")
	if !ok || strings.Contains(name, "{") || name == "" {
		l.Fault(n, "a resource lacks what answers: one of %s", yamlfile.OrList(sourceKeys))
		return
	}
	if unescaped, err := url.PathUnescape(name); err == nil {
		name = unescaped
	}
	if r.File = filepath.Clean(name); !filepath.IsAbs(r.File) {
		r.File = filepath.Join(l.Dir, r.File)
	}
}

var uriExpression = regexp.MustCompile(`^[+#./;?&]?[A-Za-z0-9_%.]+\*?(,[A-Za-z0-9_%.]+\*?)*$`)

// uriVariables are the variables of a URI template, or what is wrong with it.
func uriVariables(t string) (names []string, fault string) {
	if scheme, _, ok := strings.Cut(t, ":"); !ok || scheme == "" || strings.ContainsAny(scheme, "{}/ ") {
		return nil, "the URI " + quote(t) + " does not begin with a scheme, as notes:///{name}"
	}
	for rest := t; ; {
		before, inner, ok := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return nil, "the URI " + quote(t) + " has a } without a {"
		}
		if !ok {
			return names, ""
		}
		var expression string
		if expression, rest, ok = strings.Cut(inner, "}"); !ok {
			return nil, "the URI " + quote(t) + " has a { without a }"
		}
		if !uriExpression.MatchString(expression) {
			return nil, "the URI " + quote(t) + " has {" + expression + "}, which is no variable of a URI template (RFC 6570), as {name} or {+path}"
		}
		for name := range strings.SplitSeq(strings.TrimLeft(expression, "+#./;?&"), ",") {
			names = append(names, strings.TrimSuffix(name, "*"))
		}
	}
}

func (l *loader) prompt(n *node, p *Prompt) {
	before := l.Faults()
	promptTable.read(l, n, p, &p.Place)
	if l.Faults() > before {
		return
	}
	if p.Name == "" {
		l.Note(p.At("name"), "a prompt's name is empty")
	}
	names := make([]string, len(p.Arguments))
	for i, a := range p.Arguments {
		names[i] = a.Name
	}
	if len(p.Messages) == 0 {
		p.Messages = []Message{{Role: RoleUser, Template: defaultPrompt(p)}}
		return
	}
	for i := range p.Messages {
		at := p.Messages[i].At("template")
		if at.Line == 0 {
			at = p.At("template")
		}
		l.template(p.Messages[i].Template, at, scopeOf("the prompt", names))
	}
}

// defaultPrompt is the text of a prompt that gives none.
func defaultPrompt(p *Prompt) string {
	out := strings.ReplaceAll(p.Description, "{{", `\{{`)
	if out == "" {
		out = p.Name
	}
	for i, a := range p.Arguments {
		if i == 0 {
			out += "\n"
		}
		out += "\n" + a.Name + ": {{" + a.Name + "}}"
	}
	return out
}

func stateFields() {
	backends := []string{BackendMemory, BackendFile, BackendRedis, "trueno", "sled"}
	backend := choice(backends, func(s *State, w string) {
		switch w {
		case "trueno":
			w = BackendMemory
		case "sled":
			w = BackendFile
		}
		s.Backend = w
	})
	entries := func() value[State] { return count(1, 100_000_000, func(s *State, v int) { s.CacheEntries = v }) }
	stateTable.fields = []field[State]{
		{name: "backend", byDef: "memory", doc: "What keeps it. trueno and sled, names of pforge, are memory and file. redis is checked and not built yet: ingot serve refuses it.", value: backend},
		{name: "path", doc: "file: the directory.", value: statePath()},
		{name: "url", doc: "redis: where it is, as redis://localhost:6379/0.", value: stateURL()},
		{name: "ttl", same: "ttl_seconds", doc: "How long entries live that say nothing else.", value: duration(func(s *State) *time.Duration { return &s.TTL })},
		{name: "ttl_seconds", same: "ttl", doc: "How long entries live that say nothing else, in seconds.", value: units(time.Second, func(s *State) *time.Duration { return &s.TTL })},
		{name: "max_size", doc: "The budget of all entries; without one the state grows as it is written.", value: size(func(s *State) *uint64 { return &s.BytesMax })},
		{name: "cache_size", doc: "redis: how many entries are kept at hand.", value: entries()},
		{name: "options", doc: "Options of the backend.", value: value[State]{
			form{human: "mapping", schema: ref("state_options"), uses: []described{&optionsTable}},
			func(l *loader, n *node, s *State, _ string) { optionsTable.read(l, n, s, nil) },
		}},
	}
	stateTable.ready()
	optionsTable.fields = []field[State]{
		{name: "sync", byDef: "always", doc: "file: when a write is on the disk: before it returns, a second later, or when the system likes.", value: choice([]string{"always", "interval", "never"}, func(s *State, w string) { s.Sync = w })},
		{name: "max_value", doc: "The longest value.", value: size(func(s *State) *uint64 { return &s.ValueBytesMax })},
	}
	optionsTable.ready()
}

// statePath reads a path; an empty one, which pforge asks for with memory, is none.
func statePath() value[State] {
	v := path(func(s *State) *string { return &s.Path })
	read := v.read
	v.read = func(l *loader, n *node, s *State, what string) {
		if x := l.Resolve(n); x != nil && x.Tag == "!!str" && (x.Value == "" || x.Value == ":memory:") {
			return
		}
		read(l, n, s, what)
	}
	return v
}

func stateURL() value[State] {
	v := text(func(s *State) *string { return &s.URL })
	read := v.read
	v.read = func(l *loader, n *node, s *State, what string) {
		before := l.Faults()
		read(l, n, s, what)
		if l.Faults() > before {
			return
		}
		u, err := url.Parse(s.URL)
		if err != nil || u.Host == "" || u.Scheme != "redis" && u.Scheme != "rediss" {
			l.Fault(n, "url is no URL of redis, as redis://localhost:6379/0 or rediss://…")
			return
		}
		if password, ok := u.User.Password(); ok {
			l.Secret(password, "[secret]")
		}
	}
	return v
}

func (l *loader) state(n *node, s *State) {
	before := l.Faults()
	stateTable.read(l, n, s, &s.Place)
	if l.Faults() > before {
		return
	}
	for key, backend := range map[string]string{"path": BackendFile, "url": BackendRedis, "cache_size": BackendRedis} {
		if s.Place.Has(key) && s.Backend != backend && (key != "path" || s.Path != "") {
			l.Note(s.At(key), "%s is for the backend %s, and this is %s", key, backend, s.Backend)
		}
	}
	switch {
	case s.Backend == BackendFile && s.Path == "":
		l.Fault(n, "the backend file needs a directory, as path: ./data")
	case s.Backend == BackendRedis && s.URL == "":
		l.Fault(n, "the backend redis needs a url, as redis://localhost:6379/0")
	case s.Backend != BackendFile && s.Sync != "":
		l.Note(s.At("options"), "sync is for the backend file, and this is %s", s.Backend)
	case s.Backend == BackendFile && s.Sync == "":
		s.Sync = "always"
	}
}
