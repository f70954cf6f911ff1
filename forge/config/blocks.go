package config

import (
	"net/url"
	"slices"
	"strings"
	"time"
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
	testTable     = table[Test]{name: "test", what: "a test", doc: "A call, and what it has to answer. ingot test makes it, with an empty state in memory."}
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
		{name: "optimization", byDef: "debug", doc: "What ingot build makes of the project: a program with symbols for debuggers, or one without, which is smaller.", value: choice([]string{"debug", "release"}, func(m *Meta, w string) { m.Release = w == "release" })},
	}
	metaTable.ready()
	stepTable.fields = stepFields()
	stepTable.ready()
	messageTable.fields = []field[Message]{
		{name: "role", byDef: "user", doc: "Who says it.", value: choice([]string{RoleUser, RoleAssistant}, func(m *Message, w string) { m.Role = w })},
		{name: "template", others: []string{"content"}, doc: "The text, with the arguments as {{name}}, and {{state.KEY}} for what the state holds.", value: templated(func(m *Message) *string { return &m.Template })},
		{name: "resource", same: "template", doc: "The URI of a resource of this file, whose contents are the message; arguments stand in it as {{name}}, and are escaped.", value: templated(func(m *Message) *string { return &m.Resource })},
	}
	messageTable.ready()
	argumentFields()
	promptTable.fields = []field[Prompt]{
		{name: "name", required: true, doc: "The prompt's name.", value: text(func(p *Prompt) *string { return &p.Name })},
		{name: "title", doc: "What people call it.", value: text(func(p *Prompt) *string { return &p.Title })},
		{name: "description", doc: "What it is for.", value: text(func(p *Prompt) *string { return &p.Description })},
		{name: "template", doc: "The text of its one message, with the arguments as {{name}}, and {{state.KEY}} for what the state holds.", value: templated(func(p *Prompt) *string {
			p.Messages = append(p.Messages, Message{Role: RoleUser})
			return &p.Messages[len(p.Messages)-1].Template
		})},
		{name: "messages", same: "template", doc: "Several messages, with roles.", value: many(&messageTable, 100, func(p *Prompt) *[]Message { return &p.Messages }, (*loader).message)},
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
		{name: "timeout", doc: "How long the call may take; what ingot test --timeout says otherwise.", value: duration(func(t *Test) *time.Duration { return &t.Timeout })},
		{name: "state", byDef: "fresh", doc: "fresh: an empty state of its own. shared: one for all tests that say so, which run one after the other, in their order. Both are in memory.", value: choice([]string{"fresh", "shared"}, func(t *Test, w string) { t.Shared = w == "shared" })},
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
	argumentTable.fields = append(argumentTable.fields,
		field[Param]{name: "type", byDef: "string", doc: "What the text has to read as.", value: kind},
		field[Param]{name: "state", doc: "A prefix of keys of the state: what follows it in the keys is suggested as one types.", value: text(func(p *Param) *string { return &p.StatePrefix })},
	)
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
	in := scopeOf(ofPrompt, names)
	in.keys = &p.StateKeys
	for i := range p.Messages {
		m := &p.Messages[i]
		at := m.At("template")
		if at.Line == 0 {
			at = p.At("template")
		}
		l.template(m.Template, at, in)
		if m.Resource != "" {
			l.template(m.Resource, m.At("resource"), in)
			if scheme, _, ok := strings.Cut(m.Resource, ":"); !ok || scheme == "" || strings.ContainsAny(scheme, "{/ ") {
				l.Note(m.At("resource"), "the resource %q is no URI with a scheme of its own, as notes:///{{name}}", m.Resource)
			}
		}
	}
}

// message reads a message of a prompt.
func (l *loader) message(n *node, m *Message) {
	m.Role = RoleUser
	before := l.Faults()
	messageTable.read(l, n, m, &m.Place)
	if l.Faults() == before && !m.Place.Has("template") && !m.Place.Has("content") && !m.Place.Has("resource") {
		l.Fault(n, "a message lacks its text, as template: or the resource that it shows, as resource:")
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
		{name: "backend", byDef: "memory", doc: "What keeps it. trueno and sled, names of pforge, are memory and file. redis is for several servers that share it.", value: backend},
		{name: "path", doc: "file: the directory.", value: statePath()},
		{name: "url", doc: "redis: where it is, as redis://localhost:6379/0; rediss:// over TLS, redis+cluster://HOST,HOST for a cluster, redis+sentinel://HOST,HOST/NAME for a master that Sentinels name. A password belongs into the environment: redis://:${NAME}@HOST.", value: stateURL()},
		{name: "ttl", same: "ttl_seconds", doc: "How long entries live that say nothing else.", value: duration(func(s *State) *time.Duration { return &s.TTL })},
		{name: "ttl_seconds", same: "ttl", doc: "How long entries live that say nothing else, in seconds.", value: units(time.Second, func(s *State) *time.Duration { return &s.TTL })},
		{name: "max_size", doc: "The budget of all entries; without one the state grows as it is written.", value: size(func(s *State) *uint64 { return &s.BytesMax })},
		{name: "cache_size", doc: "redis: how many entries are kept in this process too, for reading; redis says when one has changed.", value: entries()},
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

// stateURL reads a URL as package state/redis takes it, which checks the rest of it.
func stateURL() value[State] {
	v := text(func(s *State) *string { return &s.URL })
	read := v.read
	v.read = func(l *loader, n *node, s *State, what string) {
		before := l.Faults()
		read(l, n, s, what)
		if l.Faults() > before {
			return
		}
		scheme, rest, ok := strings.Cut(s.URL, "://")
		rest, _, _ = strings.Cut(rest, "?")
		authority, _, _ := strings.Cut(rest, "/")
		at := strings.LastIndexByte(authority, '@')
		if _, password, ok := strings.Cut(authority[:max(at, 0)], ":"); ok && password != "" {
			l.Secret(password, "[secret]")
			if plain, err := url.PathUnescape(password); err == nil {
				l.Secret(plain, "[secret]")
			}
		}
		if strings.Contains(rest[len(authority):], "@") { // what is no password yet might be shown
			l.Fault(n, "url has a user or a password with characters that end them: write / as %%2F, ? as %%3F and @ as %%40")
			return
		}
		if !ok || !slices.Contains(redisSchemes, scheme) || authority[at+1:] == "" {
			l.Fault(n, "url is no URL of redis, as redis://localhost:6379/0, rediss://… (TLS), redis+cluster://… or redis+sentinel://…")
		}
	}
	return v
}

// redisSchemes are how a URL of redis may begin; valkey may stand for redis.
var redisSchemes = []string{
	"redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel",
	"valkey", "valkeys", "valkey+cluster", "valkeys+cluster", "valkey+sentinel", "valkeys+sentinel",
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
