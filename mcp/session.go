package mcp

import "log/slog"

// session is what a connection knows beside the messages themselves. One
// goroutine uses it: the one that reads the connection.
type session struct {
	server  *Server
	scanner scanner
	meta    metaReader

	version string // the legacy version agreed on by initialize; "" before
}

func newSession(s *Server) *session {
	return &session{server: s, scanner: scanner{depthMax: s.options.MaxDepth}}
}

// action is what a request asks for.
type action uint8

const (
	actInitialize action = iota
	actPing
	actDiscover
	actToolsList
	actToolsCall
	actBatch // stands for the requests of a batch; see batch.go
)

// request is one request that has passed every check that needs no tool.
// Its slices live as long as the message's.
type request struct {
	id      []byte
	act     action
	modern  bool
	version string // the protocol version to answer by

	tool      *tool  // actToolsCall
	arguments []byte // actToolsCall: a JSON object; actBatch: the frame
	meta      []byte // the raw _meta, or nil
	cursor    string // actToolsList
}

// accept decides the era of a request and what it asks for. A request with a
// per-request protocol field is modern; any other belongs to the version that
// initialize agreed on, and before initialize lacks those fields.
func (c *session) accept(m *message) (request, *wireError) {
	r := request{id: m.id, meta: m.param("_meta")}
	meta := c.readMeta(r.meta)
	if meta.problem != nil {
		return r, meta.problem
	}
	var ok bool
	if meta.modern {
		r.modern, r.version = true, VersionModern
		r.act, ok = modernAction(m.method)
	} else {
		r.version = c.version
		r.act, ok = legacyAction(m.method)
		needsSession := r.act != actInitialize && r.act != actPing
		if c.version == "" && (!ok || needsSession) || string(m.method) == methodDiscover {
			return r, missingMeta(metaProtocolVersion)
		}
	}
	if !ok {
		return r, &wireError{code: CodeMethodNotFound, message: "method not found: " + shown(m.method)}
	}
	switch r.act {
	case actInitialize:
		return r, c.initialize(&r, m)
	case actToolsCall:
		return r, c.resolve(&r, m)
	case actToolsList:
		return r, c.readCursor(&r, m)
	}
	return r, nil
}

// readMeta reads a raw _meta, and has the scanner know it from now on.
func (c *session) readMeta(raw []byte) *requestMeta {
	meta := c.meta.read(raw)
	if last := c.meta.last.raw; len(last) > 0 && last[0] == '{' {
		c.scanner.known = last
	} else {
		c.scanner.known = nil
	}
	return meta
}

func modernAction(method []byte) (action, bool) {
	switch string(method) {
	case methodToolsCall:
		return actToolsCall, true
	case methodToolsList:
		return actToolsList, true
	case methodDiscover:
		return actDiscover, true
	}
	return 0, false
}

func legacyAction(method []byte) (action, bool) {
	switch string(method) {
	case methodToolsCall:
		return actToolsCall, true
	case methodToolsList:
		return actToolsList, true
	case methodPing:
		return actPing, true
	case methodInitialize:
		return actInitialize, true
	}
	return 0, false
}

// initialize agrees on a legacy version: the one asked for when it is served,
// else the newest (2025-11-25 basic/lifecycle, "Version Negotiation").
func (c *session) initialize(r *request, m *message) *wireError {
	asked := m.param("protocolVersion")
	if asked == nil || asked[0] != '"' {
		return &wireError{code: CodeInvalidParams, message: "initialize: params.protocolVersion must be a string"}
	}
	c.version = VersionLegacy
	if v := string(c.scanner.unquote(asked)); IsLegacyVersion(v) {
		c.version = v
	}
	r.version = c.version
	c.server.options.Logger.Debug("initialize", slog.String("version", c.version), slog.String("client", string(m.param("clientInfo"))))
	return nil
}

// resolve finds the tool of a tools/call and its arguments.
func (c *session) resolve(r *request, m *message) *wireError {
	name := m.param("name")
	if name == nil || name[0] != '"' {
		return &wireError{code: CodeInvalidParams, message: "tools/call: params.name must be a string"}
	}
	tools := c.server.tools.Load()
	unquoted := c.scanner.unquote(name)
	if r.tool = tools.byName[string(unquoted)]; r.tool == nil {
		return unknownTool(string(unquoted), tools)
	}
	switch r.arguments = m.param("arguments"); {
	case r.arguments == nil:
		r.arguments = emptyObject
	case r.arguments[0] != '{':
		return &wireError{code: CodeInvalidParams, message: "tools/call: params.arguments is an object, not " + describe(r.arguments)}
	}
	return nil
}

var emptyObject = []byte("{}")

func unknownTool(name string, tools *toolSet) *wireError {
	message := "Unknown tool: " + shown([]byte(name))
	if near := nearest(name, tools.names); near != "" {
		message += "; did you mean " + near + "?"
	}
	return &wireError{code: CodeInvalidParams, message: message}
}

// readCursor reads the cursor of a tools/list; an empty one is that of the
// first page.
func (c *session) readCursor(r *request, m *message) *wireError {
	cursor := m.param("cursor")
	if cursor == nil {
		return nil
	}
	if cursor[0] != '"' {
		return &wireError{code: CodeInvalidParams, message: "tools/list: params.cursor is a string, not " + describe(cursor)}
	}
	r.cursor = string(c.scanner.unquote(cursor))
	return nil
}

func invalidCursor() *wireError {
	return &wireError{code: CodeInvalidParams, message: "tools/list: invalid cursor; begin again without one"}
}
