package wasmtools

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp"
)

// Catalog is what the offers of a [Set] are put into; a *mcp.Catalog is one.
type Catalog interface {
	AddTool(t mcp.Tool, h mcp.Handler)
	AddPrompt(p mcp.Prompt, h mcp.PromptHandler)
	AddResource(r mcp.Resource, h mcp.ReadHandler)
	AddTemplate(t mcp.ResourceTemplate, h mcp.ReadHandler)
}

var _ Catalog = (*mcp.Catalog)(nil)

// SetOptions make a [Set]; Host and Origins are required.
type SetOptions struct {
	// Host loads the modules.
	Host *sandbox.Host
	// Origins are where they come from.
	Origins []Origin
	// Before, unless nil, is a set that is open; its modules are shared where the
	// file and the policy are as they were.
	Before *Set
	// Logger hears what is loaded; nil discards.
	Logger *slog.Logger
}

// Set is modules that were loaded together and never change: for who replaces all that
// it serves at once, where a [Shelf] replaces one module after the other. A module that
// several sets share is closed by the last one.
type Set struct {
	loader
	books  []*book // in the order of the sources
	byName map[string]*book
}

// LoadSet loads all modules of the origins, or none: then the error says all that is
// wrong. It costs the loading of the modules that Before does not have.
func LoadSet(ctx context.Context, o SetOptions) (*Set, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	sources, err := origins(o.Origins).Sources()
	if err != nil {
		return nil, err
	}
	s := &Set{loader: loader{o.Host, o.Logger}, byName: map[string]*book{}}
	var before map[string]*book
	if o.Before != nil {
		before = o.Before.byName
	}
	books, errs := s.loadAll(ctx, sources, before)
	taken := map[string]*book{}
	for _, b := range books {
		if b == nil {
			continue
		}
		b.holds.Add(1) // partner: Close
		s.books = append(s.books, b)
		s.byName[b.source] = b
		errs = append(errs, claim(taken, b))
	}
	if err := errors.Join(errs...); err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

// Enter puts into the catalog what the modules offer. wrap stands around the handler
// of each tool; see [Options].
func (s *Set) Enter(c Catalog, wrap func(source string, t mcp.Tool, h mcp.Handler) mcp.Handler) {
	for _, b := range s.books {
		for _, t := range b.tools {
			listed := t.listing()
			c.AddTool(listed, wrap(b.source, listed, t.call))
		}
		if b.holds.Load() == 1 {
			s.tellServed(b)
		}
		b.extras.enter(c, asker{s, b.source})
	}
}

// Tools yields each tool with the name of its module's source.
func (s *Set) Tools() iter.Seq2[string, mcp.Tool] {
	return func(yield func(string, mcp.Tool) bool) {
		for _, b := range s.books {
			for _, t := range b.tools {
				if !yield(b.source, t.listing()) {
					return
				}
			}
		}
	}
}

// Module is the one that was loaded from a source; nil when none was.
func (s *Set) Module(source string) *sandbox.Module { return s.module(source) }

func (s *Set) module(source string) *sandbox.Module {
	if b := s.byName[source]; b != nil {
		return b.module
	}
	return nil
}

// Close lets go of the modules and waits for calls that run on those that no other set
// has, until ctx ends.
func (s *Set) Close(ctx context.Context) {
	var closing sync.WaitGroup
	for _, b := range s.books {
		if b.holds.Add(-1) == 0 { // partner: LoadSet
			closing.Go(func() { s.retire(ctx, b) })
		}
	}
	closing.Wait()
	s.books = nil
}
