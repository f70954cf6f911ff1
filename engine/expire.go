package engine

import "container/heap"

// expiryHeap orders the entries of a shard that can end by when they end. An
// entry that was overwritten or deleted stays in it until its time comes or the
// heap is rebuilt; its version tells. It holds no pointer.
type expiryHeap []expiryItem

type expiryItem struct {
	at      int64 // Unix milliseconds
	version uint64
	hash    uint64
}

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's: it appends an expiryItem.
func (h *expiryHeap) Push(x any) { *h = append(*h, x.(expiryItem)) }

// Pop is heap.Interface's: it removes the last item.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	item := (*h)[last]
	*h = (*h)[:last]
	return item
}

// Tick removes entries whose time is over, at most max of them (0 means no
// bound), and returns how many. Reads never see an expired entry, with or
// without Tick: it frees their bytes and tells the watchers. The engine starts
// no goroutine and no timer, so the owner calls it now and then.
func (s *Store) Tick(max int) (expired int) {
	if s.closed.Load() {
		return 0
	}
	now := s.now()
	for i := range s.shards {
		if max > 0 && expired >= max {
			break
		}
		expired += s.tickShard(&s.shards[i], now, max-expired, max > 0)
	}
	return expired
}

// tickShard removes what has ended in one shard, at most max entries if bounded.
func (s *Store) tickShard(sh *shard, now int64, max int, bounded bool) (expired int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for len(sh.expiry) > 0 && sh.expiry[0].at <= now && (!bounded || expired < max) {
		sh.captureNow()
		item := heap.Pop(&sh.expiry).(expiryItem)
		slot, r := sh.findVersion(item.hash, item.version)
		if slot < 0 {
			continue
		}
		c := sh.arena.at(r)
		s.removeExpiredLocked(sh, c.key(*c.info()), sh.entry(slot, r))
		expired++
	}
	return expired
}

// findVersion is the slot and reference of the entry with this hash and version,
// or -1.
func (sh *shard) findVersion(h, version uint64) (slot int, r ref) {
	bits, mask := hashBits(h), uint64(len(sh.table.slots)-1)
	for p := startProbe(bits, mask); ; p.next(mask) {
		s := sh.table.slots[p.index]
		if s == 0 {
			return -1, 0
		}
		r := ref(s & refMask)
		if s>>refBits == bits && r != refTombstone && *sh.arena.at(r).head() == version<<1 {
			return int(p.index), r
		}
	}
}

// trackExpiryLocked notes when an entry ends. When most of the heap is stale it is
// rebuilt, so that overwriting a key for ever does not grow it for ever.
func (s *Store) trackExpiryLocked(sh *shard, h uint64, m Meta) {
	if m.ExpiresAt == 0 {
		return
	}
	heap.Push(&sh.expiry, expiryItem{at: m.ExpiresAt, version: m.Version, hash: h})
	if len(sh.expiry) > 2*sh.table.live+64 {
		sh.rebuildExpiry()
	}
}

// rebuildExpiry keeps only the items that speak of a present entry.
func (sh *shard) rebuildExpiry() {
	kept := sh.expiry[:0]
	for _, item := range sh.expiry {
		if slot, _ := sh.findVersion(item.hash, item.version); slot >= 0 {
			kept = append(kept, item)
		}
	}
	sh.expiry = kept
	heap.Init(&sh.expiry)
}

// removeExpiredLocked removes an entry whose time is over. key may alias its cell.
func (s *Store) removeExpiredLocked(sh *shard, key string, e entry) {
	bytes := charge(len(key), len(e.value))
	s.budget.release(key, bytes)
	sh.bytes -= bytes
	sh.counts.expired++
	s.remove(sh, e, Event{Kind: EventExpire, Key: key, Meta: Meta{Version: s.version.Add(1)}})
}
