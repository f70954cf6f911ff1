package engine

// appendLive is appendValue for an entry that has not ended. Whether it has is
// decided under the lock: a write that found the entry alive may be about to keep
// it so, and a key that was absent once must not be back without a write since.
func (s *Store) appendLive(dst []byte, h uint64, key string) ([]byte, Meta) {
	out, meta := s.appendValue(dst, h, key)
	if !s.expired(meta) {
		return out, meta
	}
	sh := &s.shards[s.shardIndex(h)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e := sh.present(h, key)
	if s.expired(e.Meta) {
		return dst, Meta{}
	}
	return append(dst, e.value...), e.Meta
}

// statLive is stat for an entry that has not ended; see appendLive.
func (s *Store) statLive(h uint64, key string) (Meta, int) {
	meta, size := s.stat(h, key)
	if !s.expired(meta) {
		return meta, size
	}
	sh := &s.shards[s.shardIndex(h)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e := sh.present(h, key)
	if s.expired(e.Meta) {
		return Meta{}, 0
	}
	return e.Meta, len(e.value)
}

// Tick removes entries whose time is over, at most max of them (0 means no
// bound), and returns how many. Reads never see an expired entry, with or
// without Tick: it frees their bytes and tells the watchers. It holds a shard's
// lock for a bounded number of entries at a time, so a million that end at once
// stall nobody. The engine starts no goroutine and no timer, so the owner calls
// it now and then.
func (s *Store) Tick(max int) (expired int) {
	if s.closed.Load() {
		return 0
	}
	now := s.now()
	for rest := s.allShards(); rest != (shardSet{}); {
		// A few holds of a shard and then the next, and round again: a mutex that
		// is taken again at once keeps others waiting for up to a millisecond, and
		// one hold at a time would lose the shard from the cache between holds.
		rest.each(func(i int) {
			if max > 0 && expired >= max {
				rest = shardSet{}
				return
			}
			for more, holds := true, 0; more && holds < wheelHolds; holds++ {
				var n int
				n, more = s.tickShard(&s.shards[i], now, max-expired, max > 0)
				expired += n
				if !more {
					rest.remove(i)
				}
			}
		})
	}
	if expired > 0 && s.log != nil {
		// With it goes the time: what has ended stays so. Nobody waits for it.
		s.log.append(&logRecord{kind: recordVersion, Meta: Meta{Version: s.version.Load()}})
	}
	if s.log != nil {
		s.tickLog()
	}
	return expired
}

// tickShard looks at a bounded number of items of a shard, and removes the
// entries that have ended, at most so many if bounded. more says that it is not done.
func (s *Store) tickShard(sh *shard, now int64, most int, bounded bool) (expired int, more bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w := &sh.expiry
	now = max(now, w.now) // another Tick may have read the clock later and been here first
	for range wheelLocked {
		if bounded && expired >= most {
			return expired, true
		}
		i := w.next(now)
		if i == 0 {
			sh.sweepExpiry(wheelLocked)
			return expired, false
		}
		item := w.items[i-1]
		if item.at > now {
			w.unlink(i)
			w.place(i)
			continue
		}
		w.remove(i)
		w.stale-- // or, where its entry is removed only now, undoes what that counts
		if slot, r := sh.findVersion(uint64(item.hash), item.version); slot >= 0 {
			sh.captureNow()
			c := sh.arena.at(r)
			s.removeExpiredLocked(sh, c.key(*c.info()), sh.entry(slot, r))
			expired++
		}
	}
	return expired, true
}

// findVersion is the slot and reference of the entry with this hash and version,
// or -1.
func (sh *shard) findVersion(h, version uint64) (slot int, r ref) {
	bits, all := hashBits(h), sh.table.slots()
	mask := uint64(len(all) - 1)
	for p := startProbe(bits, mask); ; p.next(mask) {
		s := all[p.index]
		if s == 0 {
			return -1, 0
		}
		r := ref(s & refMask)
		if s>>refBits == bits && r != refTombstone && *sh.arena.at(r).head() == version<<1 {
			return int(p.index), r
		}
	}
}

// trackExpiryLocked notes when an entry ends. While most items are stale it drops
// some, so that overwriting a key for ever does not grow the wheel for ever.
func (s *Store) trackExpiryLocked(sh *shard, h uint64, m Meta) {
	if m.ExpiresAt == 0 {
		return
	}
	w := &sh.expiry
	if len(w.items) == 0 { // an idle wheel stands still: set it right
		w.now, w.draining = s.lastTime.Load(), 0
	}
	w.add(m.ExpiresAt, m.Version, h)
	sh.sweepExpiry(wheelSweep)
}

// forgetExpiry counts the item of an entry that is removed or overwritten.
func (sh *shard) forgetExpiry(m Meta) {
	if m.ExpiresAt != 0 {
		sh.expiry.stale++
	}
}

// sweepExpiry looks at some items and drops the stale ones, while they are most.
func (sh *shard) sweepExpiry(looks int) {
	w := &sh.expiry
	for ; looks > 0 && 2*w.stale > len(w.items)+wheelItemsMin; looks-- {
		if w.cursor <= 0 || w.cursor > len(w.items) {
			w.cursor = len(w.items)
		}
		item := w.items[w.cursor-1]
		if slot, _ := sh.findVersion(uint64(item.hash), item.version); slot < 0 {
			w.remove(uint32(w.cursor))
			w.stale--
		}
		w.cursor--
	}
}

// removeExpiredLocked removes an entry whose time is over. key may alias its cell.
func (s *Store) removeExpiredLocked(sh *shard, key string, e entry) {
	bytes := s.rate().of(key, &e)
	s.budget.release(key, bytes)
	sh.bytes -= bytes
	sh.counts.expired++
	s.remove(sh, &e, key, Event{Kind: EventExpire, Meta: Meta{Version: s.version.Add(1)}})
}
