package access

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/ingot-run/ingot/state"
)

// State is m as the caller of each operation's context may see it: what the caller may
// not read is denied by name and left out of lists and events, and what it may not write
// is denied. Without a policy it is m.
func (k *Keeper) State(m state.Manager) state.Manager { return &guarded{m, k} }

// guarded is a Manager that asks the policy in force.
type guarded struct {
	state.Manager
	keeper *Keeper
}

var _ state.Manager = (*guarded)(nil)

// subject is the caller of ctx; nil: everything is allowed.
func (g *guarded) subject(ctx context.Context) *subject {
	p := g.keeper.policy.Load()
	if p == nil {
		return nil
	}
	return p.subject(ctx)
}

// ask refuses a key. Before a caller's first write below a prefix with a budget, the
// budget is set.
func (g *guarded) ask(s *subject, key string, wanted Right) error {
	if s == nil {
		return nil
	}
	if s.right(key) < wanted {
		g.keeper.denied.Add(1)
		return s.refuseKey(key, wanted)
	}
	if wanted < Write {
		return nil
	}
	for _, prefix := range s.budgets {
		if strings.HasPrefix(key, prefix) {
			return g.keeper.budget(g.Manager, prefix, s.quotas.StateBytes)
		}
	}
	return nil
}

// Get implements state.Manager.
func (g *guarded) Get(ctx context.Context, key string) (state.Entry, error) {
	if err := g.ask(g.subject(ctx), key, Read); err != nil {
		return state.Entry{}, err
	}
	return g.Manager.Get(ctx, key)
}

// AppendGet implements state.Manager.
func (g *guarded) AppendGet(ctx context.Context, dst []byte, key string) ([]byte, state.Meta, error) {
	if err := g.ask(g.subject(ctx), key, Read); err != nil {
		return dst, state.Meta{}, err
	}
	return g.Manager.AppendGet(ctx, dst, key)
}

// Exists implements state.Manager.
func (g *guarded) Exists(ctx context.Context, key string) (bool, error) {
	if err := g.ask(g.subject(ctx), key, Read); err != nil {
		return false, err
	}
	return g.Manager.Exists(ctx, key)
}

// GetMany implements state.Manager.
func (g *guarded) GetMany(ctx context.Context, keys []string) ([]state.Entry, error) {
	s := g.subject(ctx)
	for _, key := range keys {
		if err := g.ask(s, key, Read); err != nil {
			return nil, err
		}
	}
	return g.Manager.GetMany(ctx, keys)
}

// List implements state.Manager: keys that the caller may not read are left out. It walks
// through the spans that it may read, so that what others have costs nothing.
func (g *guarded) List(ctx context.Context, o state.ListOptions) (state.Page, error) {
	s := g.subject(ctx)
	if s == nil {
		return g.Manager.List(ctx, o)
	}
	w := &walk{ListOptions: o, inner: g.Manager, last: o.Prefix}
	if w.Limit == 0 {
		w.Limit = listDefault
	}
	if w.Limit < 0 || w.Limit > state.ListLimitMax {
		return state.Page{}, fmt.Errorf("%w: a page has 1 to %d entries", state.ErrOptions, state.ListLimitMax)
	}
	if o.Cursor != "" && !w.resume(o.Cursor) {
		return state.Page{}, fmt.Errorf("%w: the cursor is not one that a page of this list gave", state.ErrOptions)
	}
	end, bounded := behind(o.Prefix)
	for i := s.spanOf(w.last); i < len(s.spans) && !w.full; i++ {
		if bounded && s.spans[i].from >= end {
			break
		}
		if s.spans[i].right < Read {
			w.place = ""
			continue
		}
		if err := w.span(ctx, s.spans, i); err != nil {
			return state.Page{}, err
		}
	}
	return w.page, nil
}

// listDefault is state.ListOptions's.
const listDefault = 100

// walk is a list that is made span by span.
type walk struct {
	state.ListOptions
	inner state.Manager
	last  string // keys up to it were listed
	begun bool   // last itself was
	place string // the cursor of the inner list that leads to last
	page  state.Page
	full  bool
}

// resume reads a cursor: the last key that was listed, behind its length, and the place
// of the inner list.
func (w *walk) resume(cursor string) bool {
	n, width := binary.Uvarint([]byte(cursor))
	if width <= 0 || n > uint64(len(cursor)-width) {
		return false
	}
	w.last, w.place, w.begun = cursor[width:width+int(n)], cursor[width+int(n):], true
	return strings.HasPrefix(w.last, w.Prefix)
}

// span adds the keys of a span to the page.
func (w *walk) span(ctx context.Context, spans []span, i int) error {
	stop, bounded := "", false
	if i+1 < len(spans) {
		stop, bounded = spans[i+1].from, true
	}
	in := w.ListOptions
	in.Limit, in.Cursor = min(w.Limit+1, state.ListLimitMax), w.place
	if common := commonStart(spans[i].from, stop, bounded); strings.HasPrefix(common, w.Prefix) {
		in.Prefix = common
	}
	w.place = ""
	for {
		inner, err := w.inner.List(ctx, in)
		if err != nil {
			return err
		}
		for _, e := range inner.Entries {
			switch {
			case e.Key < spans[i].from || e.Key < w.last || w.begun && e.Key == w.last:
				continue
			case bounded && e.Key >= stop:
				return nil
			case len(w.page.Entries) == w.Limit:
				place := in.Cursor
				if w.last < spans[i].from { // the walk goes on from the span before
					place = ""
				}
				last := binary.AppendUvarint(nil, uint64(len(w.last)))
				w.page.Next, w.full = string(last)+w.last+place, true
				return nil
			}
			w.page.Entries = append(w.page.Entries, e)
			w.last, w.begun = e.Key, true
		}
		if inner.Next == "" {
			return nil
		}
		in.Cursor = inner.Next
	}
}

// commonStart is what all keys of a span begin with.
func commonStart(from, stop string, bounded bool) string {
	if end, ok := behind(from); ok && bounded && stop <= end {
		return from
	}
	return ""
}

// Set implements state.Manager.
func (g *guarded) Set(ctx context.Context, key string, value []byte, o state.SetOptions) (uint64, error) {
	if err := g.ask(g.subject(ctx), key, Write); err != nil {
		return 0, err
	}
	return g.Manager.Set(ctx, key, value, o)
}

// Delete implements state.Manager.
func (g *guarded) Delete(ctx context.Context, key string, o state.DeleteOptions) (uint64, bool, error) {
	if err := g.ask(g.subject(ctx), key, Write); err != nil {
		return 0, false, err
	}
	return g.Manager.Delete(ctx, key, o)
}

// CompareAndSwap implements state.Manager.
func (g *guarded) CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	if err := g.ask(g.subject(ctx), key, Write); err != nil {
		return 0, false, err
	}
	return g.Manager.CompareAndSwap(ctx, key, version, value)
}

// Increment implements state.Manager.
func (g *guarded) Increment(ctx context.Context, key string, o state.IncrementOptions) (int64, uint64, error) {
	if err := g.ask(g.subject(ctx), key, Write); err != nil {
		return 0, 0, err
	}
	return g.Manager.Increment(ctx, key, o)
}

// Expire implements state.Manager.
func (g *guarded) Expire(ctx context.Context, key string, ttl time.Duration) (uint64, error) {
	if err := g.ask(g.subject(ctx), key, Write); err != nil {
		return 0, err
	}
	return g.Manager.Expire(ctx, key, ttl)
}

// SetMany implements state.Manager.
func (g *guarded) SetMany(ctx context.Context, items []state.Item) ([]uint64, error) {
	s := g.subject(ctx)
	for i := range items {
		if err := g.ask(s, items[i].Key, Write); err != nil {
			return nil, err
		}
	}
	return g.Manager.SetMany(ctx, items)
}

// Batch implements state.Manager.
func (g *guarded) Batch(ctx context.Context, ops []state.Op) ([]state.OpResult, error) {
	s := g.subject(ctx)
	for i := range ops {
		wanted := Write
		if ops[i].Kind == state.OpCheck {
			wanted = Read
		}
		if err := g.ask(s, ops[i].Key, wanted); err != nil {
			return nil, err
		}
	}
	return g.Manager.Batch(ctx, ops)
}

// Clear implements state.Manager. The caller has to have the right to all keys that begin
// with the prefix.
func (g *guarded) Clear(ctx context.Context, prefix string) (int, error) {
	if s := g.subject(ctx); s != nil {
		end, bounded := behind(prefix)
		for i := s.spanOf(prefix); i < len(s.spans) && (!bounded || s.spans[i].from < end); i++ {
			if s.spans[i].right < Write {
				g.keeper.denied.Add(1)
				return 0, s.refuseKey(max(prefix, s.spans[i].from), Write)
			}
		}
	}
	return g.Manager.Clear(ctx, prefix)
}

// Watch implements state.Manager: events of keys that the caller may not read, by the
// rules in force when they come, are left out.
func (g *guarded) Watch(ctx context.Context, o state.WatchOptions) (state.Watcher, error) {
	w, err := g.Manager.Watch(ctx, o)
	if err != nil {
		return nil, err
	}
	return &guardedWatcher{w, g, context.WithoutCancel(ctx)}, nil
}

type guardedWatcher struct {
	state.Watcher
	from *guarded
	ctx  context.Context // whose values say who watches
}

// Next implements state.Watcher.
func (w *guardedWatcher) Next(ctx context.Context) (state.Event, error) {
	for {
		e, err := w.Watcher.Next(ctx)
		if err != nil || e.Key == "" {
			return e, err
		}
		if s := w.from.subject(w.ctx); s == nil || s.right(e.Key) >= Read {
			return e, nil
		}
	}
}

// Stats implements state.Manager: they are those of all callers, and tell of keys that
// the caller may not know of.
func (g *guarded) Stats(ctx context.Context) (state.Stats, error) {
	if s := g.subject(ctx); s != nil && (len(s.spans) > 1 || s.spans[0].right < Read) {
		return state.Stats{}, &Error{s.caller.Name + " may not read the counters of the whole state: it may read a part of it only"}
	}
	return g.Manager.Stats(ctx)
}

// Close implements state.Manager: the state stays open, it is others' too.
func (g *guarded) Close() error { return nil }
