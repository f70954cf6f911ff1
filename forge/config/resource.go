package config

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/yamlfile"
	"github.com/ingot-run/ingot/mcp"
)

func resourceFields() []field[Resource] {
	operations := map[string]func(*Resource){
		"read": func(r *Resource) { r.Read = true }, "write": func(r *Resource) { r.Write = true }, "subscribe": func(r *Resource) { r.Subscribe = true },
	}
	words := []string{"read", "write", "subscribe"}
	supports := form{human: "list of " + yamlfile.OrList(words), schema: map[string]any{"type": "array", "items": map[string]any{"enum": []any{"read", "write", "subscribe"}}}}
	return []field[Resource]{
		{name: "uri_template", others: []string{"uri"}, required: true, doc: "The URI, or a template of RFC 6570: in notes:///{name} the variable is one segment, in notes:///{+path} (also {path*}, {/path*}) it may hold slashes.", value: text(func(r *Resource) *string { return &r.URITemplate })},
		{name: "name", doc: "What it is called; the URI otherwise.", value: text(func(r *Resource) *string { return &r.Name })},
		{name: "title", doc: "What people call it.", value: text(func(r *Resource) *string { return &r.Title })},
		{name: "description", doc: "What it holds; models read it.", value: text(func(r *Resource) *string { return &r.Description })},
		{name: "mime_type", doc: "Its media type; by name or content otherwise.", value: text(func(r *Resource) *string { return &r.MIMEType })},
		{name: "supports", byDef: "[read]", doc: "What clients may do: read it; write it, by the tool resource_write, which is there where a resource has it (not with http, nor with an inline expression); subscribe, to be told of changes (with file, root and state).", value: value[Resource]{supports, func(l *loader, n *node, r *Resource, what string) {
			l.List(n, what, func(n *node) {
				l.Choice("an operation", words, func(i int) { operations[words[i]](r) })(n)
			})
		}}},
		{name: "handler", doc: "The Go function that answers, or an expression. It gets the URI's variables by their names, and uri and operation (read or write); a write has content, encoding (text or base64) and mime_type too. A text is answered as it is, another value as JSON; null means that there is no such resource.", value: handler(func(r *Resource, h *Native) { r.Handler = h })},
		{name: "file", same: "handler", doc: "The file that answers.", value: path(func(r *Resource) *string { return &r.File })},
		{name: "root", same: "handler", doc: "The folder whose files answer: the template's one variable is a path in it. The files are listed; nothing outside of the folder can be reached.", value: path(func(r *Resource) *string { return &r.Root })},
		{name: "http", same: "handler", doc: "The request that answers; its templates are over the template's variables.", value: value[Resource]{
			form{human: "mapping", schema: ref("http_source"), uses: []described{&resourceHTTPTable}},
			func(l *loader, n *node, r *Resource, _ string) {
				r.HTTP = &HTTP{Method: "GET", ResponseBytesMax: 8 << 20}
				resourceHTTPTable.read(l, n, r.HTTP, &r.httpPlace)
			},
		}},
		{name: "state", same: "handler", doc: "The prefix of keys that answer: the template's one variable is the rest of the key.", value: text(func(r *Resource) *string { return &r.StatePrefix })},
		{name: "hidden", byDef: "false", doc: "root: serve files and folders too whose names begin with a dot.", value: boolean(func(r *Resource, b bool) { r.Hidden = b })},
		{name: "content_max", byDef: "8MiB", doc: "The longest content that is read or written; for http it is response_max.", value: size(func(r *Resource) *uint64 { return &r.ContentBytesMax })},
		{name: "cache", doc: "Keeps what was read, for all clients; a write drops it. Not with subscribe, nor with state.", value: one(&cacheTable, func(r *Resource, c *Cache) { r.Cache = c }, func(c *Cache) *Place { return &c.Place }, cacheDefaults)},
	}
}

var sourceKeys = []string{"handler", "file", "root", "http", "state"}

// handlerNames are what a handler gets beside the variables of the URI.
var handlerNames = []string{"uri", "operation", "content", "encoding", "mime_type"}

func (l *loader) resource(n *node, r *Resource) {
	before := l.Faults()
	r.ContentBytesMax = 8 << 20
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
	key := "uri_template"
	if r.Place.Has("uri") {
		key = "uri"
	}
	plain, variables, fault := uriTemplate(r.URITemplate)
	if fault != "" {
		l.Note(r.At(key), "%s", fault)
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
		return
	case len(sources) == 0:
		l.fileURI(n, r)
		sources = []string{"file"}
	case sources[0] == "file" && len(variables) > 0:
		l.Note(r.At("file"), "one file has no variables, and the URI has %s: say root and a folder", strings.Join(variables, ", "))
	case sources[0] == "root" || sources[0] == "state":
		l.pathVariable(r, sources[0], plain, variables)
	case sources[0] == "http":
		l.checkHTTP(r.HTTP, &r.httpPlace, "endpoint", scopeOf(ofURI, variables))
	case sources[0] == "handler":
		l.checkHandler(r, key, variables)
	}
	r.URITemplate = plain
	l.checkOperations(r, sources[0])
}

// pathVariable checks the one variable that names a file or a key.
func (l *loader) pathVariable(r *Resource, source, plain string, variables []string) {
	switch {
	case len(variables) != 1:
		l.Note(r.At(source), "%s needs a URI with one variable, as notes:///{+path}; this one has %d", source, len(variables))
	case !pathExpression.MatchString(plain):
		l.Note(r.At(source), "%s needs a URI whose variable is written as {%s} or {+%s}", source, variables[0], variables[0])
	}
}

// checkHandler checks the names that a handler gets, and an inline expression.
func (l *loader) checkHandler(r *Resource, key string, variables []string) {
	for _, name := range variables {
		if slices.Contains(handlerNames, name) {
			l.Note(r.At(key), "a handler gets %s besides the variables: call the variable %q something else", strings.Join(handlerNames, ", "), name)
		}
	}
	if r.Handler.Inline != "" {
		l.expression(r.Handler.Inline, r.At("handler"), scopeOf(ofURI, slices.Concat(variables, handlerNames[:2])))
	}
}

// checkOperations finds operations that what answers cannot do, and keys without an
// effect.
func (l *loader) checkOperations(r *Resource, source string) {
	at := r.At("supports")
	switch {
	case r.Write && source == "http":
		l.Note(at, "a resource that is answered by http can be read only")
	case r.Write && r.Handler != nil && r.Handler.Inline != "":
		l.Note(at, "an inline expression cannot write: say handler: with the path of a Go function")
	}
	switch {
	case r.Subscribe && !r.Read:
		l.Note(at, "what clients may not read they cannot subscribe to: add read")
	case r.Subscribe && (source == "http" || source == "handler"):
		l.Note(at, "nobody says when a resource changes that is answered by %s: subscribe is for file, root and state", source)
	}
	switch {
	case r.Cache == nil:
	case !r.Read:
		l.Note(r.At("cache"), "a cache keeps what is read, and this resource is not: leave the cache out, or add read")
	case r.Subscribe:
		l.Note(r.At("cache"), "who is told of a change would read what the cache still has: leave out the cache or subscribe")
	case source == "state":
		l.Note(r.At("cache"), "the state is in memory already: leave the cache out")
	}
	if r.Place.Has("hidden") && source != "root" {
		l.Note(r.At("hidden"), "hidden is for root, and this resource is answered by %s", source)
	}
	if r.Place.Has("content_max") && source == "http" {
		l.Note(r.At("content_max"), "for http it is response_max that bounds what is read, inside of http")
	}
}

// checkShown finds messages of prompts that show a resource which is not there. One
// whose URI has placeholders is found when the prompt is asked for.
func (l *loader) checkShown() {
	if l.incomplete {
		return
	}
	for i := range l.config.Prompts {
		for j := range l.config.Prompts[i].Messages {
			m := &l.config.Prompts[i].Messages[j]
			if m.Resource != "" && !strings.Contains(m.Resource, "{{") && !l.answers(m.Resource) {
				l.Note(m.At("resource"), "no resource of this file answers to %q, or clients may not read it", m.Resource)
			}
		}
	}
}

// answers says whether a resource that can be read has this URI.
func (l *loader) answers(uri string) bool {
	return slices.ContainsFunc(l.config.Resources, func(r Resource) bool {
		t, err := mcp.ParseURITemplate(r.URITemplate)
		if err != nil {
			return true // which is told of itself
		}
		_, matches := t.Match(uri)
		return matches && r.Read
	})
}

// fileURI takes the file out of a URI such as file://./README.md.
func (l *loader) fileURI(n *node, r *Resource) {
	name, ok := strings.CutPrefix(r.URITemplate, "file://")
	if !ok || name == "" || strings.Contains(name, "{") {
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
