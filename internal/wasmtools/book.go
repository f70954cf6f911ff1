package wasmtools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/internal/sandbox"
)

// loadsAtOnce is how many modules are compiled at once at the start.
const loadsAtOnce = 4

// book is one module that is served.
type book struct {
	source string
	stamps stamps
	policy sandbox.Policy
	module *sandbox.Module
	tools  []*tool
	extras *extras
	holds  atomic.Int32 // how many sets have it; a shelf does not count
}

// stamps tell whether files may have changed.
type stamps []os.FileInfo

// stampsOf looks at the files of a source. One that is gone has no stamp.
func stampsOf(s Source) stamps {
	all := make(stamps, len(s.Files))
	for i, name := range s.Files {
		if info, err := os.Stat(name); err == nil {
			all[i] = info
		}
	}
	return all
}

// same says whether nothing speaks for a change.
func (a stamps) same(b stamps) bool {
	return slices.EqualFunc(a, b, func(x, y os.FileInfo) bool {
		if x == nil || y == nil {
			return x == nil && y == nil
		}
		return os.SameFile(x, y) && x.Size() == y.Size() && x.ModTime().Equal(y.ModTime())
	})
}

// loader loads modules and lets go of them.
type loader struct {
	host   *sandbox.Host
	logger *slog.Logger
}

// loadAll loads sources, some at once; what failed is nil in the first result, and what
// is as it was before is the same book.
func (l loader) loadAll(ctx context.Context, sources []Source, before map[string]*book) ([]*book, []error) {
	books, errs := make([]*book, len(sources)), make([]error, len(sources))
	free := make(chan struct{}, loadsAtOnce)
	var loading sync.WaitGroup
	for i, source := range sources {
		free <- struct{}{}
		loading.Go(func() {
			defer func() { <-free }() // partner: the send above
			books[i], errs[i] = l.load(ctx, source, before[source.Name])
		})
	}
	loading.Wait()
	return books, errs
}

// load loads one source, unless before is what it would give.
func (l loader) load(ctx context.Context, source Source, before *book) (*book, error) {
	b := &book{source: source.Name, stamps: stampsOf(source)}
	raw, policy, err := source.Open()
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(raw)
	if before != nil && before.module.Info().SHA256 == hex.EncodeToString(digest[:]) && reflect.DeepEqual(before.policy, policy) {
		before.stamps = b.stamps // touched, not changed
		return before, nil
	}
	b.policy = policy
	if b.module, err = l.host.Load(ctx, source.Name, raw, policy); err != nil {
		return nil, err
	}
	if err := b.describe(ctx, l.logger); err != nil {
		l.retire(ctx, b)
		return nil, fmt.Errorf("%s: %w", source.Name, err)
	}
	return b, nil
}

// describe reads what the module offers.
func (b *book) describe(ctx context.Context, logger *slog.Logger) (err error) {
	for _, d := range b.module.Tools() {
		t, err := newTool(logger, b.module, d)
		if err != nil {
			return fmt.Errorf("tool %s: %w", d.Name, err)
		}
		b.tools = append(b.tools, t)
	}
	b.extras, err = readExtras(ctx, b.module)
	return err
}

// kind is what a module may offer, each under names that only one module has.
type kind string

const (
	kindTool     kind = "tool"
	kindPrompt   kind = "prompt"
	kindResource kind = "resource"
	kindTemplate kind = "resource template"
)

// nameOf is the key of a name of a kind.
func nameOf(k kind, name string) string { return string(k) + " " + name }

// names are what b offers.
func (b *book) names() []string {
	var all []string
	for _, t := range b.tools {
		all = append(all, nameOf(kindTool, t.description.Name))
	}
	for _, r := range b.extras.resources {
		all = append(all, nameOf(kindResource, r.URI))
	}
	for _, t := range b.extras.templates {
		all = append(all, nameOf(kindTemplate, t.URITemplate))
	}
	for _, p := range b.extras.prompts {
		all = append(all, nameOf(kindPrompt, p.Name))
	}
	return all
}

// claim takes the names of what b offers, or says who has one of them.
func claim(taken map[string]*book, b *book) error {
	names := b.names()
	for _, name := range names {
		if first := taken[name]; first != nil {
			return fmt.Errorf("%s and %s both hold the %.300s: serve one of them, or give one another name in its description", first.source, b.source, name)
		}
	}
	for _, name := range names {
		taken[name] = b
	}
	return nil
}

// retire closes a module when its calls have ended.
func (l loader) retire(ctx context.Context, b *book) {
	if err := b.module.Close(ctx); err != nil {
		l.logger.Warn("a module did not end in time", "file", b.source, "error", err)
	}
}

// tellServed logs that the tools of a module are served.
func (l loader) tellServed(b *book) {
	for _, t := range b.tools {
		l.logger.Info("serving a tool", "tool", t.description.Name, "file", b.source, "sha256", b.module.Info().SHA256)
	}
}
