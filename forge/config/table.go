package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

type node = yamlfile.Node

// table is the keys of one kind of object: what reads them, and what the schema for
// editors and docs/CONFIG.md are made of.
type table[T any] struct {
	name   string // in the schema: "cli_tool"
	what   string // in errors: "a cli tool"
	doc    string
	fields []field[T]
	index  map[string]int // of fields by their names and other names
}

// field is one key.
type field[T any] struct {
	name     string
	others   []string // other names of the same
	same     string   // the key that says the same in another form, as timeout and timeout_ms
	required bool
	lenient  bool // required, but whoever reads the object checks it
	doc      string
	byDef    string // the default, as people write it; empty: none
	value    value[T]
}

// value is how a key's value is written, and what reads it.
type value[T any] struct {
	form form
	read func(l *loader, n *node, to *T, what string)
}

// form is how a value is written.
type form struct {
	human  string         // in docs: "text"
	schema map[string]any // its JSON Schema
	uses   []described    // tables that the schema refers to
}

// init fills the tables. They refer to one another by pointers, and those of arguments
// take fields of parameters.
func init() {
	paramTables()
	httpTables()
	resilienceTables()
	toolStateFields()
	toolTables()
	blockTables()
	topTables()
	telemetryTables()
	accessTables()
}

// described is a table of any type.
type described interface{ describe() description }

// description is a table without its type.
type description struct {
	name, doc string
	keys      []keyDescription
}

type keyDescription struct {
	name, doc, byDef, same string
	others                 []string
	required               bool
	form                   form
}

func (t *table[T]) describe() description {
	d := description{name: t.name, doc: t.doc}
	for _, f := range t.fields {
		d.keys = append(d.keys, keyDescription{f.name, f.doc, f.byDef, f.same, f.others, f.required, f.value.form})
	}
	return d
}

// ready makes the index.
func (t *table[T]) ready() *table[T] {
	t.index = map[string]int{}
	for i, f := range t.fields {
		for _, name := range append([]string{f.name}, f.others...) {
			t.index[name] = i
		}
	}
	return t
}

func (t *table[T]) names() (all []string) {
	for _, f := range t.fields {
		all = append(append(all, f.name), f.others...)
	}
	return all
}

// read reads a mapping into to; p, when not nil, learns the places.
func (t *table[T]) read(l *loader, n *node, to *T, p *Place) {
	seen := make([]string, len(t.fields)) // the name that was written
	ok := l.Members(n, t.what, p, func(key, v *node) {
		i, known := t.index[key.Value]
		switch {
		case !known:
			if other := kindWithKey(t.what, key.Value); other != "" {
				l.Fault(key, "%s has no key %q: %s has", t.what, key.Value, other)
			} else {
				l.Unknown(key, t.what, t.names())
			}
			return
		case seen[i] != "":
			l.Fault(key, "%s and %s say the same: leave one out", seen[i], key.Value)
			return
		}
		seen[i] = key.Value
		f := &t.fields[i]
		if other, found := t.index[f.same]; found && seen[other] != "" {
			l.Fault(key, "%s and %s do not go together: leave one out", seen[other], key.Value)
			return
		}
		if f.value.read != nil && !l.Blanks(t.name, key.Value) {
			f.value.read(l, v, to, key.Value)
		}
	})
	if !ok {
		return
	}
	for i, f := range t.fields {
		if f.required && !f.lenient && seen[i] == "" {
			l.Lacks(n, t.what, f.name)
		}
	}
}

// kindWithKey is, for what is a tool, the kind of tool that has a key which this one
// has not; or empty.
func kindWithKey(what, key string) string {
	kinds := []*table[Tool]{&nativeTable, &cliTable, &httpTable, &pipelineTable}
	if !slices.ContainsFunc(kinds, func(t *table[Tool]) bool { return t.what == what }) {
		return ""
	}
	for _, t := range kinds {
		if _, has := t.index[key]; has {
			return t.what
		}
	}
	return ""
}

// keys are the fields as package yamlfile has them, for a reader of its own.
func (t *table[T]) keys(l *loader, to *T) (all []yamlfile.Key) {
	for _, f := range t.fields {
		for _, name := range append([]string{f.name}, f.others...) {
			all = append(all, yamlfile.Key{Name: name, Required: f.required, Read: func(n *node) { f.value.read(l, n, to, name) }})
		}
	}
	return all
}

func scalarForm(human string, schemaTypes ...any) form {
	return form{human: human, schema: map[string]any{"type": schemaTypes}}
}

// Texts are bounded.
const (
	textBytesMax = 64 << 10
	listMax      = 1000
)

// bounded says whether a list or mapping is not too long, and notes where it is.
func (l *loader) bounded(n *node, what string, most int) bool {
	x := l.Resolve(n)
	if x == nil {
		return false
	}
	count := len(x.Content)
	if l.IsMapping(n) {
		count /= 2
	}
	if count > most {
		l.Fault(n, "%s has %d elements, at most %d are read", what, count, most)
		return false
	}
	return true
}

func (l *loader) text(n *node, what string) (string, bool) {
	s, _, ok := l.Scalar(n, what)
	if ok && len(s) > textBytesMax {
		l.Fault(n, "%s has %d bytes, at most %d are read", what, len(s), textBytesMax)
		return "", false
	}
	return s, ok
}

func text[T any](get func(*T) *string) value[T] {
	return value[T]{scalarForm("text", "string", "number", "boolean"), func(l *loader, n *node, to *T, what string) {
		*get(to), _ = l.text(n, what)
	}}
}

// templated is a text with placeholders; they are checked when all is read.
func templated[T any](get func(*T) *string) value[T] {
	v := ofTemplates(text(get))
	v.form.human = "template"
	return v
}

// ofTemplates reads a value whose texts are templates: {{ in what comes from the
// environment is no placeholder.
func ofTemplates[T any](v value[T]) value[T] {
	read := v.read
	v.read = func(l *loader, n *node, to *T, what string) {
		outer := l.Escape
		l.Escape = func(value string) string { return strings.ReplaceAll(value, "{{", `\{{`) }
		read(l, n, to, what)
		l.Escape = outer
	}
	return v
}

// source is an expression. A variable of the environment would become a part of its
// code, whatever it holds: there may be none.
func source[T any](get func(*T) *string) value[T] {
	v := text(get)
	v.form.human = "expression"
	read := v.read
	v.read = func(l *loader, n *node, to *T, what string) {
		if x := l.Resolve(n); x != nil && strings.Contains(x.Value, "${") {
			l.Fault(n, "%s is an expression, and takes no variables of the environment: put the value into a parameter's default", what)
			return
		}
		read(l, n, to, what)
	}
	return v
}

func path[T any](get func(*T) *string) value[T] {
	return value[T]{scalarForm("path, relative to the file", "string"), func(l *loader, n *node, to *T, what string) {
		l.Path(what, get(to))(n)
	}}
}

func boolean[T any](set func(*T, bool)) value[T] {
	return value[T]{scalarForm("true or false", "boolean"), func(l *loader, n *node, to *T, what string) {
		var b bool
		l.Boolean(what, &b)(n)
		set(to, b)
	}}
}

func count[T any](least, most uint64, set func(*T, int)) value[T] {
	f := form{human: "whole number", schema: map[string]any{"type": "integer", "minimum": least, "maximum": most}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		l.Count(what, least, most, func(v uint64) { set(to, int(v)) })(n)
	}}
}

func size[T any](get func(*T) *uint64) value[T] {
	return value[T]{scalarForm("size, as 64MiB", "string", "integer"), func(l *loader, n *node, to *T, what string) {
		l.Size(what, get(to))(n)
	}}
}

func duration[T any](get func(*T) *time.Duration) value[T] {
	return value[T]{scalarForm("duration, as 1m30s", "string"), func(l *loader, n *node, to *T, what string) {
		l.Duration(what, get(to))(n)
	}}
}

// units is a whole number of a unit of time.
func units[T any](unit time.Duration, get func(*T) *time.Duration) value[T] {
	most := uint64(math.MaxInt64 / int64(unit))
	most = min(most, math.MaxInt32)
	v := count(1, most, func(to *T, v int) { *get(to) = time.Duration(v) * unit })
	v.form.human = "whole number of " + map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds"}[unit]
	return v
}

func choice[T any](words []string, set func(*T, string)) value[T] {
	enum := make([]any, len(words))
	for i, w := range words {
		enum[i] = w
	}
	f := form{human: yamlfile.OrList(words), schema: map[string]any{"enum": enum}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		l.Choice(what, words, func(i int) { set(to, words[i]) })(n)
	}}
}

func texts[T any](get func(*T) *[]string) value[T] {
	f := form{human: "list of texts", schema: map[string]any{"type": "array", "items": map[string]any{"type": []any{"string", "number", "boolean"}}}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		if l.bounded(n, what, listMax) {
			l.Texts(what, get(to))(n)
		}
	}}
}

func textMap[T any](get func(*T) *map[string]string) value[T] {
	f := form{human: "texts by name", schema: map[string]any{"type": "object", "additionalProperties": map[string]any{"type": []any{"string", "number", "boolean"}}}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		if l.bounded(n, what, listMax) {
			l.Variables(what, get(to))(n)
		}
	}}
}

// anything is a value that becomes JSON.
func anything[T any](get func(*T) *rawJSON) value[T] {
	return value[T]{form{human: "any value", schema: map[string]any{}}, func(l *loader, n *node, to *T, what string) {
		*get(to) = l.JSON(n, what, nil)
	}}
}

func one[T, U any](t *table[U], set func(*T, *U), place func(*U) *Place, byDef U) value[T] {
	f := form{human: "mapping", schema: ref(t.name), uses: []described{t}}
	return value[T]{f, func(l *loader, n *node, to *T, _ string) {
		v := byDef
		t.read(l, n, &v, place(&v))
		set(to, &v)
	}}
}

func many[T, U any](t *table[U], most int, get func(*T) *[]U, read func(*loader, *node, *U)) value[T] {
	f := form{human: "list of mappings", schema: map[string]any{"type": "array", "items": ref(t.name)}, uses: []described{t}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		if !l.bounded(n, what, most) {
			return
		}
		l.List(n, what, func(n *node) {
			var v U
			read(l, n, &v)
			*get(to) = append(*get(to), v)
		})
	}}
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func quote(s string) string { return strconv.Quote(s) }
