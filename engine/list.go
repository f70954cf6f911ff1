package engine

import (
	"iter"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/message"
)

// ListLimitMax is the longest page of List, in entries.
const ListLimitMax = 10_000

// listLimitDefault is the page length when ListOptions names none.
const listLimitDefault = 100

// listAttempts is how often List begins anew when the contents are replaced under
// it, before it walks over all keys instead.
const listAttempts = 3

// ListOptions choose a page of keys.
type ListOptions struct {
	// Prefix limits the list to keys that begin with it; empty is all keys.
	Prefix string
	// After is the cursor: the list starts behind this key, whether or not it
	// still exists. Empty starts at the first key.
	After string
	// Limit is the page length in entries, at most ListLimitMax; 0 means 100.
	Limit int
	// Values asks for copies of the values too.
	Values bool
}

// ListEntry is a key with its Meta and the length of its value in bytes. Value
// is nil unless ListOptions.Values asked for it.
type ListEntry struct {
	Key  string
	Size int
	Entry
}

// Page is a part of a list in key order (by byte).
type Page struct {
	Entries []ListEntry
	// Next is the After of the next page; empty when this one is the last.
	Next string
}

// List returns the keys that begin with a prefix, in byte order, a page at a
// time. A key that is there during the whole walk is listed once; one that is
// written or deleted meanwhile may or may not be. A page costs a search and a
// lookup per entry, in an order of all keys that the first List builds by a walk
// over all of them and that inserts and removals then maintain; with
// Options.OrderDisabled every page costs such a walk. Errors: ErrOptions for a
// limit or prefix out of range, ErrClosed.
func (s *Store) List(o ListOptions) (Page, error) {
	if s.closed.Load() {
		return Page{}, ErrClosed
	}
	if o.Limit < 0 || o.Limit > ListLimitMax || len(o.Prefix) > KeyBytesMax || len(o.After) > KeyBytesMax {
		return Page{}, message.Errorf("%w: a limit is 0 to %d, a prefix and a cursor have at most %d bytes", ErrOptions, ListLimitMax, KeyBytesMax)
	}
	if o.Limit == 0 {
		o.Limit = listLimitDefault
	}
	if !s.order.disabled {
		for range listAttempts {
			page, complete := s.listOrdered(o)
			if s.closed.Load() {
				return Page{}, ErrClosed
			}
			if complete {
				return page, nil
			}
		}
	}
	return s.listByWalk(o), nil
}

// listByWalk is List without the order.
func (s *Store) listByWalk(o ListOptions) Page {
	found := smallest{limit: o.Limit + 1} // one more tells whether there is a next page
	for i := range s.shards {
		s.collect(&s.shards[i], o, &found)
	}
	return found.page(o.Limit)
}

// collect offers the shard's live keys of the page to found.
func (s *Store) collect(sh *shard, o ListOptions, found *smallest) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for key, e := range sh.entries() {
		if key <= o.After || !strings.HasPrefix(key, o.Prefix) || !found.wants(key) || s.expired(e.Meta) {
			continue
		}
		item := ListEntry{Key: strings.Clone(key), Size: len(e.value), Entry: Entry{Meta: e.Meta}}
		if o.Values {
			item.Value = append(make([]byte, 0, len(e.value)), e.value...)
		}
		found.add(item)
	}
}

// entries ranges over the shard's entries, expired ones included. Keys and
// values alias the cells: they are good inside the loop, which may remove the
// entry in hand and change nothing else.
func (sh *shard) entries() iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		for slot, s := range sh.table.slots() {
			r := ref(s & refMask)
			if r == 0 || r == refTombstone {
				continue
			}
			c := sh.arena.at(r)
			if !yield(c.key(*c.info()), sh.entry(slot, r)) {
				return
			}
		}
	}
}

// smallest keeps the entries with the smallest keys in twice the space of the
// page: when it is full it is sorted and cut.
type smallest struct {
	limit   int
	entries []ListEntry
	bound   string // once set, only smaller keys can be on the page
}

func (m *smallest) wants(key string) bool { return m.bound == "" || key < m.bound }

func (m *smallest) add(e ListEntry) {
	m.entries = append(m.entries, e)
	if len(m.entries) >= 2*m.limit {
		m.cut()
		m.bound = m.entries[m.limit-1].Key
	}
}

// cut sorts and keeps the first limit entries.
func (m *smallest) cut() {
	slices.SortFunc(m.entries, func(a, b ListEntry) int { return strings.Compare(a.Key, b.Key) })
	if len(m.entries) > m.limit {
		clear(m.entries[m.limit:])
		m.entries = m.entries[:m.limit]
	}
}

// page is the finished page of at most limit entries.
func (m *smallest) page(limit int) Page {
	m.cut()
	if len(m.entries) <= limit {
		return Page{Entries: m.entries}
	}
	return Page{Entries: m.entries[:limit], Next: m.entries[limit-1].Key}
}

// Clear removes every key that begins with prefix as one change and returns how
// many; the empty prefix clears the store. Watchers get an event per key.
// It costs a walk over all keys, during which nobody else writes; once somebody
// has listed, and where the prefix has less than an eighth of the keys, a lookup
// for each of them.
func (s *Store) Clear(prefix string) (deleted int, err error) {
	if len(prefix) > KeyBytesMax {
		return 0, message.Errorf("%w: a prefix has at most %d bytes", ErrOptions, KeyBytesMax)
	}
	if s.log == nil {
		deleted, _, err = s.clearOnce(prefix)
		return deleted, err
	}
	if err := s.log.admit(); err != nil {
		return 0, err
	}
	deleted, logged, err := s.clearOnce(prefix)
	if err == nil {
		err = s.log.commit(logged)
	}
	return deleted, err
}

// clearOnce is Clear but for waiting until it is durable.
func (s *Store) clearOnce(prefix string) (deleted int, logged *commitGroup, err error) {
	all := s.allShards()
	s.lock(all)
	defer s.unlock(all)
	if s.closed.Load() {
		return 0, nil, ErrClosed
	}
	if prefix == "" {
		s.dropOrderLocked() // cheaper than key by key
	}
	if keys, few := s.orderedLocked(prefix); few {
		for _, key := range keys {
			h := s.hash(key)
			sh := &s.shards[s.shardIndex(h)]
			sh.captureNow()
			if e := sh.present(h, key); e.Found() && s.clearLocked(sh, key, &e) {
				deleted++
			}
		}
	} else {
		for i := range s.shards {
			sh := &s.shards[i]
			sh.captureNow()
			for key, e := range sh.entries() {
				if strings.HasPrefix(key, prefix) && s.clearLocked(sh, key, &e) {
					deleted++
				}
			}
		}
	}
	if s.log != nil && deleted > 0 {
		logged = s.log.append(&logRecord{kind: recordClear, key: prefix, Meta: Meta{Version: s.version.Load()}})
	}
	return deleted, logged, nil
}

// clearLocked removes an entry for Clear, and reports whether it had not ended.
func (s *Store) clearLocked(sh *shard, key string, e *entry) bool {
	if s.expired(e.Meta) {
		s.removeExpiredLocked(sh, key, *e)
		return false
	}
	s.budget.release(key, s.rate().of(key, e))
	s.commitLocked(sh, 0, key, e, &outcome{remove: true}, &OpResult{})
	return true
}
