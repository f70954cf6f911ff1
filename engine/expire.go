package engine

import "container/heap"

// expiryHeap orders the entries of a shard that can end by when they end. An
// entry that was overwritten or deleted stays in it until its time comes or the
// heap is rebuilt; its version tells.
type expiryHeap []expiryItem

type expiryItem struct {
	at      int64 // Unix milliseconds
	version uint64
	key     string
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
	(*h)[last] = expiryItem{}
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
		sh := &s.shards[i]
		sh.mu.Lock()
		for len(sh.expiry) > 0 && sh.expiry[0].at <= now && (max <= 0 || expired < max) {
			item := heap.Pop(&sh.expiry).(expiryItem)
			if e, ok := sh.m[item.key]; ok && e.Version == item.version {
				s.removeExpiredLocked(sh, item.key, e)
				expired++
			}
		}
		sh.mu.Unlock()
	}
	return expired
}

// trackExpiryLocked notes when e ends. When most of the heap is stale it is
// rebuilt, so that overwriting a key for ever does not grow it for ever.
func (s *Store) trackExpiryLocked(sh *shard, key string, e entry) {
	if e.ExpiresAt == 0 {
		return
	}
	heap.Push(&sh.expiry, expiryItem{at: e.ExpiresAt, version: e.Version, key: key})
	if len(sh.expiry) > 2*len(sh.m)+64 {
		s.rebuildExpiryLocked(sh)
	}
}

// rebuildExpiryLocked keeps only the items that speak of a present entry.
func (s *Store) rebuildExpiryLocked(sh *shard) {
	kept := sh.expiry[:0]
	for _, item := range sh.expiry {
		if e, ok := sh.m[item.key]; ok && e.Version == item.version {
			kept = append(kept, item)
		}
	}
	clear(sh.expiry[len(kept):])
	sh.expiry = kept
	heap.Init(&sh.expiry)
}

// removeExpiredLocked removes an entry whose time is over.
func (s *Store) removeExpiredLocked(sh *shard, key string, e entry) {
	delete(sh.m, key)
	s.budget.release(key, charge(key, e.value))
	s.counts.expired.Add(1)
	s.counts.keys.Add(-1)
	s.watchers.emit(Event{Kind: EventExpire, Key: key, Meta: Meta{Version: s.version.Add(1)}})
}
