package forge

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge/config"
)

// Bounds of reloading.
const (
	// drainingMax is how many generations may wait for their last calls: each call
	// holds one at most, and long ones should not add up to a heap of configurations.
	drainingMax = 32
	// settledLooks is how many looks in a row have to find the same before it is read:
	// a file may be half written. Where a file is gone or empty, which editors do to one
	// for a moment, it takes more.
	settledLooks, settledLooksGone = 2, 6
)

// errDraining says that reloading has to wait.
var errDraining = fmt.Errorf("%d older versions of the tools still have calls that run: the files are read again when one has ended", drainingMax)

// Reload reads the files anew and has what they say serve, in one step: calls that run
// end on what they began with, and clients are told of lists that changed. What did not
// change keeps its modules, and what its middleware knows. After an error, of the same
// kinds as [Open]'s, what served before goes on. What was opened once (the state, the
// server's name and address) stays as it was; see [Diff].Restart.
//
// It costs what Open costs without unchanged modules, and the memory of both versions
// until the last call on the old one has ended.
func (p *Project) Reload(ctx context.Context) (*Diff, error) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if err := p.mayReload(); err != nil {
		return nil, err
	}
	c, err := config.Load(p.path, config.Options{})
	if err != nil {
		p.watched = filesOf(p.current().config)
		if wrong, ok := errors.AsType[*config.Problems](err); ok {
			p.watched = union(p.watched, wrong.Files)
		}
		return nil, err
	}
	p.watched = union(union(filesOf(c), programsOf(c)), filesOf(p.current().config))
	d, err := p.become(ctx, c)
	if err != nil {
		return nil, redacted(err, c.Secrets)
	}
	p.watched = filesOf(c)
	return d, nil
}

// mayReload says why there cannot be another generation now.
func (p *Project) mayReload() error {
	switch {
	case p.now.Load() == nil:
		return errors.New("the project is closed")
	case p.draining.Load() >= drainingMax:
		return errDraining
	}
	return nil
}

// become makes a generation of a configuration and has it serve. p.reloading is held.
func (p *Project) become(ctx context.Context, c *config.Config) (*Diff, error) {
	before := p.now.Load()
	policy, ruled, err := p.reloadedAccess(c)
	if err != nil {
		return nil, err
	}
	g, err := p.newGeneration(ctx, c, before)
	if err != nil {
		return nil, err
	}
	if ruled { // before the tools that it is about
		p.keeper.Use(policy)
	}
	d := diffOf(before.outline, g.outline)
	d.modules(before, g)
	d.Restart = append(needsRestart(p.opened, c), p.accessRestart(c)...)
	p.swap(g)
	return d, nil
}

// modules notes modules whose files hold something else now.
func (d *Diff) modules(before, now *generation) {
	if before.modules == nil || now.modules == nil {
		return
	}
	for i := range now.config.Tools {
		t := now.config.Tools[i].Wasm
		if t == nil {
			continue
		}
		was, is := before.modules.Module(t.Module), now.modules.Module(t.Module)
		if was != nil && is != nil && was.Info().SHA256 != is.Info().SHA256 {
			name := t.Name
			if name == "" {
				name = is.Tools()[0].Name
			}
			d.note("tool "+plain(name), Key{Op: Changed, Path: "the module's file"})
		}
	}
}

// needsRestart lists what a configuration says otherwise than the one that was opened,
// of what is opened once.
func needsRestart(opened, now *config.Config) (all []string) {
	note := func(key string, differs bool) {
		if differs {
			all = append(all, key+" takes effect at the next start")
		}
	}
	a, b := &opened.Forge, &now.Forge
	note("forge.name", a.Name != b.Name)
	note("forge.version", a.Version != b.Version)
	note("forge.description", a.Description != b.Description)
	note("forge.transport", a.Transport != b.Transport)
	note("forge.host", a.Host != b.Host)
	note("forge.port", a.Port != b.Port)
	s, t := opened.State, now.State
	note("state.backend", s.Backend != t.Backend)
	note("state.path", s.Path != t.Path)
	note("state.url", s.URL != t.URL)
	note("state.ttl", s.TTL != t.TTL)
	note("state.max_size", s.BytesMax != t.BytesMax)
	note("state.cache_size", s.CacheEntries != t.CacheEntries)
	note("state.options", s.Sync != t.Sync || s.ValueBytesMax != t.ValueBytesMax)
	return all
}

// redacted takes secrets out of an error, which it otherwise leaves as it is.
func redacted(err error, secrets config.Secrets) error {
	if text := err.Error(); secrets.Redact(text) != text {
		return errors.New(secrets.Redact(text))
	}
	return err
}

// filesOf are all files that a generation is made of, each once.
func filesOf(c *config.Config) []string {
	return union(c.Files, moduleFiles(c))
}

// programsOf are the programs of a configuration that are named by their paths: while
// one is not there, it cannot serve.
func programsOf(c *config.Config) (files []string) {
	for i := range c.Tools {
		if t := c.Tools[i].CLI; t != nil && strings.ContainsRune(t.Command, filepath.Separator) {
			files = append(files, t.Command)
		}
	}
	return files
}

// moduleFiles are the files that modules are made of.
func moduleFiles(c *config.Config) (files []string) {
	for i := range c.Tools {
		t := c.Tools[i].Wasm
		if t == nil {
			continue
		}
		for _, name := range []string{t.Module, t.Signature, t.PublicKeyFile} {
			if name != "" {
				files = append(files, name)
			}
		}
	}
	return files
}

// union is the elements of both, each once.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// watch looks at files every so often until ctx ends, and acts when they hold something
// else: at those of the configuration, or of the modules alone.
func (p *Project) watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	w := watcher{seen: p.firstLook}
	p.firstLook = nil
	waits := false // for calls of older versions to end
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !w.settled(p.files()) {
			continue
		}
		d, err := p.again(ctx)
		if ctx.Err() != nil {
			return
		}
		told := waits
		if waits = errors.Is(err, errDraining); waits {
			w.forget()
		}
		if !waits || !told {
			p.options.Reloaded(d, err)
		}
	}
}

// files are those to look at.
func (p *Project) files() []string {
	if !p.options.WatchFiles {
		return moduleFiles(p.Config())
	}
	p.reloading.Lock()
	defer p.reloading.Unlock()
	return p.watched
}

// again makes a new generation: of the files, or of the configuration as it is when its
// modules alone are looked at.
func (p *Project) again(ctx context.Context) (*Diff, error) {
	if p.options.WatchFiles {
		return p.Reload(ctx)
	}
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if err := p.mayReload(); err != nil {
		return nil, err
	}
	return p.become(ctx, p.Config())
}

// logReload is what Options.Reloaded does where nobody else says something.
func (p *Project) logReload(d *Diff, err error) {
	switch {
	case err != nil:
		p.options.Logger.Error("what served before goes on: the files cannot be served as they are now", "error", err)
	case d.Any():
		p.options.Logger.Info("serving the files as they are now", "changes", d.String())
	}
}
