package engine

import "sync/atomic"

// Stats is a reading of a store's counters. Counters since Open only grow.
type Stats struct {
	Keys      int64  // entries resident, expired ones not yet swept included
	Bytes     int64  // bytes charged: keys, values and the charge per entry
	BytesMax  int64  // the store's budget; 0 is none
	Version   uint64 // version of the last change
	Sets      int64  // writes since Open
	Deletes   int64  // removals by Delete, Batch and Clear since Open
	Expired   int64  // removals by expiry since Open
	Conflicts int64  // preconditions that did not hold since Open
	Watchers  int    // open watchers
}

// counters are the numbers behind Stats.
type counters struct {
	keys, sets, deletes, expired, conflicts atomic.Int64
}

func (c *counters) written(existed bool) {
	c.sets.Add(1)
	if !existed {
		c.keys.Add(1)
	}
}

func (c *counters) removed() {
	c.deletes.Add(1)
	c.keys.Add(-1)
}

// Stats reads the counters. They are read one after another, not as of one
// moment.
func (s *Store) Stats() Stats {
	return Stats{
		Keys:      s.counts.keys.Load(),
		Bytes:     s.budget.used.Load(),
		BytesMax:  s.budget.bytesMax.Load(),
		Version:   s.version.Load(),
		Sets:      s.counts.sets.Load(),
		Deletes:   s.counts.deletes.Load(),
		Expired:   s.counts.expired.Load(),
		Conflicts: s.counts.conflicts.Load(),
		Watchers:  s.watchers.count(),
	}
}
