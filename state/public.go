package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// systemPrefix begins the keys that a server keeps for itself. A key that begins so
// is none of a client's.
const systemPrefix = "\x00ingot/"

// System makes the Manager of what a server keeps for itself under a name, such as
// its tasks. Whoever has only the Public part of m cannot reach it. The name has no
// slash. Errors: ErrOptions.
func System(m Manager, name string) (*Scoped, error) {
	if name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("%w: %.40q cannot name a part of the system's state: it is empty or has a slash", ErrOptions, name)
	}
	return Scope(m, Namespace{Prefix: systemPrefix + name + "/"})
}

// Public makes the Manager of everything in m but what System keeps: for clients.
// Its keys are those of m; one that is reserved is refused with ErrKey, and neither
// listed nor watched. Close closes m. Clear of a prefix that reserved keys have too
// is not one change.
func Public(m Manager) Manager { return &public{m} }

type public struct{ Manager }

// reserved reports whether a key is the system's; covers whether keys with a prefix
// may be.
func reserved(key string) bool { return strings.HasPrefix(key, systemPrefix) }

func covers(prefix string) bool {
	return strings.HasPrefix(systemPrefix, prefix) || reserved(prefix)
}

// check refuses a reserved key.
func check(key string) error {
	if reserved(key) {
		return fmt.Errorf("%w: keys that begin with %q are the server's own", ErrKey, systemPrefix)
	}
	return nil
}

func (p *public) Get(ctx context.Context, key string) (Entry, error) {
	if err := check(key); err != nil {
		return Entry{}, err
	}
	return p.Manager.Get(ctx, key)
}

func (p *public) AppendGet(ctx context.Context, dst []byte, key string) ([]byte, Meta, error) {
	if err := check(key); err != nil {
		return dst, Meta{}, err
	}
	return p.Manager.AppendGet(ctx, dst, key)
}

func (p *public) Exists(ctx context.Context, key string) (bool, error) {
	if err := check(key); err != nil {
		return false, err
	}
	return p.Manager.Exists(ctx, key)
}

func (p *public) GetMany(ctx context.Context, keys []string) ([]Entry, error) {
	for _, key := range keys {
		if err := check(key); err != nil {
			return nil, err
		}
	}
	return p.Manager.GetMany(ctx, keys)
}

// List leaves out what is reserved: where that fills pages, it turns them.
func (p *public) List(ctx context.Context, o ListOptions) (Page, error) {
	if !covers(o.Prefix) {
		return p.Manager.List(ctx, o)
	}
	for {
		page, err := p.Manager.List(ctx, o)
		if err != nil {
			return Page{}, err
		}
		kept := page.Entries[:0]
		for _, e := range page.Entries {
			if !reserved(e.Key) {
				kept = append(kept, e)
			}
		}
		clear(page.Entries[len(kept):])
		page.Entries = kept
		if len(kept) > 0 || page.Next == "" {
			return page, nil
		}
		o.Cursor = page.Next
	}
}

func (p *public) Set(ctx context.Context, key string, value []byte, o SetOptions) (uint64, error) {
	if err := check(key); err != nil {
		return 0, err
	}
	return p.Manager.Set(ctx, key, value, o)
}

func (p *public) Delete(ctx context.Context, key string, o DeleteOptions) (uint64, bool, error) {
	if err := check(key); err != nil {
		return 0, false, err
	}
	return p.Manager.Delete(ctx, key, o)
}

func (p *public) CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	if err := check(key); err != nil {
		return 0, false, err
	}
	return p.Manager.CompareAndSwap(ctx, key, version, value)
}

func (p *public) Increment(ctx context.Context, key string, o IncrementOptions) (int64, uint64, error) {
	if err := check(key); err != nil {
		return 0, 0, err
	}
	return p.Manager.Increment(ctx, key, o)
}

func (p *public) Expire(ctx context.Context, key string, ttl time.Duration) (uint64, error) {
	if err := check(key); err != nil {
		return 0, err
	}
	return p.Manager.Expire(ctx, key, ttl)
}

func (p *public) SetMany(ctx context.Context, items []Item) ([]uint64, error) {
	for i := range items {
		if err := check(items[i].Key); err != nil {
			return nil, err
		}
	}
	return p.Manager.SetMany(ctx, items)
}

func (p *public) Batch(ctx context.Context, ops []Op) ([]OpResult, error) {
	for i := range ops {
		if err := check(ops[i].Key); err != nil {
			return nil, err
		}
	}
	return p.Manager.Batch(ctx, ops)
}

// Clear removes key by key where it must leave reserved ones.
func (p *public) Clear(ctx context.Context, prefix string) (deleted int, err error) {
	if !covers(prefix) {
		return p.Manager.Clear(ctx, prefix)
	}
	for o := (ListOptions{Prefix: prefix, Limit: 1000}); ; {
		page, err := p.List(ctx, o)
		if err != nil {
			return deleted, err
		}
		n, err := p.deleteAll(ctx, page.Entries)
		deleted += n
		if err != nil {
			return deleted, err
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			return deleted, nil
		}
	}
}

// deleteAll deletes entries as one batch, or one by one where the backend has no
// batch for them.
func (p *public) deleteAll(ctx context.Context, entries []ListEntry) (deleted int, err error) {
	ops := make([]Op, len(entries))
	for i := range entries {
		ops[i] = Op{Kind: OpDelete, Key: entries[i].Key}
	}
	results, err := p.Manager.Batch(ctx, ops)
	if errors.Is(err, ErrBatch) {
		for i := range entries {
			_, existed, err := p.Manager.Delete(ctx, entries[i].Key, DeleteOptions{})
			if err != nil {
				return deleted, err
			}
			if existed {
				deleted++
			}
		}
		return deleted, nil
	}
	for _, r := range results {
		if r.Existed {
			deleted++
		}
	}
	return deleted, err
}

func (p *public) Watch(ctx context.Context, o WatchOptions) (Watcher, error) {
	w, err := p.Manager.Watch(ctx, o)
	if err != nil || !covers(o.Prefix) {
		return w, err
	}
	return &publicWatcher{w}, nil
}

// publicWatcher leaves out what is reserved.
type publicWatcher struct{ Watcher }

func (w *publicWatcher) Next(ctx context.Context) (Event, error) {
	for {
		e, err := w.Watcher.Next(ctx)
		if err != nil || !reserved(e.Key) {
			return e, err
		}
	}
}

// SetBudget implements Budgeter, for namespaces of the public part.
func (p *public) SetBudget(prefix string, bytesMax int64) error {
	if covers(prefix) {
		return check(systemPrefix)
	}
	return setBudget(p.Manager, prefix, bytesMax)
}

// Budget implements Budgeter.
func (p *public) Budget(prefix string) (used, bytesMax int64) {
	return budgetOf(p.Manager, prefix)
}
