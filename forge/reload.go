package forge

import (
	"context"
	"time"

	"github.com/ingot-run/ingot/forge/config"
)

// rebuild makes a generation of a configuration and has it serve; when it cannot be
// made, the one that serves goes on.
func (p *Project) rebuild(ctx context.Context, c *config.Config) error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	g, err := p.newGeneration(ctx, c, p.now.Load())
	if err != nil {
		return err
	}
	p.swap(g)
	return nil
}

// watchModules loads modules anew whose files change, until ctx ends.
func (p *Project) watchModules(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	seen := lookAt(moduleFiles(p.Config()), nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := lookAt(moduleFiles(p.Config()), seen)
		if now.same(seen) {
			continue
		}
		seen = now
		if err := p.rebuild(ctx, p.Config()); err != nil && ctx.Err() == nil {
			p.options.Logger.Error("the tools are served as they were: a module cannot be served as its file is now", "error", err)
		}
	}
}

// moduleFiles are the files that the modules of a configuration are read from.
func moduleFiles(c *config.Config) (files []string) {
	for i := range c.Tools {
		if t := c.Tools[i].Wasm; t != nil {
			files = append(files, t.Module)
			if t.Signature != "" {
				files = append(files, t.Signature)
			}
		}
	}
	return files
}
