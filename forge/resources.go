package forge

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/resource"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Content is what a function that answers a resource may return, to say a media type:
// see the key handler of a resource in docs/CONFIG.md. A string is text, a []byte is
// bytes, nil is no resource, and any other value is JSON.
type Content = resource.Content

// ReadResources stands for the reading of resources in access rules, as the name of a
// tool does for its calls.
const ReadResources = "resource_read"

// ruled are the names that access rules may have.
func (g *generation) ruled() []string {
	names := g.toolNames()
	if len(g.offer.resources)+len(g.offer.templates) > 0 {
		names = append(names, ReadResources)
	}
	return names
}

// mayRead asks the access rules whether the caller may read resources.
func (g *generation) mayRead(ctx context.Context) error {
	if ask := g.project.options.Allow; ask != nil {
		return ask(ctx, ReadResources)
	}
	return nil
}

// ruledCatalog offers what modules have: their resources under the access rules of the
// file's own.
type ruledCatalog struct{ *generation }

// AddResource implements wasmtools.Catalog.
func (c ruledCatalog) AddResource(r mcp.Resource, h mcp.ReadHandler) {
	c.offer.AddResource(r, c.ruledRead(h))
}

// AddTemplate implements wasmtools.Catalog.
func (c ruledCatalog) AddTemplate(t mcp.ResourceTemplate, h mcp.ReadHandler) {
	if complete := t.Complete; complete != nil {
		t.Complete = func(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			if err := c.mayRead(ctx); err != nil {
				return nil, err
			}
			return complete(ctx, r)
		}
	}
	c.offer.AddTemplate(t, c.ruledRead(h))
}

func (c ruledCatalog) ruledRead(h mcp.ReadHandler) mcp.ReadHandler {
	return func(ctx context.Context, r *mcp.ReadRequest) (*mcp.ReadResult, error) {
		if err := c.mayRead(ctx); err != nil {
			return nil, err
		}
		return h(ctx, r)
	}
}

// addResources offers the resources of the file. Handlers run on the generation that
// they belong to; see Project.hold.
func (g *generation) addResources() error {
	public := state.Public(g.project.state)
	sees := &seen{public}
	set, err := resource.NewSet(g.config.Resources, resource.Options{
		Allow: g.mayRead, State: public, Lookup: sees, Secrets: g.config.Secrets, Logger: g.project.options.Logger,
		Function: func(path string) (resource.Function, error) {
			f, err := function(path)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, args []byte) (any, error) {
				return f.call(expression.WithState(ctx, sees), args)
			}, nil
		},
	})
	if err != nil {
		return err
	}
	g.resources = set
	g.closers = append(g.closers, set.Close)
	set.AddTo(&g.offer)
	if set.Writable() {
		return g.addWriteTool(set)
	}
	return nil
}

// writeSchema are the arguments of the tool that writes resources, writtenSchema its
// answers.
const (
	writeSchema = `{"type":"object","properties":{` +
		`"uri":{"type":"string","minLength":1,"maxLength":8192,"description":"The resource's URI."},` +
		`"text":{"type":"string","description":"What it is to hold, as text."},` +
		`"blob":{"type":"string","description":"What it is to hold, as base64: in place of text."},` +
		`"mime_type":{"type":"string","maxLength":256,"description":"The media type, for resources that keep one."}` +
		`},"required":["uri"],"additionalProperties":false}`
	writtenSchema = `{"type":"object","properties":{"uri":{"type":"string"},"bytes":{"type":"integer"}},"required":["uri","bytes"]}`
)

// addWriteTool offers the tool by which clients write resources: MCP has no request for
// it.
func (g *generation) addWriteTool(set *resource.Set) error {
	yes, no := true, false
	t := &config.Tool{
		Kind: config.KindNative, Name: config.WriteTool, Title: "Write a resource",
		Description:  "Puts new content in the place of what a resource holds, or makes one. Resources that can be written: " + strings.Join(set.WritableURIs(), ", "),
		Annotations:  &mcp.ToolAnnotations{ReadOnlyHint: &no, DestructiveHint: &yes, IdempotentHint: &yes, OpenWorldHint: &no},
		InputSchema:  []byte(writeSchema),
		OutputSchema: []byte(writtenSchema),
	}
	h, err := g.complete(t.Name, t, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		var args struct {
			URI      string  `json:"uri"`
			Text     *string `json:"text"`
			Blob     *string `json:"blob"`
			MIMEType string  `json:"mime_type,omitzero"`
		}
		if err := mcp.DecodeArguments(r.Arguments, &args); err != nil {
			return nil, err
		}
		content := &resource.Content{MIMEType: args.MIMEType}
		switch {
		case (args.Text == nil) == (args.Blob == nil):
			return nil, fault.New(fault.InvalidInput, "what to write stands in text, or as base64 in blob: one of the two")
		case args.Text != nil:
			content.Bytes = []byte(*args.Text)
		default:
			raw, err := base64.StdEncoding.DecodeString(*args.Blob)
			if err != nil {
				return nil, &mcp.ArgumentError{Argument: "blob", Problem: "is not base64 (RFC 4648 section 4)"}
			}
			content.Bytes, content.Blob = raw, true
		}
		content.Bytes = bytes.Clone(content.Bytes)
		if err := g.mayReadURI(ctx, args.URI); err != nil {
			return nil, err
		}
		if err := set.Write(ctx, args.URI, content); err != nil {
			return nil, err
		}
		return mcp.StructuredResult(struct {
			URI   string `json:"uri"`
			Bytes int    `json:"bytes"`
		}{args.URI, len(content.Bytes)})
	})
	if err != nil {
		return fmt.Errorf("the tool that writes resources: %w", err)
	}
	listed := listing(t)
	g.AddTool(listed, g.project.access(listed, h))
	return nil
}

// newWatcher makes what tells clients of changes of resources, in whatever generation.
func (p *Project) newWatcher() *resource.Watcher {
	return resource.NewWatcher(state.Public(p.state), func(do func(*resource.Set)) {
		if g := p.hold(); g != nil {
			defer g.release() // partner: hold
			do(g.resources)
		}
	}, p.options.Logger)
}
