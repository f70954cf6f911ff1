package resource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// timeMax bounds a read or a write that has no deadline of its own.
const timeMax = 30 * time.Second

// Function is a Go function that answers a resource: JSON in, any value out.
type Function func(ctx context.Context, args []byte) (any, error)

// Options are what the resources of a file stand on.
type Options struct {
	// Allow, when not nil, is asked before anything is read, listed, completed or listened
	// to. Its error is the answer.
	Allow func(ctx context.Context) error
	// State is what resources of the state show.
	State state.Manager
	// Lookup is the state of inline expressions; nil: none.
	Lookup expression.State
	// Function finds the function of a handler.
	Function func(path string) (Function, error)
	// Secrets are taken out of errors.
	Secrets config.Secrets
	// Logger is told of what clients are not; nil discards.
	Logger *slog.Logger
}

// Set is the resources of one reading of a file. It is safe for concurrent use.
type Set struct {
	options Options
	entries []*entry // the most specific first
	closers []func()
}

// entry is one of them.
type entry struct {
	config   *config.Resource
	template *mcp.URITemplate
	plain    bool // the URI has no variables
	source   source
	cache    *cache // nil: none
}

// NewSet makes the resources. The error names the place of the resource that cannot be
// made, and why. Close ends what it has opened.
func NewSet(list []config.Resource, o Options) (_ *Set, err error) {
	if o.Allow == nil {
		o.Allow = func(context.Context) error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Set{options: o}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for i := range list {
		e, err := s.entry(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%s: resource %s: %w", list[i].Pos, list[i].Name, err)
		}
		s.entries = append(s.entries, e)
	}
	slices.SortStableFunc(s.entries, func(a, b *entry) int { // as package mcp has it
		if a.plain != b.plain {
			if a.plain {
				return -1
			}
			return 1
		}
		x, y := a.config.URITemplate, b.config.URITemplate
		return cmp.Or(literals(y)-literals(x), strings.Compare(x, y))
	})
	return s, nil
}

// literals counts the bytes of a template outside of its expressions.
func literals(template string) int {
	n, inside := 0, false
	for i := range len(template) {
		switch c := template[i]; {
		case c == '{':
			inside = true
		case c == '}':
			inside = false
		case !inside:
			n++
		}
	}
	return n
}

func (s *Set) entry(c *config.Resource) (*entry, error) {
	template, err := mcp.ParseURITemplate(c.URITemplate)
	if err != nil {
		return nil, err
	}
	e := &entry{config: c, template: template, plain: !strings.Contains(c.URITemplate, "{")}
	switch {
	case c.File != "":
		e.source = &fileSource{path: c.File, bytesMax: c.ContentBytesMax}
	case c.Root != "":
		if e.source, err = openFolder(c, e, s.options.Logger); err != nil {
			return nil, err
		}
	case c.HTTP != nil:
		made, err := newHTTP(c, s.options.Secrets)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, made.close)
		e.source = made
	case c.Handler != nil:
		if e.source, err = newHandler(c, template.Variables(), s.options); err != nil {
			return nil, err
		}
	default:
		e.source = &stateSource{state: s.options.State, prefix: c.StatePrefix, entry: e}
	}
	if c.Cache != nil {
		e.cache = newCache(c.Cache)
	}
	return e, nil
}

// Close ends what the set has opened. Reads that go on may fail.
func (s *Set) Close() {
	for _, close := range slices.Backward(s.closers) {
		close()
	}
	s.closers = nil
}

// Writable says whether clients may write any of the resources.
func (s *Set) Writable() bool {
	return slices.ContainsFunc(s.entries, func(e *entry) bool { return e.config.Write })
}

// WritableURIs are the URIs and templates of those that clients may write.
func (s *Set) WritableURIs() (all []string) {
	for _, e := range s.entries {
		if e.config.Write {
			all = append(all, e.config.URITemplate)
		}
	}
	return all
}

// Catalog is what resources are added to, such as an mcp.Catalog.
type Catalog interface {
	AddResource(r mcp.Resource, h mcp.ReadHandler)
	AddTemplate(t mcp.ResourceTemplate, h mcp.ReadHandler)
}

// AddTo lists the resources that clients may read.
func (s *Set) AddTo(c Catalog) {
	for _, e := range s.entries {
		r := e.config
		if !r.Read {
			continue
		}
		read := func(ctx context.Context, req *mcp.ReadRequest) (*mcp.ReadResult, error) {
			return s.read(ctx, e, &place{req.URI, req.Variables})
		}
		if e.plain {
			media := cmp.Or(r.MIMEType, mimeOfName(r.File))
			c.AddResource(mcp.Resource{URI: r.URITemplate, Name: r.Name, Title: r.Title, Description: r.Description, MIMEType: media}, read)
			continue
		}
		t := mcp.ResourceTemplate{URITemplate: r.URITemplate, Name: r.Name, Title: r.Title, Description: r.Description, MIMEType: r.MIMEType}
		if l, ok := e.source.(lister); ok {
			t.List = func(ctx context.Context, req *mcp.ListRequest) (*mcp.ListResult, error) {
				if err := s.options.Allow(ctx); err != nil {
					return nil, err
				}
				result, err := l.list(ctx, req)
				return result, s.worded(err)
			}
			t.Complete = func(ctx context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				if err := s.options.Allow(ctx); err != nil {
					return nil, err
				}
				result, err := l.complete(ctx, req.Value)
				return result, s.worded(err)
			}
		}
		c.AddTemplate(t, read)
	}
}

// find returns the entry of a URI, and where in it; nil when there is none.
func (s *Set) find(uri string) (*entry, *place) {
	for _, e := range s.entries {
		if e.plain {
			if e.config.URITemplate == uri {
				return e, &place{uri: uri}
			}
			continue
		}
		if variables, ok := e.template.Match(uri); ok {
			return e, &place{uri, variables}
		}
	}
	return nil, nil
}

// Read reads the resource of a URI. Errors: mcp.ErrNoResource, also for one that clients
// may not read.
func (s *Set) Read(ctx context.Context, uri string) (*mcp.ReadResult, error) {
	e, at := s.find(uri)
	if e == nil || !e.config.Read {
		return nil, mcp.ErrNoResource
	}
	return s.read(ctx, e, at)
}

func (s *Set) read(ctx context.Context, e *entry, at *place) (*mcp.ReadResult, error) {
	if err := s.options.Allow(ctx); err != nil {
		return nil, err
	}
	if result := e.cache.get(at.uri); result != nil {
		return result, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeMax)
	defer cancel()
	began := e.cache.begin()
	c, err := e.source.read(ctx, at)
	if err != nil {
		return nil, s.worded(err)
	}
	if most := e.config.ContentBytesMax; e.config.HTTP == nil && uint64(len(c.Bytes)) > most {
		return nil, tooLong(uint64(len(c.Bytes)), most)
	}
	result := &mcp.ReadResult{Contents: []mcp.ResourceContents{c.contents(at.uri, e.config.MIMEType)}}
	return e.cache.put(at.uri, result, began), nil
}

func tooLong(bytes, most uint64) error {
	return fault.New(fault.Failed, "the content has %d bytes, and at most %d are read and written here (content_max)", bytes, most)
}

// Write puts content in place of what a resource holds. Its errors are of package
// fault.
func (s *Set) Write(ctx context.Context, uri string, c *Content) error {
	e, at := s.find(uri)
	switch {
	case e == nil:
		return fault.New(fault.InvalidInput, "no resource here has the URI %.200q; those that can be written are %s", uri, strings.Join(s.WritableURIs(), ", "))
	case !e.config.Write:
		return fault.New(fault.Denied, "the resource %.200q can be read only", uri)
	case uint64(len(c.Bytes)) > e.config.ContentBytesMax:
		return tooLong(uint64(len(c.Bytes)), e.config.ContentBytesMax)
	}
	ctx, cancel := context.WithTimeout(ctx, timeMax)
	defer cancel()
	err := e.source.write(ctx, at, c)
	e.cache.drop() // also after a failure, which may have changed something
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mcp.ErrNoResource):
		return fault.New(fault.InvalidInput, "nothing can be written at %.200q", uri)
	case errors.As(err, &known):
		shown := *known // which a function may answer again and again
		shown.Message = s.options.Secrets.Redact(shown.Message)
		return &shown
	}
	return fault.Because(err, fault.ClassOf(err), "%s", s.options.Secrets.Redact(err.Error()))
}

// worded makes an error of a read fit for clients.
func (s *Set) worded(err error) error {
	var coded *mcp.Error
	switch {
	case err == nil, errors.Is(err, mcp.ErrNoResource), errors.Is(err, mcp.ErrCursor), errors.Is(err, mcp.ErrInputRequired), errors.As(err, &coded):
		return err
	case fault.ClassOf(err) == fault.InvalidInput:
		return &mcp.Error{Code: mcp.CodeInvalidParams, Message: s.options.Secrets.Redact(err.Error())}
	}
	if text := s.options.Secrets.Redact(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}
