package forge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/ingot-run/ingot/internal/wasmtools"
	"github.com/ingot-run/ingot/mcp"
)

// offer is what a generation has for clients. It is filled as a catalog is.
type offer struct {
	tools     map[string]*offered[mcp.Tool, mcp.Handler]
	prompts   map[string]*offered[mcp.Prompt, mcp.PromptHandler]
	resources map[string]*offered[mcp.Resource, mcp.ReadHandler]
	templates map[string]*offered[mcp.ResourceTemplate, mcp.ReadHandler]
	errs      []error
}

var _ wasmtools.Catalog = (*offer)(nil)

// offered is one thing with what answers.
type offered[L, H any] struct {
	listing L
	handler H
}

func newOffer() offer {
	return offer{
		tools:     map[string]*offered[mcp.Tool, mcp.Handler]{},
		prompts:   map[string]*offered[mcp.Prompt, mcp.PromptHandler]{},
		resources: map[string]*offered[mcp.Resource, mcp.ReadHandler]{},
		templates: map[string]*offered[mcp.ResourceTemplate, mcp.ReadHandler]{},
	}
}

// fail notes what keeps the offer from being made.
func (o *offer) fail(err error) { o.errs = append(o.errs, err) }

// AddTool offers a tool.
func (o *offer) AddTool(t mcp.Tool, h mcp.Handler) { add(o, o.tools, "tools", t.Name, t, h) }

// AddPrompt offers a prompt.
func (o *offer) AddPrompt(p mcp.Prompt, h mcp.PromptHandler) {
	add(o, o.prompts, "prompts", p.Name, p, h)
}

// AddResource offers a resource.
func (o *offer) AddResource(r mcp.Resource, h mcp.ReadHandler) {
	add(o, o.resources, "resources", r.URI, r, h)
}

// AddTemplate offers a family of resources. Its OnListen is not called, since a server
// asks only the families that it has when the first client listens: the server's own,
// [mcp.Options].OnListen, is for resources that come and go.
func (o *offer) AddTemplate(t mcp.ResourceTemplate, h mcp.ReadHandler) {
	add(o, o.templates, "resource templates", t.URITemplate, t, h)
}

func add[L, H any](o *offer, to map[string]*offered[L, H], what, name string, listing L, handler H) {
	if _, taken := to[name]; taken {
		o.fail(fmt.Errorf("there are two %s named %.300q, of the file or its modules: give one another name", what, name))
		return
	}
	to[name] = &offered[L, H]{listing, handler}
}

// check makes the offer to a server of no use, whose refusals are errors while no
// client has seen anything.
func (g *generation) check() (err error) {
	if len(g.errs) > 0 {
		return errors.Join(g.errs...)
	}
	server := mcp.NewServer(mcp.Options{})
	defer server.Close()
	defer func() {
		if refused := recover(); refused != nil {
			err = fmt.Errorf("%s: %v", g.config.Files[0], refused)
		}
	}()
	empty := newOffer()
	server.Update(func(c *mcp.Catalog) { g.project.replace(c, &empty, &g.offer) })
	return nil
}

// swap has g serve in the place of the generation that does, in one step for each
// request, and tells clients of lists that changed. p.reloading is held.
func (p *Project) swap(g *generation) {
	before := p.now.Load()
	nothing := newOffer()
	old := &nothing
	if before != nil {
		old = &before.offer
	}
	p.open.Add(1) // partner: release
	p.server.Update(func(c *mcp.Catalog) {
		p.now.Store(g)
		p.replace(c, old, &g.offer)
	})
	p.metrics.Show(g.counted)
	if before != nil {
		before.retire()
	}
}

// replace makes a catalog that has the offer old one that has the offer next. What is
// listed as before stays in its place: its handler finds the generation that serves.
func (p *Project) replace(c *mcp.Catalog, old, next *offer) {
	exchange(old.tools, next.tools, c.RemoveTool, func(t mcp.Tool) { c.AddTool(t, p.callTool) })
	exchange(old.prompts, next.prompts, c.RemovePrompt, func(listed mcp.Prompt) {
		if listed.Complete != nil {
			listed.Complete = p.completePrompt
		}
		c.AddPrompt(listed, p.getPrompt)
	})
	exchange(old.resources, next.resources, c.RemoveResource, func(r mcp.Resource) { c.AddResource(r, p.readResource) })
	exchange(old.templates, next.templates, c.RemoveTemplate, func(t mcp.ResourceTemplate) { p.addFamily(c, t) })
}

// exchange removes and adds what differs.
func exchange[L, H any](old, next map[string]*offered[L, H], remove func(names ...string), add func(L)) {
	for name, before := range old {
		if now, stays := next[name]; !stays || !alike(before.listing, now.listing) {
			remove(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		now := next[name]
		if before, stays := old[name]; !stays || !alike(before.listing, now.listing) {
			add(now.listing)
		}
	}
}

// alike says whether two listings say the same: functions count as there or not.
func alike(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		f, g := x.Field(i), y.Field(i)
		if !x.Type().Field(i).IsExported() {
			continue
		}
		if f.Kind() == reflect.Func {
			if f.IsNil() != g.IsNil() {
				return false
			}
		} else if !reflect.DeepEqual(f.Interface(), g.Interface()) {
			return false
		}
	}
	return true
}

// serving finds what has a name in the generation that serves, which the caller then
// holds, unless there is an error.
func serving[L, H any](p *Project, of func(*offer) map[string]*offered[L, H], what, name string) (*generation, *offered[L, H], error) {
	if g := p.hold(); g != nil {
		if found, ok := of(&g.offer)[name]; ok {
			return g, found, nil
		}
		g.release()
	}
	return nil, nil, &mcp.Error{Code: mcp.CodeInvalidParams, Message: fmt.Sprintf("Unknown %s: %.300s", what, name)}
}

func ofTools(o *offer) map[string]*offered[mcp.Tool, mcp.Handler]             { return o.tools }
func ofPrompts(o *offer) map[string]*offered[mcp.Prompt, mcp.PromptHandler]   { return o.prompts }
func ofResources(o *offer) map[string]*offered[mcp.Resource, mcp.ReadHandler] { return o.resources }
func ofTemplates(o *offer) map[string]*offered[mcp.ResourceTemplate, mcp.ReadHandler] {
	return o.templates
}

// callTool calls a tool of the generation that serves. The error of one that is not
// there any more is what the server answers when it never was: the request was read
// before the tool was taken away.
func (p *Project) callTool(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	g, tool, err := serving(p, ofTools, "tool", r.Name)
	if err != nil {
		return nil, err
	}
	defer g.release() // partner: serving
	return tool.handler(ctx, r)
}

// getPrompt fills in a prompt.
func (p *Project) getPrompt(ctx context.Context, r *mcp.PromptRequest) (*mcp.PromptResult, error) {
	g, prompt, err := serving(p, ofPrompts, "prompt", r.Name)
	if err != nil {
		return nil, err
	}
	defer g.release() // partner: serving
	return prompt.handler(ctx, r)
}

// completePrompt suggests values for the arguments of a prompt.
func (p *Project) completePrompt(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	g, prompt, err := serving(p, ofPrompts, "prompt", r.Prompt)
	if err != nil {
		return nil, err
	}
	defer g.release() // partner: serving
	if prompt.listing.Complete == nil {
		return &mcp.CompleteResult{}, nil
	}
	return prompt.listing.Complete(ctx, r)
}

// readResource reads a resource.
func (p *Project) readResource(ctx context.Context, r *mcp.ReadRequest) (*mcp.ReadResult, error) {
	g, resource, err := serving(p, ofResources, "resource", r.URI)
	if err != nil {
		return nil, err
	}
	defer g.release() // partner: serving
	return resource.handler(ctx, r)
}

// addFamily adds a template each of whose functions asks the generation that serves.
func (p *Project) addFamily(c *mcp.Catalog, t mcp.ResourceTemplate) {
	name, family := t.URITemplate, "resource template"
	if t.Complete != nil {
		t.Complete = func(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			g, now, err := serving(p, ofTemplates, family, name)
			if err != nil {
				return nil, err
			}
			defer g.release() // partner: serving
			if now.listing.Complete == nil {
				return &mcp.CompleteResult{}, nil
			}
			return now.listing.Complete(ctx, r)
		}
	}
	if t.List != nil {
		t.List = func(ctx context.Context, r *mcp.ListRequest) (*mcp.ListResult, error) {
			g, now, err := serving(p, ofTemplates, family, name)
			if err != nil {
				return nil, err
			}
			defer g.release() // partner: serving
			if now.listing.List == nil {
				return &mcp.ListResult{}, nil
			}
			return now.listing.List(ctx, r)
		}
	}
	if t.AllowListen != nil {
		t.AllowListen = func(ctx context.Context, uri string) error {
			g, now, err := serving(p, ofTemplates, family, name)
			if err != nil {
				return err
			}
			defer g.release() // partner: serving
			if now.listing.AllowListen == nil {
				return nil
			}
			return now.listing.AllowListen(ctx, uri)
		}
	}
	t.OnListen = nil // see offer.AddTemplate
	c.AddTemplate(t, func(ctx context.Context, r *mcp.ReadRequest) (*mcp.ReadResult, error) {
		g, now, err := serving(p, ofTemplates, family, name)
		if err != nil {
			return nil, err
		}
		defer g.release() // partner: serving
		return now.handler(ctx, r)
	})
}
