package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Namespace is a part of a store: all keys that begin with a prefix.
type Namespace struct {
	// Prefix is what the keys begin with in the store. It ends with a slash, so that
	// of two namespaces either one lies inside the other or they have no key in
	// common.
	Prefix string
	// BytesMax is the byte budget of the namespace, beside the store's; 0 is none. It
	// holds for all that is written under the prefix, and until a Scope of the same
	// prefix gives another one.
	BytesMax int64
	// BudgetKept leaves the budget of the prefix as it is: for a second Scope of a
	// prefix, whose owner is another. BytesMax is 0 then.
	BudgetKept bool
	// ReadOnly refuses every write with ErrReadOnly.
	ReadOnly bool

	until int64 // Unix milliseconds: when everything in it ends; 0 is never
}

// Scoped is the Manager of a Namespace: its keys are those of the store without the
// prefix, and no key, prefix or cursor reaches another one. It may be given where
// any Manager may, Scope included.
type Scoped struct {
	inner  Manager
	prefix string
	Namespace

	closed                 atomic.Bool
	reads, writes, refused atomic.Int64
}

var _ Manager = (*Scoped)(nil)

// Budgeter is a Manager that can bound the bytes under a prefix, as every backend
// can. SetBudget gives a prefix a byte budget, or takes it away (0). Budget is what
// the prefix is charged and what its budget is; 0 and 0 without one.
type Budgeter interface {
	SetBudget(prefix string, bytesMax int64) error
	Budget(prefix string) (used, bytesMax int64)
}

// Scope makes the Manager of a namespace of m. Close ends it and leaves m open; the
// budget stays. With a budget it costs a walk over all keys of the store, unless
// that is the budget already. Errors: ErrOptions.
func Scope(m Manager, n Namespace) (*Scoped, error) {
	if len(n.Prefix) < 2 || !strings.HasSuffix(n.Prefix, "/") || len(n.Prefix) > KeyBytesMax/2 {
		return nil, fmt.Errorf("%w: the prefix %.80q of a namespace must have 2 to %d bytes and end with a slash", ErrOptions, n.Prefix, KeyBytesMax/2)
	}
	if n.BytesMax < 0 {
		return nil, fmt.Errorf("%w: the byte budget of namespace %.80q is negative", ErrOptions, n.Prefix)
	}
	s := &Scoped{inner: m, prefix: n.Prefix, Namespace: n}
	if n.BudgetKept {
		if n.BytesMax != 0 {
			return nil, fmt.Errorf("%w: namespace %.80q keeps its budget and is given one", ErrOptions, n.Prefix)
		}
		return s, nil
	}
	if err := setBudget(m, n.Prefix, n.BytesMax); err != nil {
		return nil, err
	}
	return s, nil
}

// setBudget gives a prefix of m a budget, or takes it away.
func setBudget(m Manager, prefix string, bytesMax int64) error {
	if b, ok := m.(Budgeter); ok {
		return b.SetBudget(prefix, bytesMax)
	}
	if bytesMax == 0 {
		return nil
	}
	return fmt.Errorf("%w: this backend has no byte budgets for namespaces", ErrOptions)
}

// budgetOf is what a prefix of m is charged, and its budget; 0 and 0 without one.
func budgetOf(m Manager, prefix string) (used, bytesMax int64) {
	if b, ok := m.(Budgeter); ok {
		return b.Budget(prefix)
	}
	return 0, 0
}

// SetBudget implements Budgeter, for a namespace inside this one.
func (s *Scoped) SetBudget(prefix string, bytesMax int64) error {
	return setBudget(s.inner, s.prefix+prefix, bytesMax)
}

// Budget implements Budgeter.
func (s *Scoped) Budget(prefix string) (used, bytesMax int64) {
	return budgetOf(s.inner, s.prefix+prefix)
}

// key is the key in the store.
func (s *Scoped) key(key string) (string, error) {
	if key == "" || len(key) > KeyBytesMax-len(s.prefix) {
		return "", fmt.Errorf("%w: in this namespace a key has 1 to %d bytes, not %d", ErrKey, KeyBytesMax-len(s.prefix), len(key))
	}
	return s.prefix + key, nil
}

// read begins an operation that reads n keys.
func (s *Scoped) read(n int) error {
	s.reads.Add(int64(n))
	return s.alive()
}

// write begins an operation that writes n keys; wrote ends it.
func (s *Scoped) write(n int) error {
	s.writes.Add(int64(n))
	if err := s.alive(); err != nil {
		return err
	}
	if s.ReadOnly {
		s.refused.Add(int64(n))
		return fmt.Errorf("%w: the namespace is read-only", ErrReadOnly)
	}
	return nil
}

// wrote counts what was refused, and makes an error one of this namespace.
func (s *Scoped) wrote(n int, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrFull) || errors.Is(err, ErrReadOnly) {
		s.refused.Add(int64(n))
	}
	if c, ok := errors.AsType[*ConflictError](err); ok {
		return &ConflictError{Key: strings.TrimPrefix(c.Key, s.prefix), Index: c.Index, Version: c.Version}
	}
	return err
}

// alive says why the namespace cannot be used, or nothing.
func (s *Scoped) alive() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if s.until != 0 && s.inner.Now() >= s.until {
		return ErrHandle
	}
	return nil
}

// lives is the time to live of an entry that is written with ttl.
func (s *Scoped) lives(ttl time.Duration) time.Duration {
	if s.until == 0 {
		return ttl
	}
	left := max(time.Duration(s.until-s.inner.Now()), 1) * time.Millisecond
	if ttl == 0 || ttl > left {
		return left
	}
	return ttl
}

// Get implements Manager.
func (s *Scoped) Get(ctx context.Context, key string) (Entry, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.read(1)
	}
	if err != nil {
		return Entry{}, err
	}
	return s.inner.Get(ctx, full)
}

// AppendGet implements Manager.
func (s *Scoped) AppendGet(ctx context.Context, dst []byte, key string) ([]byte, Meta, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.read(1)
	}
	if err != nil {
		return dst, Meta{}, err
	}
	return s.inner.AppendGet(ctx, dst, full)
}

// Exists implements Manager.
func (s *Scoped) Exists(ctx context.Context, key string) (bool, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.read(1)
	}
	if err != nil {
		return false, err
	}
	return s.inner.Exists(ctx, full)
}

// GetMany implements Manager.
func (s *Scoped) GetMany(ctx context.Context, keys []string) ([]Entry, error) {
	full := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if full[i], err = s.key(key); err != nil {
			return nil, err
		}
	}
	if err := s.read(len(keys)); err != nil {
		return nil, err
	}
	return s.inner.GetMany(ctx, full)
}

// Heads of a cursor: what follows is a key of the namespace, or whatever the
// backend gave.
const (
	cursorOfKey     = "k"
	cursorOfBackend = "c"
)

// List implements Manager. Its cursors tell nothing of the prefix.
func (s *Scoped) List(ctx context.Context, o ListOptions) (Page, error) {
	if len(o.Prefix) > KeyBytesMax-len(s.prefix) {
		return Page{}, fmt.Errorf("%w: a prefix has at most %d bytes here", ErrOptions, KeyBytesMax-len(s.prefix))
	}
	if err := s.read(1); err != nil {
		return Page{}, err
	}
	return s.list(ctx, o)
}

// list is List but for what is checked and counted.
func (s *Scoped) list(ctx context.Context, o ListOptions) (Page, error) {
	o.Prefix = s.prefix + o.Prefix
	if o.Cursor != "" {
		head, rest := o.Cursor[:1], o.Cursor[1:]
		switch head {
		case cursorOfKey:
			o.Cursor = s.prefix + rest
		case cursorOfBackend:
			o.Cursor = rest
		default:
			return Page{}, fmt.Errorf("%w: the cursor is not one that a page of this namespace gave", ErrOptions)
		}
	}
	page, err := s.inner.List(ctx, o)
	if err != nil {
		return Page{}, err
	}
	if len(page.Entries) > 0 && page.Entries[0].Key == s.prefix {
		page.Entries = page.Entries[1:] // somebody outside used the prefix for a key
	}
	for i := range page.Entries {
		page.Entries[i].Key = page.Entries[i].Key[len(s.prefix):]
	}
	if page.Next != "" {
		if rest, ok := strings.CutPrefix(page.Next, s.prefix); ok {
			page.Next = cursorOfKey + rest
		} else {
			page.Next = cursorOfBackend + page.Next
		}
	}
	return page, nil
}

// Set implements Manager.
func (s *Scoped) Set(ctx context.Context, key string, value []byte, o SetOptions) (uint64, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.write(1)
	}
	if err != nil {
		return 0, err
	}
	if s.until != 0 && o.KeepTTL {
		return s.setKeeping(ctx, full, value, o)
	}
	o.TTL = s.lives(o.TTL)
	version, err := s.inner.Set(ctx, full, value, o)
	return version, s.wrote(1, err)
}

// setKeeping is Set with KeepTTL where everything ends: an entry that is made must
// not live for ever, and one that is there keeps its end.
func (s *Scoped) setKeeping(ctx context.Context, full string, value []byte, o SetOptions) (uint64, error) {
	for {
		try := o
		if o.IfVersion == 0 && !o.IfAbsent {
			e, err := s.inner.Get(ctx, full)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return 0, err
			}
			try.IfVersion, try.IfAbsent = e.Version, e.Version == 0
		}
		if try.IfAbsent {
			try.KeepTTL, try.TTL = false, s.lives(0)
		}
		version, err := s.inner.Set(ctx, full, value, try)
		if errors.Is(err, ErrConflict) && try != o && o.IfVersion == 0 && !o.IfAbsent {
			continue // somebody wrote meanwhile, and so got on
		}
		return version, s.wrote(1, err)
	}
}

// Delete implements Manager.
func (s *Scoped) Delete(ctx context.Context, key string, o DeleteOptions) (uint64, bool, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.write(1)
	}
	if err != nil {
		return 0, false, err
	}
	version, deleted, err := s.inner.Delete(ctx, full, o)
	return version, deleted, s.wrote(1, err)
}

// CompareAndSwap implements Manager.
func (s *Scoped) CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.write(1)
	}
	if err != nil {
		return 0, false, err
	}
	if s.until != 0 && version == 0 { // it makes an entry, which must end
		current, err := s.inner.Set(ctx, full, value, SetOptions{IfAbsent: true, TTL: s.lives(0)})
		if c, ok := errors.AsType[*ConflictError](err); ok {
			return c.Version, false, nil
		}
		return current, err == nil, s.wrote(1, err)
	}
	current, swapped, err := s.inner.CompareAndSwap(ctx, full, version, value)
	return current, swapped, s.wrote(1, err)
}

// Increment implements Manager.
func (s *Scoped) Increment(ctx context.Context, key string, o IncrementOptions) (int64, uint64, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.write(1)
	}
	if err != nil {
		return 0, 0, err
	}
	o.TTL = s.lives(o.TTL)
	sum, version, err := s.inner.Increment(ctx, full, o)
	return sum, version, s.wrote(1, err)
}

// Expire implements Manager.
func (s *Scoped) Expire(ctx context.Context, key string, ttl time.Duration) (uint64, error) {
	full, err := s.key(key)
	if err == nil {
		err = s.write(1)
	}
	if err != nil {
		return 0, err
	}
	version, err := s.inner.Expire(ctx, full, s.lives(ttl))
	return version, s.wrote(1, err)
}
