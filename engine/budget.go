package engine

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/internal/invariant"
	"github.com/ingot-run/ingot/internal/message"
)

// budget counts the resident bytes of the store and of each namespace, and
// refuses what would exceed a limit.
type budget struct {
	bytesMax atomic.Int64 // 0: no limit
	used     atomic.Int64

	mu         sync.Mutex                   // guards the replacement of namespaces
	namespaces atomic.Pointer[[]*namespace] // nil when there are none
}

// namespace is a prefix with a budget of its own.
type namespace struct {
	prefix   string
	bytesMax int64
	used     atomic.Int64
}

// budgetChange is by how much a key's resident bytes change.
type budgetChange struct {
	key   string
	delta int64
	after int64 // what the key is charged then
}

// fullError is an ErrFull that tells what eviction needs to know of it.
type fullError struct {
	text  string
	need  int64 // bytes that do not fit into the store's budget; 0 when a prefix's is full
	holds int64 // what the keys that were written would be charged
}

func (e *fullError) Error() string { return ErrFull.Error() + ": " + e.text }
func (e *fullError) Unwrap() error { return ErrFull }

// SetBudget gives all keys that begin with prefix a byte budget of their own,
// beside the store's; bytesMax 0 takes it away. The empty prefix sets the
// budget of the whole store. What is stored already stays, also where it
// exceeds the new budget: then every write that grows it returns ErrFull. Only a
// store with Options.Evict follows its own budget down, and needs one.
// It stops the store while it counts what is there.
func (s *Store) SetBudget(prefix string, bytesMax int64) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if bytesMax < 0 || len(prefix) > KeyBytesMax {
		return message.Errorf("%w: a budget is 0 or more bytes on a prefix of at most %d bytes", ErrOptions, KeyBytesMax)
	}
	if prefix == "" {
		if s.evict && bytesMax == 0 {
			return message.Errorf("%w: a store that evicts needs a budget", ErrOptions)
		}
		s.budget.bytesMax.Store(bytesMax)
		if s.evict {
			s.makeRoom(0)
		}
		return nil
	}
	all := s.allShards()
	s.lock(all)
	defer s.unlock(all)
	ns := &namespace{prefix: prefix, bytesMax: bytesMax}
	for i := range s.shards {
		for key, e := range s.shards[i].entries() {
			if strings.HasPrefix(key, prefix) {
				ns.used.Add(s.rate().of(key, &e))
			}
		}
	}
	s.budget.replace(ns)
	return nil
}

// Budget returns how many bytes are charged for the keys under a prefix that
// SetBudget was called with, and its budget; 0 and 0 when it has none. The empty
// prefix is the whole store.
func (s *Store) Budget(prefix string) (used, bytesMax int64) {
	if prefix == "" {
		return s.budget.used.Load(), s.budget.bytesMax.Load()
	}
	if list := s.budget.namespaces.Load(); list != nil {
		for _, ns := range *list {
			if ns.prefix == prefix {
				return ns.used.Load(), ns.bytesMax
			}
		}
	}
	return 0, 0
}

// replace puts ns in the place of the namespace of the same prefix.
func (b *budget) replace(ns *namespace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*namespace
	if old := b.namespaces.Load(); old != nil {
		list = slices.DeleteFunc(slices.Clone(*old), func(o *namespace) bool { return o.prefix == ns.prefix })
	}
	if ns.bytesMax > 0 {
		list = append(list, ns)
	}
	b.namespaces.Store(&list)
}

// reserve books one change, or returns ErrFull and books nothing.
func (b *budget) reserve(c budgetChange) error {
	if b.namespaces.Load() == nil && book(&b.used, b.bytesMax.Load(), c.delta) {
		return nil
	}
	return b.reserveAll([]budgetChange{c})
}

// lacks reports whether need more bytes exceed the store's budget now.
func (b *budget) lacks(need int64) bool {
	limit := b.bytesMax.Load()
	return limit > 0 && b.used.Load()+need > limit
}

// reserveAll books the sum of the changes, or returns ErrFull and books
// nothing. The sum counts, so that a batch may delete to make room.
func (b *budget) reserveAll(changes []budgetChange) error {
	var net, holds int64
	for _, c := range changes {
		net += c.delta
		holds += c.after
	}
	if !book(&b.used, b.bytesMax.Load(), net) {
		text := message.Sprintf("%d of the store's %d bytes are in use", b.used.Load(), b.bytesMax.Load())
		return &fullError{text: text, need: net, holds: holds}
	}
	list := b.namespaces.Load()
	if list == nil {
		return nil
	}
	for i, ns := range *list {
		if book(&ns.used, ns.bytesMax, ns.net(changes)) {
			continue
		}
		b.used.Add(-net)
		for _, done := range (*list)[:i] {
			done.used.Add(-done.net(changes))
		}
		return message.Errorf("%w: %d of the %d bytes of prefix %q are in use", ErrFull, ns.used.Load(), ns.bytesMax, clip(ns.prefix))
	}
	return nil
}

// release gives back what an entry that was removed had booked.
func (b *budget) release(key string, bytes int64) {
	used := b.used.Add(-bytes)
	invariant.Check(used >= 0, "engine: resident bytes below zero")
	if list := b.namespaces.Load(); list != nil {
		for _, ns := range *list {
			if strings.HasPrefix(key, ns.prefix) {
				ns.used.Add(-bytes)
			}
		}
	}
}

// fits reports, as ErrFull, whether contents would exceed a limit.
func (b *budget) fits(rate rate, records []record) error {
	changes := make([]budgetChange, len(records))
	var net int64
	for i, r := range records {
		changes[i] = budgetChange{key: r.key, delta: rate.charge(len(r.key), len(r.value), r.ExpiresAt != 0)}
		net += changes[i].delta
	}
	if limit := b.bytesMax.Load(); limit > 0 && net > limit {
		return message.Errorf("%w: the contents need %d bytes and the store may hold %d", ErrFull, net, limit)
	}
	if list := b.namespaces.Load(); list != nil {
		for _, ns := range *list {
			if net := ns.net(changes); net > ns.bytesMax {
				return message.Errorf("%w: the contents need %d bytes under prefix %q, which may hold %d", ErrFull, net, clip(ns.prefix), ns.bytesMax)
			}
		}
	}
	return nil
}

// recount sets every counter from the contents, which the caller has locked.
func (b *budget) recount(s *Store) {
	var used int64
	for i := range s.shards {
		used += s.shards[i].bytes
	}
	b.used.Store(used)
	list := b.namespaces.Load()
	if list == nil {
		return
	}
	for _, ns := range *list {
		ns.used.Store(0)
	}
	for i := range s.shards {
		for key, e := range s.shards[i].entries() {
			for _, ns := range *list {
				if strings.HasPrefix(key, ns.prefix) {
					ns.used.Add(s.rate().of(key, &e))
				}
			}
		}
	}
}

// net is the sum of the changes that fall into the namespace.
func (n *namespace) net(changes []budgetChange) (sum int64) {
	for _, c := range changes {
		if strings.HasPrefix(c.key, n.prefix) {
			sum += c.delta
		}
	}
	return sum
}

// book adds delta to used unless that grows it beyond limit (0: no limit).
// Not for a moment is used beyond limit because of it.
func book(used *atomic.Int64, limit, delta int64) bool {
	if delta <= 0 || limit <= 0 {
		used.Add(delta)
		return true
	}
	for {
		now := used.Load()
		if now+delta > limit {
			return false
		}
		if used.CompareAndSwap(now, now+delta) {
			return true
		}
	}
}
