package state

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// Embedded is the Manager on an engine.Store of this process.
type Embedded struct {
	store   *engine.Store
	backend string
	ttl     time.Duration // of what is written without one; 0 is none
	dir     storage.Dir   // that Open opened; nil: none
	close   func() error

	budgets sync.Mutex // held while one is changed
}

var _ Budgeter = (*Embedded)(nil)

var _ Manager = (*Embedded)(nil)

// Embed makes a Manager of an open store. Its Close closes the store.
func Embed(store *engine.Store) *Embedded {
	backend := BackendMemory
	if store.LogStats().Dir != "" {
		backend = BackendFile
	}
	return &Embedded{store: store, backend: backend, close: store.Close}
}

// Tick removes entries whose time is over, at most max of them (0 means no bound),
// and returns how many. Reads never see them meanwhile; only their bytes wait.
func (e *Embedded) Tick(max int) int { return e.store.Tick(max) }

// Get implements Manager.
func (e *Embedded) Get(_ context.Context, key string) (Entry, error) {
	entry, err := e.store.Get(key)
	if err != nil {
		return entry, translated(err)
	}
	if !entry.Found() {
		return entry, ErrNotFound
	}
	return entry, nil
}

// AppendGet implements Manager.
func (e *Embedded) AppendGet(_ context.Context, dst []byte, key string) ([]byte, Meta, error) {
	out, meta, err := e.store.AppendGet(dst, key)
	if err != nil {
		return out, meta, translated(err)
	}
	if !meta.Found() {
		return out, meta, ErrNotFound
	}
	return out, meta, nil
}

// Exists implements Manager.
func (e *Embedded) Exists(_ context.Context, key string) (bool, error) {
	found, err := e.store.Exists(key)
	return found, translated(err)
}

// GetMany implements Manager.
func (e *Embedded) GetMany(_ context.Context, keys []string) ([]Entry, error) {
	entries, err := e.store.GetMany(keys)
	return entries, translated(err)
}

// List implements Manager. A cursor is the last key of the page before.
func (e *Embedded) List(_ context.Context, o ListOptions) (Page, error) {
	page, err := e.store.List(engine.ListOptions{Prefix: o.Prefix, After: o.Cursor, Limit: o.Limit, Values: o.Values})
	return Page(page), translated(err)
}

// Set implements Manager.
func (e *Embedded) Set(_ context.Context, key string, value []byte, o SetOptions) (uint64, error) {
	if e.ttl != 0 && o.TTL == 0 && !o.KeepTTL {
		o.TTL = e.ttl
	}
	version, err := e.store.Set(key, value, o)
	return version, translated(err)
}

// Delete implements Manager.
func (e *Embedded) Delete(_ context.Context, key string, o DeleteOptions) (uint64, bool, error) {
	version, deleted, err := e.store.Delete(key, o)
	return version, deleted, translated(err)
}

// CompareAndSwap implements Manager.
func (e *Embedded) CompareAndSwap(_ context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	if e.ttl != 0 && version == 0 { // it makes an entry
		return swapAbsent(e.store.Set(key, value, SetOptions{IfAbsent: true, TTL: e.ttl}))
	}
	current, swapped, err := e.store.CompareAndSwap(key, version, value)
	return current, swapped, translated(err)
}

// swapAbsent is the answer of CompareAndSwap from that of a Set with IfAbsent.
func swapAbsent(version uint64, err error) (uint64, bool, error) {
	if c, ok := errors.AsType[*engine.ConflictError](err); ok {
		return c.Version, false, nil
	}
	return version, err == nil, translated(err)
}

// Increment implements Manager.
func (e *Embedded) Increment(_ context.Context, key string, o IncrementOptions) (int64, uint64, error) {
	if o.TTL == 0 {
		o.TTL = e.ttl
	}
	if o.TTL == 0 {
		sum, version, err := e.store.Increment(key, o.Delta)
		return sum, version, translated(err)
	}
	results, err := e.store.Batch([]Op{{Kind: OpIncrement, Key: key, Delta: o.Delta, TTL: o.TTL}})
	if err != nil {
		return 0, 0, translated(err)
	}
	return results[0].Number, results[0].Version, nil
}

// Expire implements Manager.
func (e *Embedded) Expire(_ context.Context, key string, ttl time.Duration) (uint64, error) {
	version, err := e.store.Expire(key, ttl)
	if err == nil && version == 0 {
		return 0, ErrNotFound
	}
	return version, translated(err)
}

// SetMany implements Manager.
func (e *Embedded) SetMany(_ context.Context, items []Item) ([]uint64, error) {
	if e.ttl != 0 {
		items = slices.Clone(items)
		for i := range items {
			items[i].TTL = cmp.Or(items[i].TTL, e.ttl)
		}
	}
	versions, err := e.store.SetMany(items)
	return versions, translated(err)
}

// Batch implements Manager.
func (e *Embedded) Batch(_ context.Context, ops []Op) ([]OpResult, error) {
	if e.ttl != 0 {
		ops = slices.Clone(ops)
		for i := range ops {
			if op := &ops[i]; (op.Kind == OpSet || op.Kind == OpIncrement) && !op.KeepTTL {
				op.TTL = cmp.Or(op.TTL, e.ttl)
			}
		}
	}
	results, err := e.store.Batch(ops)
	return results, translated(err)
}

// Clear implements Manager. It is one change.
func (e *Embedded) Clear(_ context.Context, prefix string) (int, error) {
	deleted, err := e.store.Clear(prefix)
	return deleted, translated(err)
}

// Stats implements Manager.
func (e *Embedded) Stats(context.Context) (Stats, error) {
	s := e.store.Stats()
	return Stats{
		Backend: e.backend, Keys: s.Keys, Bytes: s.Bytes, BytesMax: s.BytesMax, Version: s.Version, Watchers: s.Watchers,
	}, nil
}

// SetBudget implements Budgeter. The engine walks over all keys for it, so it is
// asked only for what is new.
func (e *Embedded) SetBudget(prefix string, bytesMax int64) error {
	e.budgets.Lock()
	defer e.budgets.Unlock()
	if _, now := e.store.Budget(prefix); now == bytesMax {
		return nil
	}
	return translated(e.store.SetBudget(prefix, bytesMax))
}

// Budget implements Budgeter.
func (e *Embedded) Budget(prefix string) (used, bytesMax int64) { return e.store.Budget(prefix) }

// Now implements Manager.
func (e *Embedded) Now() int64 { return e.store.Now() }

// Close implements Manager. It closes the store.
func (e *Embedded) Close() error { return translated(e.close()) }

// sentinels are what the errors of the engine mean here.
var sentinels = []struct{ of, is error }{
	{engine.ErrFull, ErrFull},
	{engine.ErrKeySize, ErrKey},
	{engine.ErrValueSize, ErrValueSize},
	{engine.ErrTTL, ErrTTL},
	{engine.ErrOptions, ErrOptions},
	{engine.ErrNotNumber, ErrNotNumber},
	{engine.ErrOverflow, ErrOverflow},
	{engine.ErrDuplicateKey, ErrBatch},
	{engine.ErrBatchSize, ErrBatch},
	{engine.ErrReadOnly, ErrReadOnly},
	{engine.ErrDegraded, ErrDegraded},
	{engine.ErrWatcherClosed, ErrClosed},
	{engine.ErrClosed, ErrClosed},
	{engine.ErrCorrupt, ErrCorrupt},
	{storage.ErrLocked, ErrLocked},
}

// translated is an error of the engine as one of this package.
func translated(err error) error {
	if err == nil {
		return nil
	}
	return translate(err)
}

func translate(err error) error {
	if c, ok := errors.AsType[*engine.ConflictError](err); ok {
		return &ConflictError{Key: c.Key, Index: c.Index, Version: c.Version}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.of) {
			return &failure{sentinel: s.is, cause: err}
		}
	}
	return err
}
