package wasmtools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp"
)

// Options make a [Shelf]; Host, Server and Origins are required.
type Options struct {
	// Host loads the modules.
	Host *sandbox.Host
	// Server gets what they offer.
	Server *mcp.Server
	// Origins are where they come from.
	Origins []Origin
	// Wrap, when not nil, stands around the handler of each tool; source is the name
	// of the source that the tool's module was loaded from.
	Wrap func(source string, t mcp.Tool, h mcp.Handler) mcp.Handler
	// Logger hears what is loaded and what is not; nil discards.
	Logger *slog.Logger
}

// Shelf holds the modules that are served. Its methods may be called from any
// goroutine.
type Shelf struct {
	loader
	server  *mcp.Server
	origins origins
	wrap    func(source string, t mcp.Tool, h mcp.Handler) mcp.Handler

	looking sync.Mutex // held while a change is made

	refused map[string]stamps // sources that could not be loaded, as they were then; guarded by looking

	mu      sync.RWMutex
	books   map[string]*book // by the source's name
	holders map[string]*book // by the names of what they offer

	closing sync.WaitGroup // modules that end their calls
}

// New returns an empty shelf.
func New(o Options) *Shelf {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Wrap == nil {
		o.Wrap = func(_ string, _ mcp.Tool, h mcp.Handler) mcp.Handler { return h }
	}
	return &Shelf{
		loader: loader{o.Host, o.Logger}, server: o.Server, origins: o.Origins, wrap: o.Wrap,
		books: map[string]*book{}, holders: map[string]*book{}, refused: map[string]stamps{},
	}
}

// Load loads all modules and serves them, or none: then the error says all that
// is wrong. Call it once, before the server has clients.
func (s *Shelf) Load(ctx context.Context) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	sources, err := s.origins.Sources()
	if err != nil {
		return err
	}
	books, errs := s.loadAll(ctx, sources, nil)
	taken := map[string]*book{}
	for _, b := range books {
		if b != nil {
			errs = append(errs, claim(taken, b))
		}
	}
	if err := errors.Join(errs...); err != nil {
		for _, b := range books {
			if b != nil {
				s.retire(ctx, b)
			}
		}
		return err
	}
	next := map[string]*book{}
	for _, b := range books {
		next[b.source] = b
	}
	s.exchange(next, taken)
	return nil
}

// Changes are what a look has changed: the names of sources.
type Changes struct {
	Added, Replaced, Removed []string
	// Failed are those that could not be loaded; what was served before serves on.
	Failed map[string]error
}

// Any says whether there is anything to tell.
func (c *Changes) Any() bool {
	return len(c.Added)+len(c.Replaced)+len(c.Removed)+len(c.Failed) > 0
}

// Reload looks at the origins and serves what is there now. A module whose files
// are as they were is left alone, also one that could not be loaded; a module
// that is replaced or gone ends its calls. The error is one of the origins
// themselves; then nothing has changed.
func (s *Shelf) Reload(ctx context.Context) (Changes, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	changes := Changes{Failed: map[string]error{}}
	sources, err := s.origins.Sources()
	if err != nil {
		return changes, err
	}
	next, taken := map[string]*book{}, map[string]*book{}
	var fresh []Source
	for _, source := range sources {
		before, now := s.books[source.Name], stampsOf(source)
		switch {
		case before != nil && before.stamps.same(now), s.refused[source.Name] != nil && s.refused[source.Name].same(now):
			if before != nil {
				next[source.Name] = before
				_ = claim(taken, before) // it has its names already
			}
		default:
			fresh = append(fresh, source)
		}
	}
	maps.DeleteFunc(s.refused, func(name string, _ stamps) bool {
		return !slices.ContainsFunc(sources, func(source Source) bool { return source.Name == name })
	})
	s.take(ctx, fresh, next, taken, &changes)
	for name := range s.books {
		if next[name] == nil {
			changes.Removed = append(changes.Removed, name)
		}
	}
	slices.Sort(changes.Removed)
	s.exchange(next, taken)
	return changes, nil
}

// take loads what is new or changed and puts it among what is to be served. What
// cannot be served leaves the place to the module that is there already.
func (s *Shelf) take(ctx context.Context, fresh []Source, next, taken map[string]*book, changes *Changes) {
	books, errs := s.loadAll(ctx, fresh, s.books)
	for i, source := range fresh {
		before, b, err := s.books[source.Name], books[i], errs[i]
		if err == nil {
			if err = claim(taken, b); err != nil && b != before {
				s.retire(ctx, b)
			}
		}
		switch {
		case err != nil:
			changes.Failed[source.Name] = err
			s.refused[source.Name] = stampsOf(source)
			if before == nil || claim(taken, before) != nil {
				continue
			}
			b = before
		case before == nil:
			changes.Added = append(changes.Added, source.Name)
		case b != before:
			changes.Replaced = append(changes.Replaced, source.Name)
		}
		if err == nil {
			delete(s.refused, source.Name)
		}
		next[source.Name] = b
	}
}

// exchange serves next in place of what is served, in one step for the clients,
// and lets what leaves end its calls.
func (s *Shelf) exchange(next, taken map[string]*book) {
	s.mu.Lock()
	before := s.books
	s.books, s.holders = next, taken
	s.mu.Unlock()
	s.server.Update(func(c *mcp.Catalog) {
		for name, b := range before {
			if next[name] != b {
				b.leave(c)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(next)) {
			if b := next[name]; before[name] != b {
				b.enter(c, s)
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if b := next[name]; before[name] != b {
			s.tellServed(b)
		}
	}
	for name, b := range before {
		if next[name] != b {
			s.closing.Go(func() { s.retire(context.Background(), b) }) // until its last call's deadline
		}
	}
}

// enter puts what the module offers into the catalog.
func (b *book) enter(c *mcp.Catalog, s *Shelf) {
	for _, t := range b.tools {
		listed := t.listing()
		c.AddTool(listed, s.wrap(b.source, listed, s.call))
	}
	b.extras.enter(c, asker{s, b.source})
}

// leave takes it out.
func (b *book) leave(c *mcp.Catalog) {
	for _, t := range b.tools {
		c.RemoveTool(t.description.Name)
	}
	b.extras.leave(c)
}

// tool is the tool that has a name now; nil when none does any more.
func (s *Shelf) tool(name string) *tool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.holders[nameOf(kindTool, name)]
	if b == nil {
		return nil
	}
	for _, t := range b.tools {
		if t.description.Name == name {
			return t
		}
	}
	return nil
}

// module is the one that is loaded from a source now; nil when none is any more.
func (s *Shelf) module(source string) *sandbox.Module {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.books[source]; b != nil {
		return b.module
	}
	return nil
}

// Modules are those that are served now, by the name of their source.
func (s *Shelf) Modules() map[string]*sandbox.Module {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]*sandbox.Module, len(s.books))
	for name, b := range s.books {
		all[name] = b.module
	}
	return all
}

// Watch looks for changes every so often until ctx ends, and logs them.
func (s *Shelf) Watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	trouble := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changes, err := s.Reload(ctx)
		if ctx.Err() != nil {
			return
		}
		if now := fmt.Sprint(err); err != nil && now != trouble {
			s.logger.Error("the tools are served as they were: their origin cannot be read", "error", err)
			trouble = now
		} else if err == nil {
			trouble = ""
		}
		for name, err := range changes.Failed {
			s.logger.Error("a module is not served as its file is now", "file", name, "error", err)
		}
		if changes.Any() {
			s.logger.Info("looked at the modules again", "added", changes.Added, "replaced", changes.Replaced, "removed", changes.Removed, "failed", len(changes.Failed))
		}
	}
}

// Close takes everything off the shelf and waits for calls that run, each of which
// ends at its own deadline.
func (s *Shelf) Close() {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.exchange(map[string]*book{}, map[string]*book{})
	s.closing.Wait()
}
