package forge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/forge/clitool"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/httptool"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/forge/pipeline"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/wasmtools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// tickInterval is how often expired state is removed, and how often modules are
// looked at.
const tickInterval = time.Second

// Options configure a [Project]. The zero value works.
type Options struct {
	// Logger gets what middleware, tools and guests log; nil discards.
	Logger *slog.Logger
	// CacheDir keeps compiled modules; empty: a folder of the user's cache directory.
	CacheDir string
	// WrapTool, when not nil, stands around everything that a tool has of its own:
	// for access rules.
	WrapTool func(t mcp.Tool, h mcp.Handler) mcp.Handler
}

// Project is a forge.yaml that was opened: a server with all that it names.
type Project struct {
	config  *config.Config
	options Options
	state   *state.Embedded
	host    *sandbox.Host
	shelf   *wasmtools.Shelf
	shared  *middleware.Shared
	server  *mcp.Server
	stop    context.CancelFunc
	running sync.WaitGroup
	closers []func()

	mu       sync.RWMutex
	handlers map[string]mcp.Handler // complete: arguments checked, chain around
}

// Open reads a file and makes its server. The error of a file that is wrong is a
// [*config.Problems]; every other says which tool cannot be made, and why.
func Open(ctx context.Context, path string, o Options) (_ *Project, err error) {
	c, err := config.Load(path, config.Options{})
	if err != nil {
		return nil, err
	}
	if err := unbuilt(c); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Forge.Has("optimization") {
		o.Logger.Warn("forge.optimization has no effect yet: it is for building one binary of a project", "file", c.Forge.At("optimization").String())
	}
	p := &Project{config: c, options: o, handlers: map[string]mcp.Handler{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := p.openState(); err != nil {
		return nil, err
	}
	p.shared = middleware.NewShared(middleware.Options{Logger: o.Logger, Secrets: c.Secrets, Lookup: p.lookup}, nil)
	p.server = mcp.NewServer(mcp.Options{
		Name: c.Forge.Name, Version: c.Forge.Version, Instructions: c.Forge.Description, Logger: o.Logger,
	})
	for i := range c.Tools {
		if err := p.addTool(&c.Tools[i]); err != nil {
			return nil, err
		}
	}
	if err := p.addModules(ctx, path); err != nil {
		return nil, err
	}
	for i := range c.Prompts {
		if err := p.addPrompt(&c.Prompts[i]); err != nil {
			return nil, err
		}
	}
	p.run()
	return p, nil
}

// unbuilt refuses what a file may say and nothing would act on: better no server than
// one that is not what its file says.
func unbuilt(c *config.Config) error {
	var errs []error
	for _, r := range c.Resources {
		errs = append(errs, fmt.Errorf("%s: resources are not served yet: leave them out", r.Pos))
	}
	if c.State.Backend == config.BackendRedis {
		errs = append(errs, fmt.Errorf("%s: the backend redis is not built yet: use file or memory", c.State.At("backend")))
	}
	return errors.Join(errs...)
}

// openState opens the store of the file.
func (p *Project) openState() (err error) {
	s := p.config.State
	p.state, err = state.Open(state.Options{
		Backend: s.Backend, Path: s.Path, TTL: s.TTL, BytesMax: int64(s.BytesMax), ValueBytesMax: int(s.ValueBytesMax), Sync: s.Sync,
		Log: func(text string) { p.options.Logger.Warn(text) },
	})
	if err != nil {
		return fmt.Errorf("opening the state: %w", err)
	}
	p.closers = append(p.closers, func() { err := p.state.Close(); p.note("closing the state", err) })
	return nil
}

func (p *Project) note(doing string, err error) {
	if err != nil {
		p.options.Logger.Error(doing, "error", err)
	}
}

// addTool makes the handler of a tool and lists it. Wasm tools come with their modules.
func (p *Project) addTool(t *config.Tool) error {
	if t.Kind == config.KindWasm {
		return nil
	}
	h, err := p.handler(t)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Pos, err)
	}
	h, err = p.complete(t.Name, t, h)
	if err != nil {
		return err
	}
	if !t.Hidden {
		listed := listing(t)
		p.server.AddTool(listed, p.access(listed, h))
	}
	return nil
}

// access puts the access rules around a tool that clients call.
func (p *Project) access(t mcp.Tool, h mcp.Handler) mcp.Handler {
	if p.options.WrapTool == nil {
		return h
	}
	return p.options.WrapTool(t, h)
}

// handler makes the handler of a tool that is no module.
func (p *Project) handler(t *config.Tool) (mcp.Handler, error) {
	switch t.Kind {
	case config.KindCLI:
		return clitool.New(t, p.config.Secrets)
	case config.KindHTTP:
		h, done, err := httptool.New(t, p.config.Secrets)
		if err == nil {
			p.closers = append(p.closers, done)
		}
		return h, err
	case config.KindPipeline:
		return pipeline.New(t, p.lookup, p.config.Secrets)
	case config.KindNative:
		if t.Native.Inline != "" {
			return pipeline.Expression(t)
		}
		return p.native(t)
	default:
		return nil, fmt.Errorf("tool %s: a tool of the type %q cannot be made", t.Name, t.Kind)
	}
}

// listing is the tool as the protocol lists it. It checks itself: see complete.
func listing(t *config.Tool) mcp.Tool {
	return mcp.Tool{
		Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: t.InputSchema, OutputSchema: t.OutputSchema,
		Annotations: t.Annotations, Icons: t.Icons, SelfChecked: true,
	}
}

// wrapModule stands around the tools of modules: the middleware of the file, and of the
// entry that the module is loaded for. A chain that cannot be made leaves nothing to
// call.
func (p *Project) wrapModule(source string, t mcp.Tool, h mcp.Handler) mcp.Handler {
	tool := config.Tool{Kind: config.KindWasm, Name: t.Name, Annotations: t.Annotations, OutputSchema: t.OutputSchema}
	for i := range p.config.Tools {
		if entry := &p.config.Tools[i]; entry.Wasm != nil && entry.Wasm.Module == source {
			tool.Place, tool.Middleware = entry.Place, entry.Middleware
		}
	}
	done, err := p.complete(t.Name, &tool, h)
	if err != nil {
		p.options.Logger.Error("a tool of a module cannot be served", "tool", t.Name, "error", err)
		return func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return nil, err }
	}
	t.Annotations = nil // a guest's own word that it only reads frees it from no rule
	return p.access(t, done)
}

// complete puts the checks of arguments and results, and the chain, around a handler,
// and notes it for pipelines and fallbacks.
func (p *Project) complete(name string, t *config.Tool, h mcp.Handler) (mcp.Handler, error) {
	chained, err := middleware.Wrap(h, t, middleware.Chain(p.config, t), p.shared)
	if err == nil {
		chained, err = checked(t, chained)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: tool %s: %w", t.Pos, name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers[name] = chained
	return chained, nil
}

// lookup finds a complete handler.
func (p *Project) lookup(name string) (mcp.Handler, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	h, ok := p.handlers[name]
	return h, ok
}

// addModules loads the modules of wasm tools.
func (p *Project) addModules(ctx context.Context, path string) error {
	if !slices.ContainsFunc(p.config.Tools, func(t config.Tool) bool { return t.Kind == config.KindWasm }) {
		return nil
	}
	cache := p.options.CacheDir
	if cache == "" {
		cache, _ = sandbox.DefaultCacheDir() // where nobody is at home, modules are compiled at each start
	}
	p.host = sandbox.New(sandbox.Options{Logger: p.options.Logger, State: state.Public(p.state), CacheDir: cache, Lazy: true})
	p.shelf = wasmtools.New(wasmtools.Options{Host: p.host, Server: p.server, Logger: p.options.Logger, Origins: []wasmtools.Origin{modules{p.config}}, Wrap: p.wrapModule})
	p.closers = append(p.closers, func() {
		p.shelf.Close()
		p.note("closing the sandbox", p.host.Close(context.Background()))
	})
	if err := p.shelf.Load(ctx); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return p.checkSteps()
}

// checkSteps finds steps and fallbacks whose tool nobody has, which the file alone could
// not know while its modules were not loaded.
func (p *Project) checkSteps() error {
	var errs []error
	seen := map[config.Pos]bool{} // the file's middleware stands around many tools
	need := func(what, tool string, at config.Pos) {
		if _, ok := p.lookup(tool); tool != "" && !ok && !seen[at] {
			seen[at] = true
			errs = append(errs, fmt.Errorf("%s: %s, %q, is neither in the file nor in its modules", at, what, tool))
		}
	}
	var steps func(all []config.Step)
	steps = func(all []config.Step) {
		for i := range all {
			need("the step's tool", all[i].Tool, all[i].At("tool"))
			steps(all[i].Parallel)
		}
	}
	for i := range p.config.Tools {
		t := &p.config.Tools[i]
		if t.Pipeline != nil {
			steps(t.Pipeline.Steps)
		}
		for _, m := range middleware.Chain(p.config, t) {
			if m.Fallback == nil {
				continue
			}
			for j := range m.Fallback.Alternatives {
				a := &m.Fallback.Alternatives[j]
				need("the fallback's tool", a.Tool, a.At("tool"))
			}
		}
	}
	return errors.Join(errs...)
}

// modules are the wasm tools of a configuration as an origin.
type modules struct{ config *config.Config }

// Sources implements wasmtools.Origin.
func (m modules) Sources() ([]wasmtools.Source, error) {
	var all []wasmtools.Source
	for i := range m.config.Tools {
		if t := m.config.Tools[i].Wasm; t != nil {
			source := wasmtools.Source{Name: t.Module, Files: []string{t.Module}, Open: t.Open}
			if t.Signature != "" {
				source.Files = append(source.Files, t.Signature)
			}
			all = append(all, source)
		}
	}
	return all, nil
}

// run starts what goes on beside the calls; Close ends it.
func (p *Project) run() {
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.running.Go(func() {
		ticker := time.NewTicker(tickInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				p.state.Tick(0)
			}
		}
	})
	if p.shelf != nil {
		p.running.Go(func() { p.shelf.Watch(ctx, tickInterval) })
	}
}

// ToolNames are the tools that there are, those that only others call included.
func (p *Project) ToolNames() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Sorted(maps.Keys(p.handlers))
}

// Server is the server, ready to be served.
func (p *Project) Server() *mcp.Server { return p.server }

// Config is the file.
func (p *Project) Config() *config.Config { return p.config }

// State lists what the middleware knows of the tools.
func (p *Project) State() []middleware.State { return p.shared.State() }

// Close ends what the project has started, and waits for calls of modules that run.
// The server should have ended before.
func (p *Project) Close() error {
	if p.stop != nil {
		p.stop()
		p.running.Wait()
	}
	if p.server != nil {
		p.server.Close()
	}
	for _, close := range slices.Backward(p.closers) {
		close()
	}
	p.closers = nil
	return nil
}
