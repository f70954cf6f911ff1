package forge

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/timed"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/health"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/state"
)

// Metrics are the counts of the project's tools, and of what stands around and below
// them. They go on through reloads.
func (p *Project) Metrics() *metrics.Registry { return p.metrics }

// Check adds what has to be well for the project to be of use: that it is loaded, and what
// its state says of itself and of the disk that it is on.
func (p *Project) Check(c *health.Checks) {
	c.Add("project", func(context.Context) error {
		if p.now.Load() == nil {
			return errors.New("the project is closed")
		}
		return nil
	})
	CheckState(c, p.state)
}

// CheckState adds what a state says of itself: "state" where it has a method
// Health(context.Context) error, and "disk" where it has a Folder() string that is not
// empty.
func CheckState(c *health.Checks, m state.Manager) {
	if h, ok := m.(interface{ Health(context.Context) error }); ok {
		c.Add("state", h.Health)
	}
	if f, ok := m.(interface{ Folder() string }); ok && f.Folder() != "" {
		c.Add("disk", health.Disk(f.Folder()))
	}
}

// sources are what the metrics ask the project.
func (p *Project) sources() metrics.Sources {
	return metrics.Sources{
		Denied: p.denied,
		Server: func() metrics.Server {
			m := p.opened.Forge // a reload does not rename the server
			return metrics.Server{Name: m.Name, Version: m.Version}
		},
		Middleware: func() []middleware.State { return p.current().shared.State() },
		State:      func(ctx context.Context) (state.Stats, error) { return p.state.Stats(ctx) },
		Engine:     EngineOf(func() state.Manager { return p.state }),
		Modules:    p.moduleStats,
		Guests:     p.guests,
	}
}

// EngineOf asks a state for the store of this process below it, for metrics.
func EngineOf(of func() state.Manager) func() (metrics.Engine, bool) {
	return func() (metrics.Engine, bool) {
		m, ok := of().(interface {
			Engine() (engine.Stats, engine.LogStats, storage.Dir)
		})
		if !ok {
			return metrics.Engine{}, false
		}
		stats, log, dir := m.Engine()
		return metrics.Engine{Stats: stats, Log: log, Dir: dir}, true
	}
}

// timedDir measures a directory, for [EngineOf].
func timedDir(d storage.Dir) storage.Dir { return timed.Wrap(d) }

// moduleStats are those of the modules that serve.
func (p *Project) moduleStats() map[string]sandbox.Stats {
	g := p.current()
	if g.modules == nil {
		return nil
	}
	folder, names := g.moduleNames()
	return metrics.ByName(folder, names, p.host.Stats()) // set before the first generation with modules
}

// moduleNames are what the file calls its modules, and the folder that the others are
// named below.
func (g *generation) moduleNames() (folder string, names map[string]string) {
	folder, err := filepath.Abs(filepath.Dir(g.config.Files[0]))
	if err != nil {
		folder = ""
	}
	names = map[string]string{}
	for i := range g.config.Tools {
		if t := &g.config.Tools[i]; t.Wasm != nil {
			names[t.Wasm.Module] = t.Wasm.Name
		}
	}
	return folder, names
}

// guests are the tools of the modules that serve, with what their modules may have.
func (p *Project) guests() map[string]metrics.Guest {
	g := p.hold()
	if g == nil {
		return nil
	}
	defer g.release() // partner: hold
	if g.modules == nil {
		return nil
	}
	folder, names := g.moduleNames()
	guests := map[string]metrics.Guest{}
	for source, tool := range g.modules.Tools() {
		if m := g.modules.Module(source); m != nil {
			guests[tool.Name] = metrics.Guest{Module: metrics.NameOf(folder, names, m.Info().File), Policy: m.Policy()}
		}
	}
	return guests
}
