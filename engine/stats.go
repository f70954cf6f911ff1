package engine

// Stats is a reading of a store's counters. Counters since Open only grow. Reads
// are not counted, nor what they found: a counter that all readers write would cost
// them more than the lookup. Who needs hits and misses counts what Get returned.
type Stats struct {
	Keys     int64 // entries resident, expired ones not yet swept included
	Bytes    int64 // bytes charged for the entries: see Options.BytesMax
	BytesMax int64 // the store's budget; 0 is none
	// ResidentBytes is the memory of cells and tables, padding, free cells and
	// tombstones included.
	ResidentBytes int64
	// OrderBytes is the memory of the sorted copy of the keys: 0 until the first
	// List.
	OrderBytes int64
	Version    uint64 // version of the last change
	Sets       int64  // writes since Open
	Deletes    int64  // removals by Delete, Batch and Clear since Open
	Expired    int64  // removals by expiry since Open
	Evicted    int64  // removals by eviction since Open
	Conflicts  int64  // preconditions that did not hold since Open
	Watchers   int    // open watchers
}

// counters are the numbers of a shard behind Stats, guarded by its lock.
type counters struct {
	sets, deletes, expired, evicted, conflicts int64
}

// Stats reads the counters, a shard at a time: they are not as of one moment.
func (s *Store) Stats() Stats {
	t := Stats{
		Bytes:      s.budget.used.Load(),
		BytesMax:   s.budget.bytesMax.Load(),
		OrderBytes: s.order.bytes(),
		Version:    s.version.Load(),
		Watchers:   s.watchers.count(),
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		t.Keys += int64(sh.table.live)
		t.ResidentBytes += sh.arena.resident + int64(len(sh.table.words))*8
		t.Sets += sh.counts.sets
		t.Deletes += sh.counts.deletes
		t.Expired += sh.counts.expired
		t.Evicted += sh.counts.evicted
		t.Conflicts += sh.counts.conflicts
		sh.mu.RUnlock()
	}
	return t
}
