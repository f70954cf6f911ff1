package forge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/ingot-run/ingot/forge/clitool"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/httptool"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/forge/pipeline"
	"github.com/ingot-run/ingot/forge/resource"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/wasmtools"
	"github.com/ingot-run/ingot/mcp"
)

// generation is one reading of the files, with all that was made of it. Nothing of it
// changes once it serves.
type generation struct {
	project   *Project
	config    *config.Config
	outline   *outline
	shared    *middleware.Shared
	modules   *wasmtools.Set          // nil: none
	named     map[string]*config.Tool // by the names that others call
	resources *resource.Set
	handlers  map[string]mcp.Handler // complete: arguments checked, chain around
	counted   []*metrics.Tool        // what counts the calls of handlers
	offer                            // what clients see of it
	closers   []func()               // called from the last to the first when no call holds it any more

	holds atomic.Int64 // the project's, and one for each request that it answers
}

// newGeneration makes all that a configuration names. before, unless nil, is the
// generation that it is to take the place of: what did not change is shared with it.
func (p *Project) newGeneration(ctx context.Context, c *config.Config, before *generation) (_ *generation, err error) {
	g := &generation{project: p, config: c, handlers: map[string]mcp.Handler{}, offer: newOffer()}
	if before != nil && before.config == c {
		g.outline = before.outline // the files may say something else by now
	} else {
		g.outline = outlineOf(c.Files)
	}
	g.holds.Store(1) // partner: retire
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	var shared *middleware.Shared
	if before != nil {
		shared = before.shared
	}
	if err := g.loadModules(ctx, before); err != nil {
		return nil, err
	}
	g.named = g.byNames()
	o := middleware.Options{Logger: p.options.Logger, Secrets: c.Secrets, Lookup: g.lookup, DependsOn: g.dependsOn, Traced: p.tracer != nil}
	if p.buckets != nil {
		o.Buckets = p.buckets
	}
	g.shared = middleware.NewShared(o, shared)
	for i := range c.Tools {
		if err := g.addTool(&c.Tools[i]); err != nil {
			return nil, err
		}
	}
	if g.modules != nil {
		g.modules.Enter(ruledCatalog{g}, g.wrapModule)
		if err := g.checkSteps(); err != nil {
			return nil, err
		}
	}
	if err := g.addResources(); err != nil {
		return nil, err
	}
	for i := range c.Prompts {
		if err := g.addPrompt(&c.Prompts[i]); err != nil {
			return nil, err
		}
	}
	if check := p.options.CheckTools; check != nil {
		if err := check(g.ruled()); err != nil {
			return nil, err
		}
	}
	return g, g.check()
}

// toolNames are the tools that there are, those that only others call included.
func (g *generation) toolNames() []string { return slices.Sorted(maps.Keys(g.handlers)) }

// addTool makes the handler of a tool, and offers it. Wasm tools come with their
// modules.
func (g *generation) addTool(t *config.Tool) error {
	if t.Kind == config.KindWasm {
		return nil
	}
	t = withFields(t)
	h, err := g.handler(t)
	if err == nil {
		h, err = g.stateful(t, h)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.Pos, err)
	}
	h, err = g.complete(t.Name, t, h)
	if err != nil {
		return err
	}
	if !t.Hidden {
		listed := listing(t)
		g.AddTool(listed, g.project.tracer.Tool(t.Name, string(t.Kind), g.project.access(listed, h)))
	}
	return nil
}

// handler makes the handler of a tool that is no module.
func (g *generation) handler(t *config.Tool) (mcp.Handler, error) {
	switch t.Kind {
	case config.KindCLI:
		return clitool.New(t, g.config.Secrets)
	case config.KindHTTP:
		h, done, err := httptool.New(t, g.config.Secrets)
		if err == nil {
			g.closers = append(g.closers, done)
		}
		return h, err
	case config.KindPipeline:
		return pipeline.New(t, g.lookup, g.config.Secrets)
	case config.KindNative:
		if t.Native.Inline != "" {
			return pipeline.Expression(t)
		}
		return nativeTool(t)
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
// entry that the module is loaded for.
func (g *generation) wrapModule(source string, t mcp.Tool, h mcp.Handler) mcp.Handler {
	done, err := g.complete(t.Name, g.moduleTool(source, t), h)
	if err != nil {
		g.fail(err)
		return h
	}
	t.Annotations = nil // a guest's own word that it only reads frees it from no rule
	return g.project.tracer.Tool(t.Name, string(config.KindWasm), g.project.access(t, done))
}

// complete puts the checks of arguments and results, the chain, and what counts calls
// around a handler, and notes it for pipelines and fallbacks.
func (g *generation) complete(name string, t *config.Tool, h mcp.Handler) (mcp.Handler, error) {
	chained, err := middleware.Wrap(h, t, middleware.Chain(g.config, t), g.shared)
	if err == nil {
		chained, err = checked(t, chained)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: tool %s: %w", t.Pos, name, err)
	}
	counts := g.project.metrics.Tool(name, string(t.Kind))
	g.counted = append(g.counted, counts)
	chained = counts.Wrap(chained)
	g.handlers[name] = chained
	return chained, nil
}

// lookup finds a complete handler.
func (g *generation) lookup(name string) (mcp.Handler, bool) {
	h, ok := g.handlers[name]
	return h, ok
}

// loadModules loads the modules of wasm tools; those that are as they were in the
// generation before are shared with it.
func (g *generation) loadModules(ctx context.Context, before *generation) error {
	if !slices.ContainsFunc(g.config.Tools, func(t config.Tool) bool { return t.Kind == config.KindWasm }) {
		return nil
	}
	o := wasmtools.SetOptions{Host: g.project.sandbox(), Logger: g.project.options.Logger, Origins: []wasmtools.Origin{modules{g.config}}}
	if before != nil {
		o.Before = before.modules
	}
	var err error
	if g.modules, err = wasmtools.LoadSet(ctx, o); err != nil {
		return fmt.Errorf("%s: %w", g.config.Files[0], err)
	}
	g.closers = append(g.closers, func() { g.modules.Close(context.Background()) })
	return nil
}

// checkSteps finds steps and fallbacks whose tool nobody has, which the file alone could
// not know while its modules were not loaded.
func (g *generation) checkSteps() error {
	var errs []error
	seen := map[config.Pos]bool{} // the file's middleware stands around many tools
	need := func(what, tool string, at config.Pos) {
		if _, ok := g.lookup(tool); tool != "" && !ok && !seen[at] {
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
	for i := range g.config.Tools {
		t := &g.config.Tools[i]
		if t.Pipeline != nil {
			steps(t.Pipeline.Steps)
		}
		for _, m := range middleware.Chain(g.config, t) {
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

// retire is for a generation that does not serve any more: it closes it when no call
// holds it.
func (g *generation) retire() {
	g.project.draining.Add(1) // partner: release
	g.release()
}

// release lets go of a generation; the last one to do so closes it. Partners: take, and
// newGeneration with retire.
func (g *generation) release() {
	if g.holds.Add(-1) == 0 {
		go func() { // no call has to wait for it; Project.Close does
			defer g.project.open.Done() // partner: swap
			g.close()
			g.project.draining.Add(-1) // partner: retire
		}()
	}
}

// take holds the generation, unless it is closed already.
func (g *generation) take() bool {
	for n := g.holds.Load(); n > 0; n = g.holds.Load() {
		if g.holds.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// close ends what was made.
func (g *generation) close() {
	for _, end := range slices.Backward(g.closers) {
		end()
	}
	g.closers = nil
}
