package mcp

import (
	"context"
	"sync"
	"time"
)

// reader reads a connection's messages, or an Exchange's one. One goroutine
// uses it at a time.
type reader struct {
	server  *Server
	session *Session // nil: there is none
	link    *link
	scanner scanner
	meta    metaReader

	version string // what to serve a legacy message by that has no session
}

func newReader(l *link) *reader {
	return &reader{server: l.server, session: l.session, link: l, scanner: scanner{depthMax: l.server.options.MaxDepth, repeat: new(repeat)}}
}

// readers are for messages that come without a connection. Each keeps its
// slices, and the last _meta it has read.
var readers = sync.Pool{New: func() any { return &reader{scanner: scanner{repeat: new(repeat)}} }}

// borrowReader is newReader from the pool; giveBack is its partner.
func borrowReader(l *link) *reader {
	c := readers.Get().(*reader)
	c.server, c.session, c.link, c.version = l.server, l.session, l, ""
	c.scanner.depthMax = l.server.options.MaxDepth
	return c
}

func (c *reader) giveBack() {
	c.server, c.session, c.link = nil, nil, nil
	c.scanner.reset(nil)
	c.meta.scanner.reset(nil)
	readers.Put(c)
}

// link is where requests come from, and where messages about them go.
type link struct {
	server    *Server
	session   *Session // nil: none, as behind a modern request over HTTP
	out       sender   // nil: there is no way
	principal string
}

// client returns what is known of the sender of legacy messages.
func (c *reader) client() *client {
	if c.session != nil {
		if known := c.session.client.Load(); known.version != "" || c.version == "" {
			return known
		}
	}
	if c.version != "" {
		return &client{version: c.version}
	}
	return unknownClient
}

// action is what a request asks for.
type action uint8

const (
	actInitialize action = iota
	actPing
	actDiscover
	actToolsList
	actToolsCall
	actSetLevel
	actPromptsList
	actPromptsGet
	actResourcesList
	actTemplatesList
	actResourcesRead
	actSubscribe
	actUnsubscribe
	actComplete
	actListen
	actTasksGet
	actTasksUpdate
	actTasksCancel
	actTasksResult // legacy
	actTasksList   // legacy
	actBatch       // stands for the requests of a batch; see batch.go
)

// request is one request that has passed every check that needs no tool.
// Its slices live as long as the message's.
type request struct {
	id             []byte
	act            action
	modern         bool
	inline         bool // it runs on the reading goroutine
	mayHold, holds bool // its answer may wait, and does, for the guard's Commit
	client         *client
	link           *link
	level          uint8 // modern: the rank of the lowest level of log messages to send, or 0

	scanned *scanner // whose arguments are those of a tools/call; nil when it has moved on

	tool      *tool  // actToolsCall
	arguments []byte // actToolsCall: a JSON object; actBatch: the frame
	meta      []byte // the raw _meta, or nil
	retry     []byte // modern: the raw params when they answer questions, or nil
	name      string // of a prompt, a resource; or a list's cursor

	wantsTask bool          // legacy: a tools/call that is to become a task
	taskTTL   time.Duration // of it; 0 leaves it to the server
	after     func()        // called when the answer is written; nil: nothing

	failed     *wireError                        // what it was answered with, or nil
	toolFailed bool                              // a tools/call was answered with isError
	becameTask bool                              // a tools/call was answered with a task
	shows      func(kind Kind, name string) bool // what lists may have; nil: all
}

// accept decides the era of a request and what it asks for. A request with a
// per-request protocol field is modern; any other belongs to the version that
// initialize agreed on, and before initialize lacks those fields.
func (c *reader) accept(m *message, r *request) *wireError {
	r.reset(c.link, m)
	meta := c.metaOf(m, r.meta)
	if meta.problem != nil {
		return meta.problem
	}
	var ok bool
	if meta.modern {
		r.setClient(meta.client)
		r.modern, r.level = true, meta.level
		r.act, ok = modernAction(m.method)
	} else {
		r.setClient(c.client())
		r.act, ok = legacyAction(m.method)
		needsSession := r.act != actInitialize && r.act != actPing
		if r.client.version == "" && (!ok || needsSession) || string(m.method) == methodDiscover {
			return missingMeta(metaProtocolVersion)
		}
	}
	if !ok || r.act >= actPromptsList && !c.server.offers().offered(r) {
		return refuse(CodeMethodNotFound, "method not found: "+shown(m.method))
	}
	if r.act == actToolsCall {
		return c.resolve(r, m)
	}
	r.tool, r.arguments = nil, nil
	switch r.act {
	case actInitialize:
		return c.initialize(r, m)
	case actToolsList, actPromptsList, actResourcesList, actTemplatesList:
		return c.readCursor(r, m)
	case actPromptsGet:
		c.readRetry(r, m)
		if r.arguments = m.param("arguments"); r.arguments != nil && r.arguments[0] != '{' {
			return refuse(CodeInvalidParams, "prompts/get: params.arguments is an object, not "+describe(r.arguments))
		}
		return c.readName(r, m, "name")
	case actResourcesRead, actSubscribe, actUnsubscribe:
		c.readRetry(r, m)
		return c.readName(r, m, "uri")
	case actSetLevel:
		return c.setLevel(m)
	case actListen:
		r.arguments = m.param("notifications")
	case actTasksGet, actTasksUpdate, actTasksCancel, actTasksResult:
		return c.readTask(r, m)
	case actTasksList:
		return c.readCursor(r, m)
	case actComplete:
		r.arguments = m.params
	}
	return nil
}

// waits reports whether r may take long: it then runs on a worker.
func (r *request) waits() bool {
	switch r.act {
	case actToolsCall:
		if g := r.link.server.guard; g != nil && g.guard.Waits() {
			return true
		}
		return r.tool != nil && (!r.tool.Inline || r.tool.demoted.Load())
	case actPromptsGet, actResourcesRead, actComplete, actTasksGet, actTasksUpdate, actTasksCancel, actTasksResult, actTasksList:
		return true
	case actResourcesList:
		return r.link.server.offers().serve.family != nil
	}
	return false
}

// readTask reads a request about a task.
func (c *reader) readTask(r *request, m *message) *wireError {
	if r.modern && r.client.can&canTasks == 0 {
		return errNeedsTasks()
	}
	if r.act == actTasksUpdate {
		if r.arguments = m.param("inputResponses"); r.arguments == nil || r.arguments[0] != '{' {
			return refuse(CodeInvalidParams, "tasks/update: params.inputResponses is an object")
		}
	}
	return c.readName(r, m, "taskId")
}

// readName reads the member of params that names what is asked for.
func (c *reader) readName(r *request, m *message, member string) *wireError {
	name := m.param(member)
	if name == nil || name[0] != '"' {
		return refuse(CodeInvalidParams, string(m.method)+": params."+member+" must be a string")
	}
	r.name = string(c.scanner.unquote(name))
	return nil
}

// reset readies r for m. What is there already is not written again: a
// connection uses one request over and over, and while the garbage collector
// marks, each pointer that is written costs a barrier.
func (r *request) reset(l *link, m *message) {
	r.id, r.act, r.modern, r.inline, r.mayHold, r.holds, r.level = m.id, 0, false, false, false, false, 0
	r.wantsTask, r.taskTTL = false, 0
	if r.after != nil {
		r.after = nil
	}
	if r.scanned != m.scanner {
		r.scanned = m.scanner
	}
	if r.link != l {
		r.link = l
	}
	if meta := m.param("_meta"); meta != nil || r.meta != nil {
		r.meta = meta
	}
	if r.failed != nil {
		r.failed = nil
	}
	if r.retry != nil {
		r.retry = nil
	}
	if r.toolFailed || r.becameTask || r.shows != nil {
		r.toolFailed, r.becameTask, r.shows = false, false, nil
	}
	if r.name != "" {
		r.name = ""
	}
}

func (r *request) setClient(of *client) {
	if r.client != of {
		r.client = of
	}
}

// metaOf is readMeta for a message that may be a repetition of one whose _meta was
// the last to be read.
func (c *reader) metaOf(m *message, raw []byte) *requestMeta {
	if m.again && c.scanner.repeat.meta != nil {
		return c.scanner.repeat.meta
	}
	meta := c.readMeta(raw)
	if c.scanner.repeat != nil {
		c.scanner.repeat.meta = meta
	}
	return meta
}

// readMeta reads a raw _meta, and has the scanner know it from now on.
func (c *reader) readMeta(raw []byte) *requestMeta {
	if c.scanner.repeat != nil {
		c.scanner.repeat.meta = nil // it may have been this reader's last
	}
	meta := c.meta.read(raw)
	if last := c.meta.last.raw; len(last) > 0 && last[0] == '{' {
		c.scanner.known = last
	} else {
		c.scanner.known = nil
	}
	return meta
}

// commonAction returns what a method asks for that both eras have.
func commonAction(method []byte) (action, bool) {
	switch string(method) {
	case methodToolsList:
		return actToolsList, true
	case methodPromptsList:
		return actPromptsList, true
	case methodPromptsGet:
		return actPromptsGet, true
	case methodResourcesList:
		return actResourcesList, true
	case methodTemplatesList:
		return actTemplatesList, true
	case methodResourcesRead:
		return actResourcesRead, true
	case methodComplete:
		return actComplete, true
	}
	return 0, false
}

func modernAction(method []byte) (action, bool) {
	switch string(method) {
	case methodToolsCall:
		return actToolsCall, true
	case methodDiscover:
		return actDiscover, true
	case methodListen:
		return actListen, true
	case methodTasksGet:
		return actTasksGet, true
	case methodTasksUpdate:
		return actTasksUpdate, true
	case methodTasksCancel:
		return actTasksCancel, true
	}
	return commonAction(method)
}

func legacyAction(method []byte) (action, bool) {
	switch string(method) {
	case methodToolsCall:
		return actToolsCall, true
	case methodPing:
		return actPing, true
	case methodInitialize:
		return actInitialize, true
	case methodSetLevel:
		return actSetLevel, true
	case methodSubscribe:
		return actSubscribe, true
	case methodUnsubscribe:
		return actUnsubscribe, true
	case methodTasksGet:
		return actTasksGet, true
	case methodTasksResult:
		return actTasksResult, true
	case methodTasksList:
		return actTasksList, true
	case methodTasksCancel:
		return actTasksCancel, true
	}
	return commonAction(method)
}

// offered reports whether the server has the feature that r needs.
func (n *snapshot) offered(r *request) bool {
	switch r.act {
	case actPromptsList, actPromptsGet:
		return n.prompts.used
	case actResourcesList, actTemplatesList, actResourcesRead, actSubscribe, actUnsubscribe:
		return n.hasResources()
	case actComplete:
		return n.serve.complete != nil
	case actTasksGet, actTasksUpdate, actTasksCancel, actTasksResult, actTasksList:
		return n.serve.task != nil && (r.modern || r.client.version == versionTasks)
	}
	return true
}

func (n *snapshot) hasResources() bool { return n.resources.used || n.templates.used }

// initialize agrees on a legacy version: the one asked for when it is served,
// else the newest (2025-11-25 basic/lifecycle, "Version Negotiation").
func (c *reader) initialize(r *request, m *message) *wireError {
	asked := m.param("protocolVersion")
	if asked == nil || asked[0] != '"' {
		return refuse(CodeInvalidParams, "initialize: params.protocolVersion must be a string")
	}
	version := VersionLegacy
	if v := string(c.scanner.unquote(asked)); IsLegacyVersion(v) {
		version = v
	}
	r.client = newClient(version, m.param("capabilities"), m.param("clientInfo"))
	if c.session != nil {
		c.session.client.Store(r.client)
	}
	c.server.options.Logger.DebugContext(context.Background(), "initialize", "version", version, "client", string(m.param("clientInfo")))
	return nil
}

// resolve finds the tool of a tools/call and its arguments.
func (c *reader) resolve(r *request, m *message) *wireError {
	now := c.server.offers()
	if m.again && c.scanner.repeat.of == now {
		r.arguments = c.scanner.argumentsNow()
		if t := c.scanner.repeat.tool; r.tool != t {
			r.tool = t
		}
		return nil
	}
	var name, task []byte
	r.arguments = emptyObject
	for _, p := range c.scanner.params {
		switch value := c.scanner.at(p.value); string(c.scanner.at(p.name)) {
		case "name":
			name = value
		case "arguments":
			r.arguments = value
		case "inputResponses", "requestState":
			if r.modern {
				r.retry = m.params
			}
		case "task":
			task = value
		}
	}
	if name == nil || name[0] != '"' {
		return refuse(CodeInvalidParams, "tools/call: params.name must be a string")
	}
	tools := &now.tools
	unquoted := c.scanner.unquote(name)
	t := tools.byKey[string(unquoted)]
	if t == nil && c.server.guard != nil { // who asks may not be to know
		r.tool, r.name = nil, string(unquoted)
		return nil
	}
	if t == nil {
		return unknownTool(string(unquoted), tools)
	}
	if r.tool != t {
		r.tool = t
	}
	if r.arguments[0] != '{' {
		return refuse(CodeInvalidParams, "tools/call: params.arguments is an object, not "+describe(r.arguments))
	}
	if r.retry == nil && task == nil && t.Task.kind == nil && c.scanner.repeat != nil {
		c.scanner.repeat.tool, c.scanner.repeat.of = t, now
	}
	if serve := now.serve.wantsTask; serve != nil && r.client.version == versionTasks && (task != nil || t.Task.kind != nil) {
		return serve(r, task)
	}
	return nil
}

// readRetry notes that r answers questions of an earlier run.
func (c *reader) readRetry(r *request, m *message) {
	if r.modern && (m.param("inputResponses") != nil || m.param("requestState") != nil) {
		r.retry = m.params
	}
}

// target is what a request is about.
func (r *request) target() string {
	if r.tool != nil {
		return r.tool.Name
	}
	return r.name
}

var emptyObject = []byte("{}")

func unknownTool(name string, tools *set[*tool]) *wireError {
	message := "Unknown tool: " + shown([]byte(name))
	if near := nearest(name, tools.keys); near != "" {
		message += "; did you mean " + near + "?"
	}
	return refuse(CodeInvalidParams, message)
}

// readCursor reads the cursor of a list; an empty one is that of the first
// page.
func (c *reader) readCursor(r *request, m *message) *wireError {
	cursor := m.param("cursor")
	if cursor == nil {
		return nil
	}
	if cursor[0] != '"' {
		return refuse(CodeInvalidParams, string(m.method)+": params.cursor is a string, not "+describe(cursor))
	}
	r.name = string(c.scanner.unquote(cursor))
	return nil
}
