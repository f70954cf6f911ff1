package state

import (
	"context"
	"fmt"
	"strings"
)

// SetMany implements Manager.
func (s *Scoped) SetMany(ctx context.Context, items []Item) ([]uint64, error) {
	full := make([]Item, len(items))
	for i, item := range items {
		var err error
		if full[i].Key, err = s.key(item.Key); err != nil {
			return nil, err
		}
		full[i].Value, full[i].TTL = item.Value, s.lives(item.TTL)
	}
	if err := s.write(len(items)); err != nil {
		return nil, err
	}
	versions, err := s.inner.SetMany(ctx, full)
	return versions, s.wrote(len(items), err)
}

// Batch implements Manager.
func (s *Scoped) Batch(ctx context.Context, ops []Op) ([]OpResult, error) {
	full := make([]Op, len(ops))
	for i, op := range ops {
		var err error
		if op.Key, err = s.key(op.Key); err != nil {
			return nil, err
		}
		if full[i], err = s.ending(op); err != nil {
			return nil, fmt.Errorf("operation %d of the batch: %w", i, err)
		}
	}
	if err := s.write(len(ops)); err != nil {
		return nil, err
	}
	results, err := s.inner.Batch(ctx, full)
	return results, s.wrote(len(ops), err)
}

// ending is op such that what it writes ends with the namespace.
func (s *Scoped) ending(op Op) (Op, error) {
	if s.until == 0 {
		return op, nil
	}
	switch op.Kind {
	case OpSet, OpIncrement, OpExpire:
	default:
		return op, nil
	}
	if op.KeepTTL {
		switch {
		case op.IfAbsent:
			op.KeepTTL = false
		case op.IfVersion == 0 && op.Kind == OpSet:
			return op, fmt.Errorf("%w: in a namespace that ends KeepTTL needs IfVersion or IfAbsent", ErrOptions)
		case op.Kind == OpSet:
			return op, nil
		}
		op.KeepTTL = false
	}
	op.TTL = s.lives(op.TTL)
	return op, nil
}

// Clear implements Manager.
func (s *Scoped) Clear(ctx context.Context, prefix string) (int, error) {
	if len(prefix) > KeyBytesMax-len(s.prefix) {
		return 0, fmt.Errorf("%w: a prefix has at most %d bytes here", ErrOptions, KeyBytesMax-len(s.prefix))
	}
	if err := s.write(1); err != nil {
		return 0, err
	}
	deleted, err := s.inner.Clear(ctx, s.prefix+prefix)
	return deleted, s.wrote(1, err)
}

// Watch implements Manager.
func (s *Scoped) Watch(ctx context.Context, o WatchOptions) (Watcher, error) {
	if len(o.Prefix) > KeyBytesMax-len(s.prefix) {
		return nil, fmt.Errorf("%w: a prefix has at most %d bytes here", ErrOptions, KeyBytesMax-len(s.prefix))
	}
	if err := s.read(1); err != nil {
		return nil, err
	}
	o.Prefix = s.prefix + o.Prefix
	w, err := s.inner.Watch(ctx, o)
	if err != nil {
		return nil, err
	}
	return &scopedWatcher{w, s}, nil
}

// scopedWatcher takes the prefix off the keys.
type scopedWatcher struct {
	Watcher
	scope *Scoped
}

// Next implements Watcher.
func (w *scopedWatcher) Next(ctx context.Context) (Event, error) {
	for {
		e, err := w.Watcher.Next(ctx)
		if err != nil {
			return e, err
		}
		if e.Key == w.scope.prefix {
			continue // somebody outside used the prefix for a key
		}
		e.Key = strings.TrimPrefix(e.Key, w.scope.prefix)
		return e, nil
	}
}

// Stats implements Manager. Keys are counted by a walk over the namespace. Bytes are
// those charged where it has a budget, else those of keys and values.
func (s *Scoped) Stats(ctx context.Context) (Stats, error) {
	if err := s.alive(); err != nil {
		return Stats{}, err
	}
	whole, err := s.inner.Stats(ctx)
	if err != nil {
		return Stats{}, err
	}
	out := Stats{
		Backend: whole.Backend, Version: whole.Version, Watchers: whole.Watchers,
		Reads: s.reads.Load(), Writes: s.writes.Load(), Refused: s.refused.Load(),
	}
	for o := (ListOptions{Limit: ListLimitMax}); ; {
		page, err := s.list(ctx, o)
		if err != nil {
			return Stats{}, err
		}
		out.Keys += int64(len(page.Entries))
		for i := range page.Entries {
			out.Bytes += int64(len(s.prefix) + len(page.Entries[i].Key) + page.Entries[i].Size)
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			break
		}
	}
	if used, most := s.Budget(""); most != 0 {
		out.Bytes, out.BytesMax = used, most
	}
	return out, nil
}

// Now implements Manager.
func (s *Scoped) Now() int64 { return s.inner.Now() }

// Close implements Manager. It ends this view; the store stays open, and so do the
// watchers, which their owners close.
func (s *Scoped) Close() error {
	s.closed.Store(true)
	return nil
}
