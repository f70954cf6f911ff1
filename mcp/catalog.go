package mcp

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// lists is a set of the kinds of things a server offers.
type lists uint8

const (
	listTools lists = 1 << iota
	listPrompts
	listResources // templates too: they share a notification
)

// entry is a thing that a server offers, by its name or URI.
type entry interface {
	key() string
	listed(version string) []byte // its entry in a list
}

// shelf holds the entries of one kind. Server.mu guards it.
type shelf[E entry] struct {
	entries map[string]E
	used    bool // there was an entry once: the server has this feature
}

// put adds e; it reports false when its key is taken.
func (s *shelf[E]) put(e E) bool {
	if _, taken := s.entries[e.key()]; taken {
		return false
	}
	if s.entries == nil {
		s.entries = make(map[string]E)
	}
	s.entries[e.key()] = e
	s.used = true
	return true
}

// take removes the entries with these keys, and reports whether there was one.
func (s *shelf[E]) take(keys []string) bool {
	before := len(s.entries)
	for _, key := range keys {
		delete(s.entries, key)
	}
	return len(s.entries) < before
}

// set returns an immutable copy.
func (s *shelf[E]) set() set[E] {
	c := set[E]{byKey: maps.Clone(s.entries), used: s.used}
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		c.sorted = append(c.sorted, s.entries[key])
	}
	return c
}

// set is an immutable set of entries.
type set[E entry] struct {
	byKey  map[string]E
	sorted []E // by key, the order of lists
	used   bool
}

// keys yields each key, in order.
func (s *set[E]) keys(yield func(string) bool) {
	for _, e := range s.sorted {
		if !yield(e.key()) {
			return
		}
	}
}

// page returns the entries that follow cursor ("" is the first page) and the
// cursor of the page after, "" when there is none. A cursor names the last
// entry of its page, so that it stays good while entries come and go; prefix
// tells cursors of one list from those of another, and check knows its keys.
func (s *set[E]) page(prefix, cursor string, size int, check func(key string) error) ([]E, string, bool) {
	start := 0
	if cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		last, ok := strings.CutPrefix(string(raw), prefix)
		if err != nil || !ok || check(last) != nil {
			return nil, "", false
		}
		start, _ = slices.BinarySearchFunc(s.sorted, last, func(e E, key string) int {
			if e.key() == key {
				return -1 // the page begins behind it
			}
			return strings.Compare(e.key(), key)
		})
	}
	end := min(start+size, len(s.sorted))
	if end == len(s.sorted) {
		return s.sorted[start:end], "", true
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(prefix + s.sorted[end-1].key()))
	return s.sorted[start:end], next, true
}

// appendPage appends the members of a list's result.
func appendPage[E entry](out []byte, s *set[E], r *request, size int, kind listKind) ([]byte, *wireError) {
	page, next, ok := shownOf(s, r, kind.kind).page(kind.member+":", r.name, size, kind.check)
	if !ok {
		return out, refuse(CodeInvalidParams, kind.method+": invalid cursor; begin again without one")
	}
	if r.modern {
		out = addByte(out, ',')
	}
	out = add(add(addByte(out, '"'), kind.member), `":[`)
	for i, e := range page {
		if i > 0 {
			out = addByte(out, ',')
		}
		out = add(out, e.listed(r.client.version))
	}
	out = addByte(out, ']')
	if next != "" {
		out = add(out, `,"nextCursor":`)
		out = appendString(out, next)
	}
	return out, nil
}

// listKind is what lists differ in.
type listKind struct {
	method, member string
	check          func(key string) error
	kind           Kind
}

var (
	kindTools     = listKind{methodToolsList, "tools", checkName, KindTool}
	kindPrompts   = listKind{methodPromptsList, "prompts", checkName, KindPrompt}
	kindResources = listKind{methodResourcesList, "resources", checkURI, KindResource}
	kindTemplates = listKind{methodTemplatesList, "resourceTemplates", checkURI, KindTemplate}
)

// Catalog is what a server offers, while [Server.Update] changes it.
type Catalog struct {
	options   *Options
	sealed    bool // the server has a Sealer
	serve     servers
	tools     shelf[*tool]
	prompts   shelf[*prompt]
	resources shelf[*resource]
	templates shelf[*template]

	changed lists
}

// serveFunc appends the members of a result.
type serveFunc func(s *Server, ctx context.Context, r *request, out []byte) ([]byte, *wireError)

// servers is who serves what not every server has: it is nil where a feature was
// never used, so that a build that adds no prompts does not carry the code that
// serves them.
type servers struct {
	prompt, resource, list, family, complete, subscribe, task serveFunc

	callTask   func(s *Server, ctx context.Context, r *request) (*CallResult, *Call, error)
	created    func(s *Server, err error) *wireError
	listenTask func(l *listener, raw []byte, r *request) *wireError
	wantsTask  func(r *request, raw []byte) *wireError // legacy
}

// Update changes what the server offers, in one step: requests see all of the
// change or nothing, and clients are told once. The methods of Catalog panic
// on a programmer's mistake, which leaves what was done before it in place.
// change must not use the server.
func (s *Server) Update(change func(c *Catalog)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		s.snapshot.Store(nil)
		s.tell(s.catalog.changed)
		s.catalog.changed = 0
	}()
	change(&s.catalog)
}

// AddTool adds a tool; calls and lists that begin afterwards see it. It panics
// on a programmer's mistake: a bad or repeated name, no handler, a schema that
// is not JSON or whose root is not an object schema.
func (c *Catalog) AddTool(t Tool, h Handler) {
	added, err := newTool(t, h, c.options)
	if err != nil {
		panic("mcp: AddTool: " + err.Error())
	}
	if t.Task.kind != nil && !c.sealed {
		panic("mcp: AddTool: tool " + t.Name + ": a tool whose calls become tasks takes Options.Sealer in a wasm build; set it to seal.New(nil)")
	}
	if !c.tools.put(added) {
		panic("mcp: AddTool: there is already a tool named " + t.Name)
	}
	c.changed |= listTools
	if t.Task.kind != nil {
		t.Task.kind.serve(c)
	}
}

// RemoveTool removes the tools with these names, as far as there are any.
// Calls in flight go on.
func (c *Catalog) RemoveTool(names ...string) {
	if c.tools.take(names) {
		c.changed |= listTools
	}
}

// AddPrompt adds a prompt. It panics on a programmer's mistake: a bad or
// repeated name, no handler, an argument without a name.
func (c *Catalog) AddPrompt(p Prompt, h PromptHandler) {
	added, err := newPrompt(p, h)
	if err != nil {
		panic("mcp: AddPrompt: " + err.Error())
	}
	if !c.prompts.put(added) {
		panic("mcp: AddPrompt: there is already a prompt named " + p.Name)
	}
	c.changed |= listPrompts
	c.serve.prompt, c.serve.list = (*Server).getPrompt, (*Server).appendList
	if p.Complete != nil {
		c.serve.complete = (*Server).complete
	}
}

// RemovePrompt removes the prompts with these names.
func (c *Catalog) RemovePrompt(names ...string) {
	if c.prompts.take(names) {
		c.changed |= listPrompts
	}
}

// AddResource adds a resource. It panics on a programmer's mistake: a bad or
// repeated URI, no name, no handler.
func (c *Catalog) AddResource(r Resource, h ReadHandler) {
	added, err := newResource(r, h)
	if err != nil {
		panic("mcp: AddResource: " + err.Error())
	}
	if !c.resources.put(added) {
		panic("mcp: AddResource: there is already a resource " + r.URI)
	}
	c.changed |= listResources
	c.serveResources()
}

// serveResources has resources served from now on.
func (c *Catalog) serveResources() {
	c.serve.resource, c.serve.list = (*Server).readResource, (*Server).appendList
	c.serve.subscribe = (*Server).subscribe
}

// RemoveResource removes the resources with these URIs.
func (c *Catalog) RemoveResource(uris ...string) {
	if c.resources.take(uris) {
		c.changed |= listResources
	}
}

// AddTemplate adds a family of resources. It panics on a programmer's mistake:
// a template that cannot be read or is there already, no name, no handler.
func (c *Catalog) AddTemplate(t ResourceTemplate, h ReadHandler) {
	added, err := newTemplate(t, h)
	if err != nil {
		panic("mcp: AddTemplate: " + err.Error())
	}
	if !c.templates.put(added) {
		panic("mcp: AddTemplate: there is already a template " + t.URITemplate)
	}
	c.changed |= listResources
	c.serveResources()
	if t.List != nil {
		c.serve.family = (*Server).appendFamilies
	}
	if t.Complete != nil {
		c.serve.complete = (*Server).complete
	}
}

// RemoveTemplate removes the templates written like this.
func (c *Catalog) RemoveTemplate(uriTemplates ...string) {
	if c.templates.take(uriTemplates) {
		c.changed |= listResources
	}
}

// AddTool is [Catalog.AddTool] as an [Server.Update] of its own.
func (s *Server) AddTool(t Tool, h Handler) { s.Update(func(c *Catalog) { c.AddTool(t, h) }) }

// AddPrompt is [Catalog.AddPrompt] as an Update of its own.
func (s *Server) AddPrompt(p Prompt, h PromptHandler) {
	s.Update(func(c *Catalog) { c.AddPrompt(p, h) })
}

// AddResource is [Catalog.AddResource] as an Update of its own.
func (s *Server) AddResource(r Resource, h ReadHandler) {
	s.Update(func(c *Catalog) { c.AddResource(r, h) })
}

// AddTemplate is [Catalog.AddTemplate] as an Update of its own.
func (s *Server) AddTemplate(t ResourceTemplate, h ReadHandler) {
	s.Update(func(c *Catalog) { c.AddTemplate(t, h) })
}

// RemoveTool is [Catalog.RemoveTool] as an Update of its own.
func (s *Server) RemoveTool(names ...string) { s.Update(func(c *Catalog) { c.RemoveTool(names...) }) }

// RemoveResource is [Catalog.RemoveResource] as an Update of its own.
func (s *Server) RemoveResource(uris ...string) {
	s.Update(func(c *Catalog) { c.RemoveResource(uris...) })
}

// RemovePrompt is [Catalog.RemovePrompt] as an Update of its own.
func (s *Server) RemovePrompt(names ...string) {
	s.Update(func(c *Catalog) { c.RemovePrompt(names...) })
}

// snapshot is what a server offers at one moment. It is never changed.
type snapshot struct {
	tools      set[*tool]
	prompts    set[*prompt]
	resources  set[*resource]
	templates  set[*template]
	bySpecific []*template // those that say most about a URI first
	serve      servers
	legacy     []byte // the member capabilities, without the last brace
	modern     []byte // the member capabilities
}

// offers returns what the server offers now.
func (s *Server) offers() *snapshot {
	if now := s.snapshot.Load(); now != nil {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offersLocked()
}

func (s *Server) offersLocked() *snapshot {
	if now := s.snapshot.Load(); now != nil {
		return now
	}
	now := &snapshot{
		tools: s.catalog.tools.set(), prompts: s.catalog.prompts.set(),
		resources: s.catalog.resources.set(), templates: s.catalog.templates.set(),
		serve: s.catalog.serve,
	}
	now.bySpecific = bySpecific(&now.templates)
	now.legacy = now.appendCapabilities(nil)
	now.modern = now.appendCapabilities(nil)
	if now.serve.task != nil {
		now.modern = add(now.modern, `,"extensions":{"`+extensionTasks+`":{}}`)
	}
	now.modern = addByte(now.modern, '}')
	s.snapshot.Store(now)
	return now
}

// bySpecific sorts templates by the bytes outside of their expressions, most
// first, and then by their text. It sorts texts that say so: each type that is
// sorted by its own function adds 10 KB to a wasm build.
func bySpecific(templates *set[*template]) []*template {
	var order []string
	for _, t := range templates.sorted {
		order = append(order, string(binary.BigEndian.AppendUint32(nil, ^uint32(t.literals)))+t.URITemplate)
	}
	slices.Sort(order)
	sorted := make([]*template, len(order))
	for i, text := range order {
		sorted[i] = templates.byKey[text[4:]]
	}
	return sorted
}

// appendCapabilities appends the capabilities of both eras, without the last
// brace.
func (n *snapshot) appendCapabilities(out []byte) []byte {
	out = add(out, `"capabilities":{"logging":{},"tools":{"listChanged":true}`)
	if n.prompts.used {
		out = add(out, `,"prompts":{"listChanged":true}`)
	}
	if n.resources.used || n.templates.used {
		out = add(out, `,"resources":{"listChanged":true,"subscribe":true}`)
	}
	if n.serve.complete != nil {
		out = add(out, `,"completions":{}`)
	}
	return out
}
