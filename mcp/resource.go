package mcp

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Resource describes a resource. URI and Name are required.
type Resource struct {
	URI         string
	Name        string
	Title       string // for people
	Description string // for the model
	MIMEType    string
	Size        int64 // in bytes; 0 when unknown
	Icons       []Icon
	Annotations *Annotations
}

// Icon is a picture for user interfaces.
type Icon struct {
	Source   string // an https or data URL
	MIMEType string
	Sizes    []string // such as 48x48, or any
	Theme    string   // light, dark, or empty
}

// appendMembers appends the members of a resource's listing, without braces.
func (r *Resource) appendMembers(dst []byte) []byte {
	dst = appendString(add(dst, `"uri":`), r.URI)
	dst = appendString(add(dst, `,"name":`), r.Name)
	dst = appendOptional(dst, "title", r.Title)
	dst = appendOptional(dst, "description", r.Description)
	dst = appendOptional(dst, "mimeType", r.MIMEType)
	if r.Size > 0 {
		dst = strconv.AppendInt(add(dst, `,"size":`), r.Size, 10)
	}
	return appendIcons(dst, r.Icons)
}

// appendOptional appends a member with a leading comma, unless it is empty.
func appendOptional(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendString(addByte(appendString(addByte(dst, ','), name), ':'), text)
}

// appendIcons appends the member icons with a leading comma, if there are any.
func appendIcons(dst []byte, icons []Icon) []byte {
	if len(icons) == 0 {
		return dst
	}
	dst = add(dst, `,"icons":[`)
	for i, icon := range icons {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		dst = appendString(add(dst, `{"src":`), icon.Source)
		dst = appendOptional(dst, "mimeType", icon.MIMEType)
		if len(icon.Sizes) > 0 {
			dst = appendStrings(add(dst, `,"sizes":`), icon.Sizes)
		}
		dst = addByte(appendOptional(dst, "theme", icon.Theme), '}')
	}
	return addByte(dst, ']')
}

// ResourceTemplate describes a family of resources. URITemplate and Name are
// required.
type ResourceTemplate struct {
	// URITemplate is a template of RFC 6570, level 1 to 3, such as
	// file:///{+path} or db://{table}/{id}{?columns}.
	URITemplate string
	Name        string
	Title       string // for people
	Description string // for the model
	MIMEType    string
	Icons       []Icon
	Annotations *Annotations
	// Complete, when not nil, suggests values for the variables.
	Complete CompleteHandler
	// List, when not nil, lists resources of the family: resources/list has them
	// behind those that were added one by one.
	List ListHandler
	// AllowListen, when not nil, is asked before a client listens to a resource of
	// the family: a change told is something said. Its error refuses the request.
	AllowListen func(ctx context.Context, uri string) error
	// OnListen, when not nil, is called when a client begins to listen to resources
	// of this server, and stop when none does any more: for a family that is watched
	// only meanwhile. Before it returns, what changes from then on must be told by
	// [Server.ResourceUpdated]. Both are called one at a time, and may not add or
	// remove what the server offers.
	OnListen func() (stop func())
}

// ListRequest asks for a page of a family's resources.
type ListRequest struct {
	Cursor string // Next of the page before; empty is the first
	Limit  int    // of resources; at least 1

	handle
}

// ListResult is a page.
type ListResult struct {
	Resources []Resource
	Next      string // the Cursor of the next page; empty when this one is the last
}

// ListHandler lists resources. Errors are answered as a [ReadHandler]'s are; with
// [ErrCursor] the client is told to begin again.
type ListHandler func(ctx context.Context, req *ListRequest) (*ListResult, error)

// ErrCursor is what a [ListHandler] returns, wrapped or not, for a cursor that it
// did not give.
var ErrCursor = errors.New("invalid cursor; begin again without one")

// ReadRequest is one request to read a resource. It is valid only until the
// handler returns.
type ReadRequest struct {
	URI string
	// Variables are the values of the template's variables, percent-decoded: a
	// value may hold slashes and dots, also where the template has none. What
	// the URI leaves out is not there. nil for a resource of its own.
	Variables       map[string]string
	Meta            []byte // the request's _meta object; nil when there was none
	ProtocolVersion string

	handle
}

// Call returns the handle of this request; see [CallRequest.Call].
func (r *ReadRequest) Call() *Call { return r.open() }

// ReadResult is what a resource holds. The zero value of the caching hints has
// modern clients keep nothing.
type ReadResult struct {
	Contents []ResourceContents // an empty URI stands for that of the request
	Fresh    time.Duration      // how long a client may hold it for fresh
	Public   bool               // it is the same for every client
}

// ReadHandler reads a resource. [ErrNoResource] says that there is none; an
// [*Error] is answered as it is, any other with -32603 and its text; a panic is
// answered with -32603 and logged.
type ReadHandler func(ctx context.Context, req *ReadRequest) (*ReadResult, error)

// ErrNoResource is what a [ReadHandler] returns, wrapped or not, for a resource
// that does not exist. It is answered with -32602 (-32002 in the legacy era).
var ErrNoResource = errors.New("resource not found")

// resource is a registered resource.
type resource struct {
	Resource
	handler ReadHandler
	listing []byte
}

func (r *resource) key() string          { return r.URI }
func (r *resource) listed(string) []byte { return r.listing }

func newResource(r Resource, h ReadHandler) (*resource, error) {
	if err := checkURI(r.URI); err != nil {
		return nil, err
	}
	if h == nil || r.Name == "" {
		return nil, newError("resource " + r.URI + " has no handler or no name")
	}
	made := &resource{Resource: r, handler: h}
	made.listing = addByte(r.Annotations.appendTo(r.appendMembers([]byte{'{'})), '}')
	return made, nil
}

// template is a registered resource template.
type template struct {
	ResourceTemplate
	handler  ReadHandler
	listing  []byte
	literals int
	match    func(uri string) (map[string]string, bool)
}

func (t *template) key() string          { return t.URITemplate }
func (t *template) listed(string) []byte { return t.listing }

func newTemplate(t ResourceTemplate, h ReadHandler) (*template, error) {
	if err := checkURI(t.URITemplate); err != nil {
		return nil, err
	}
	if h == nil || t.Name == "" {
		return nil, newError("template " + t.URITemplate + " has no handler or no name")
	}
	parsed, err := parseTemplate(t.URITemplate)
	if err != nil {
		return nil, err
	}
	out := appendString([]byte(`{"uriTemplate":`), t.URITemplate)
	out = appendString(add(out, `,"name":`), t.Name)
	out = appendOptional(out, "title", t.Title)
	out = appendOptional(out, "description", t.Description)
	out = appendOptional(out, "mimeType", t.MIMEType)
	out = addByte(t.Annotations.appendTo(appendIcons(out, t.Icons)), '}')
	return &template{ResourceTemplate: t, handler: h, listing: out, literals: parsed.literals, match: parsed.match}, nil
}

// find returns who reads uri, and the values of a template's variables.
func (n *snapshot) find(uri string) (ReadHandler, map[string]string) {
	if r := n.resources.byKey[uri]; r != nil {
		return r.handler, nil
	}
	for _, t := range n.bySpecific {
		if values, ok := t.match(uri); ok {
			return t.handler, values
		}
	}
	return nil, nil
}

// mayListen asks the server's owner, and the family of a resource, whether a client may
// hear of it.
func (s *Server) mayListen(ctx context.Context, now *snapshot, uri string) *wireError {
	if s.guard != nil {
		allow := func(ctx context.Context, uri string) error { return s.guard.guard.Allow(ctx, KindResource, uri) }
		if bad := s.askListen(ctx, "the permission to listen", uri, allow); bad != nil {
			return bad
		}
	}
	if allow := s.options.AllowListen; allow != nil {
		if bad := s.askListen(ctx, "the permission to listen", uri, allow); bad != nil {
			return bad
		}
	}
	if now.resources.byKey[uri] != nil {
		return nil
	}
	for _, t := range now.bySpecific {
		if _, ok := t.match(uri); !ok {
			continue
		}
		if t.AllowListen == nil {
			return nil
		}
		return s.askListen(ctx, "the permission to listen to "+t.URITemplate, uri, t.AllowListen)
	}
	return nil
}

func (s *Server) askListen(ctx context.Context, what, uri string, allow func(ctx context.Context, uri string) error) *wireError {
	_, err := guarded(ctx, s, what, func(ctx context.Context) (struct{}, error) { return struct{}{}, allow(ctx, uri) })
	if err == nil {
		return nil
	}
	if bad := protocolError(err, true); bad != nil {
		return bad
	}
	if _, crashed := errors.AsType[*panicked](err); crashed {
		return crashedUnseen(what)
	}
	return refuse(CodeInvalidRequest, err.Error())
}

// readResource serves resources/read.
func (s *Server) readResource(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	handler, values := s.offers().find(r.name)
	if handler == nil {
		return out, noResource(r)
	}
	req := &ReadRequest{URI: r.name, Variables: values, Meta: r.meta, ProtocolVersion: r.client.version, handle: handle{from: r, ctx: ctx}}
	result, bad := run(ctx, s, "resource "+shown([]byte(r.name)), &req.handle, func(ctx context.Context) (*ReadResult, error) { return handler(ctx, req) })
	if bad != nil {
		return out, bad
	}
	if result == nil {
		result = &ReadResult{}
	}
	if r.modern {
		out = addByte(out, ',')
	}
	out = add(out, `"contents":[`)
	for i := range result.Contents {
		contents := result.Contents[i]
		if contents.URI == "" {
			contents.URI = r.name
		}
		if i > 0 {
			out = addByte(out, ',')
		}
		var err error
		if out, err = contents.appendTo(out); err != nil {
			return out, s.badResult(ctx, "resource "+shown([]byte(r.name)), wrap("contents "+itoa(i)+" ", err))
		}
	}
	out = addByte(out, ']')
	if !r.modern {
		return out, nil
	}
	fresh, scope := result.Fresh, "private"
	if result.Public {
		scope = "public"
	}
	if r.retry != nil {
		fresh = 0 // it depends on answers (server/utilities/caching, "Cache Key")
	}
	return appendCaching(out, fresh, scope), nil
}

// noResource is the error for a resource that does not exist.
func noResource(r *request) *wireError {
	e := refuse(CodeInvalidParams, "Resource not found")
	if !r.modern {
		e.code = CodeNoResource
	}
	e.data = addByte(appendString([]byte(`{"uri":`), r.name), '}')
	return e
}

// run runs a handler that is not a tool's, and turns what it did into an
// answer: its result, or the error.
func run[R any](ctx context.Context, s *Server, what string, h *handle, f func(ctx context.Context) (R, error)) (result R, bad *wireError) {
	r := h.from
	result, err := guarded(ctx, s, what, f)
	if h.call != nil {
		h.finish()
		if ask := h.call.ending(); ask != nil {
			return result, ask
		}
	}
	if err == nil {
		return result, nil
	}
	if bad := protocolError(err, r.modern); bad != nil {
		return result, bad
	}
	if _, crashed := errors.AsType[*panicked](err); crashed {
		return result, crashedUnseen(what)
	}
	if errors.Is(err, ErrNoResource) {
		return result, noResource(r)
	}
	return result, refuse(CodeInternal, what+": "+err.Error())
}

// crashedUnseen is the answer where a handler panicked: why is for the log.
func crashedUnseen(what string) *wireError {
	return refuse(CodeInternal, what+" failed unexpectedly; the server's log has the details")
}

// guarded runs f and makes an error of its panic, which is logged.
func guarded[R any](ctx context.Context, s *Server, what string, f func(ctx context.Context) (R, error)) (result R, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.options.Logger.ErrorContext(ctx, "a handler panicked",
				"of", what, "panic", v, "stack", ownStack())
			err = &panicked{}
		}
	}()
	return f(ctx)
}
