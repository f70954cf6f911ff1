package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"
)

// handleLengthMax bounds the argument state_handle, in characters.
const handleLengthMax = 64

var (
	toolStateTable = table[ToolState]{name: "tool_state", what: "state", doc: "The part of the state that a tool sees: through state in templates and expressions, and the built-in functions state::…."}
	namespaceForm  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

func toolStateFields() {
	scopes := []string{"shared", "handle"}
	toolStateTable.fields = []field[ToolState]{
		{name: "namespace", doc: "The tool's keys begin with this name and a slash in the store, and it reaches no others. Tools of the same namespace share them.", value: text(func(s *ToolState) *string { return &s.Namespace })},
		{name: "scope", byDef: "shared", doc: "shared: all callers see the same. handle: each conversation has a state of its own, under a handle that the first call answers with as state_handle, and that later calls give back as that argument; it is good for the same caller only.", value: choice(scopes, func(s *ToolState, w string) { s.Handle = w == "handle" })},
		{name: "rights", byDef: "file", doc: "file: the tool has the state whatever its caller may do with keys. caller: it reads and writes what the caller may, by the block access.", value: choice([]string{"file", "caller"}, func(s *ToolState, w string) { s.ByCaller = w == "caller" })},
		{name: "ttl", same: "ttl_seconds", doc: "How long entries live that a function of this tool writes and says nothing else of; with scope handle, how long a handle is good, a day otherwise.", value: duration(func(s *ToolState) *time.Duration { return &s.TTL })},
		{name: "ttl_seconds", same: "ttl", doc: "The same in seconds.", value: units(time.Second, func(s *ToolState) *time.Duration { return &s.TTL })},
	}
	toolStateTable.ready()
}

// toolState is the key state of a tool.
func toolState() field[Tool] {
	return field[Tool]{name: "state", doc: "The part of the state that the tool sees; all of it otherwise.", value: value[Tool]{
		form{human: "mapping", schema: ref("tool_state"), uses: []described{&toolStateTable}},
		func(l *loader, n *node, t *Tool, _ string) {
			s := &ToolState{}
			t.State = s
			before := l.Faults()
			toolStateTable.read(l, n, s, &s.Place)
			if l.Faults() == before && s.Place.Has("namespace") && !namespaceForm.MatchString(s.Namespace) {
				l.Note(s.At("namespace"), "a namespace has 1 to 64 of A-Z a-z 0-9 _ - and the dot, and this is %q", s.Namespace)
			}
		},
	}}
}

// addHandle gives a tool whose state is kept by handle the parameter for it, and its
// answers the member.
func (l *loader) addHandle(t *Tool) {
	if t.State == nil || !t.State.Handle || t.broken {
		return
	}
	for i := range t.Params {
		if t.Params[i].Name == HandleParam {
			l.Note(t.Params[i].Pos, "the parameter %s is there by itself, since the tool's state has scope: handle: leave it out", HandleParam)
			return
		}
	}
	most := handleLengthMax
	t.Params = append(slices.Clip(t.Params), Param{
		Name: HandleParam, Type: "string", MaxLength: &most,
		Description: "The handle that an earlier answer gave: the call goes on with what was kept under it. Without one, the answer gives a new one.",
	})
	if len(t.OutputSchema) > 0 {
		t.OutputSchema = withHandle(t.OutputSchema)
	}
	if a := t.Annotations; a != nil && a.ReadOnlyHint != nil && *a.ReadOnlyHint {
		l.Note(t.State.At("scope"), "a tool that hands out handles is not read-only: leave out the annotation, or scope: handle")
	}
	for _, m := range t.Middleware {
		if m.Cache != nil {
			l.Note(m.Pos, "a cache would give one handle to several conversations: leave it out, or scope: handle")
		}
	}
}

// withHandle lets a schema of results have the handle.
func withHandle(source rawJSON) rawJSON {
	var root, properties map[string]json.RawMessage
	if json.Unmarshal(source, &root) != nil || root["properties"] != nil && json.Unmarshal(root["properties"], &properties) != nil {
		return source // it was compiled: it is an object of objects
	}
	if properties == nil {
		properties = map[string]json.RawMessage{}
	}
	if _, there := properties[HandleParam]; there {
		return source
	}
	properties[HandleParam] = rawJSON(`{"type":"string"}`)
	inner, err := json.Marshal(properties)
	if err != nil {
		return source
	}
	root["properties"] = inner
	out, err := json.Marshal(root)
	if err != nil {
		return source
	}
	return out
}

// checkToolState finds keys that change nothing.
func (l *loader) checkToolState(t *Tool) {
	s := t.State
	if s == nil {
		return
	}
	function := t.Kind == KindNative && t.Native.Path != ""
	uses := function || t.Kind == KindPipeline || t.Kind == KindNative || len(t.StateKeys) > 0
	if !uses {
		l.Note(s.Pos, "nothing in this tool sees the state: show some of it as {{state.KEY}}, or leave state out")
		return
	}
	if s.ByCaller && s.Handle {
		l.Note(s.At("rights"), "what is kept by handle is the caller's alone: leave out rights: caller, or scope: handle")
	}
	if s.TTL > 0 && !s.Handle && !function {
		key := "ttl"
		if s.Place.Has("ttl_seconds") {
			key = "ttl_seconds"
		}
		l.Note(s.At(key), "%s is for what a tool writes, and only a native tool with a function does", key)
	}
}
