package forge

import (
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/mcp"
)

// moduleTool is a tool of a module as the middleware knows it: with the middleware and
// the grants of the entry that its module is loaded for, and with the digest of the
// module, so that a cache ends with the module whose answers it keeps.
func (g *generation) moduleTool(source string, t mcp.Tool) *config.Tool {
	tool := &config.Tool{Kind: config.KindWasm, Name: t.Name, Annotations: t.Annotations, OutputSchema: t.OutputSchema}
	for i := range g.config.Tools {
		entry := &g.config.Tools[i]
		if entry.Wasm == nil || entry.Wasm.Module != source {
			continue
		}
		tool.Place, tool.Middleware = entry.Place, entry.Middleware
		tool.Wasm = &grants.Tool{Module: source, Policy: entry.Wasm.Policy}
		if m := g.modules.Module(source); m != nil {
			tool.Wasm.Policy.SHA256 = m.Info().SHA256
		}
	}
	return tool
}

// byNames are the tools of the file and its modules by the names that others call.
func (g *generation) byNames() map[string]*config.Tool {
	all := make(map[string]*config.Tool, len(g.config.Tools))
	for i := range g.config.Tools {
		if t := &g.config.Tools[i]; t.Kind != config.KindWasm {
			all[t.Name] = withFields(t)
		}
	}
	if g.modules != nil {
		for source, t := range g.modules.Tools() {
			all[t.Name] = g.moduleTool(source, t)
		}
	}
	return all
}

// dependsOn are the tools that a tool's answers come from beside itself, each once.
func (g *generation) dependsOn(t *config.Tool) (all []*config.Tool) {
	seen := map[string]bool{t.Name: true}
	for rest := g.calls(t); len(rest) > 0; rest = rest[1:] {
		name := rest[0]
		if seen[name] {
			continue
		}
		seen[name] = true
		if other := g.named[name]; other != nil {
			all = append(all, other)
			rest = append(rest, g.calls(other)...)
		}
	}
	return all
}

// calls are the names of the tools that a tool calls itself.
func (g *generation) calls(t *config.Tool) (names []string) {
	var steps func(all []config.Step)
	steps = func(all []config.Step) {
		for i := range all {
			if all[i].Tool != "" {
				names = append(names, all[i].Tool)
			}
			steps(all[i].Parallel)
		}
	}
	if t.Pipeline != nil {
		steps(t.Pipeline.Steps)
	}
	for _, m := range middleware.Chain(g.config, t) {
		if m.Fallback == nil {
			continue
		}
		for i := range m.Fallback.Alternatives {
			if name := m.Fallback.Alternatives[i].Tool; name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}
