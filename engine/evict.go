package engine

// Eviction by S3-FIFO (Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you
// need for cache eviction", SOSP 2023). A shard's entries stand in two queues by
// age: new ones in small, which may hold a tenth of the bytes, and those that
// were used twice while in small, or that came back soon after they were evicted,
// in main. A hit moves nothing: a reader only counts it, up to three. Most keys of
// a scan leave from small and never push anything out of main.
//
// The queues are linked through the table's slots, so an entry that is removed
// leaves them at once. All of it is guarded by the shard's lock, except the
// counts of hits, which readers write.

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	hitsMax      = 3 // as many as are counted
	hitsPromote  = 2 // in small, as many lead to main
	smallPerCent = 10

	// evictLooks is how many entries are looked at to find one to evict; then the
	// next goes, used or not.
	evictLooks = 128
	// evictBurst is how many entries are evicted under one hold of a lock.
	evictBurst = 64
	// evictTries is how often a write makes room that others take before it.
	evictTries = 64

	// evictShardBytes is what a shard of a small store has room for, at least.
	evictShardBytes = 32 << 10

	ghostWays = 4
	inMain    = 1 << 31 // in evictNode.older
)

// evictNode is a slot's place in a queue: 1 + the slots beside it, 0 for none.
type evictNode struct{ newer, older uint32 }

// evictQueue is a queue's ends, as 1 + slot, 0 for none, and the bytes charged.
type evictQueue struct {
	oldest, newest uint32
	bytes          int64
}

// queues is what a shard needs for eviction.
type queues struct {
	nodes       []evictNode // by slot
	hits        []uint32    // a byte per slot, behind the table; loaded and stored atomically
	small, main evictQueue
	ghosts      []uint64 // evicted of late: hash bits <<32 | number, in sets of ghostWays; 0 is none
	evicted     uint32   // number of the last ghost
}

// evictShardCount is how many shards a budget is for: each evicts for itself, and
// with a handful of entries it chooses badly.
func evictShardCount(bytesMax int64) int64 {
	return 1 << (bits.Len64(uint64(max(1, bytesMax/evictShardBytes))) - 1)
}

// newQueues is empty queues for a table, which counts hits.
func newQueues(words []uint64) *queues {
	size := len(words) - slotsBegin
	return &queues{
		nodes:  make([]evictNode, size),
		hits:   unsafe.Slice(slots{&words[0]}.hits(), size/4),
		ghosts: make([]uint64, size/2),
	}
}

// hit counts a use of the entry in a slot. A count that is lost because
// another slot's changed meanwhile is not missed.
func hit(hits *uint32, slot uint64) {
	word, shift := (*uint32)(unsafe.Add(unsafe.Pointer(hits), slot/4*4)), slot%4*8
	if n := atomic.LoadUint32(word); n>>shift&0xff < hitsMax {
		atomic.CompareAndSwapUint32(word, n, n+1<<shift)
	}
}

// hitLocked is hit for who holds the shard's lock, if only for reading.
func (sh *shard) hitLocked(slot int) {
	if sh.queues != nil {
		hit(&sh.queues.hits[0], uint64(slot))
	}
}

// hitsOf is how often the entry in a slot was used.
func (q *queues) hitsOf(slot int) uint32 {
	return atomic.LoadUint32(&q.hits[slot/4]) >> (slot % 4 * 8) & 0xff
}

// setHits sets the count of a slot.
func (q *queues) setHits(slot int, n uint32) {
	word, shift := &q.hits[slot/4], slot%4*8
	atomic.AndUint32(word, ^(uint32(0xff) << shift))
	atomic.OrUint32(word, n<<shift)
}

// add puts a new entry into small, or into main when it was there not long ago.
func (q *queues) add(slot int, hash uint64, bytes int64, window int) {
	q.setHits(slot, 0)
	q.push(slot, q.wasEvicted(hash, window), bytes)
}

// push makes a slot the newest of a queue.
func (q *queues) push(slot int, toMain bool, bytes int64) {
	to, flag := &q.small, uint32(0)
	if toMain {
		to, flag = &q.main, inMain
	}
	q.nodes[slot] = evictNode{older: to.newest | flag}
	if to.newest != 0 {
		q.nodes[to.newest-1].newer = uint32(slot) + 1
	} else {
		to.oldest = uint32(slot) + 1
	}
	to.newest = uint32(slot) + 1
	to.bytes += bytes
}

// of is the queue of a slot that is in one.
func (q *queues) of(slot int) *evictQueue {
	if q.nodes[slot].older&inMain != 0 {
		return &q.main
	}
	return &q.small
}

// drop takes a slot out of its queue.
func (q *queues) drop(slot int, bytes int64) {
	from, n := q.of(slot), q.nodes[slot]
	older := n.older &^ inMain
	if n.newer != 0 {
		q.nodes[n.newer-1].older = n.older
	} else {
		from.newest = older
	}
	if older != 0 {
		q.nodes[older-1].newer = n.newer
	} else {
		from.oldest = n.newer
	}
	q.nodes[slot] = evictNode{}
	from.bytes -= bytes
}

// wrote counts a write of value over an entry.
func (sh *shard) wrote(key string, cur *entry, valueLen int, expires bool) {
	if q := sh.queues; q != nil {
		hit(&q.hits[0], uint64(cur.slot))
		q.of(cur.slot).bytes += rateEvicting.charge(len(key), valueLen, expires) - rateEvicting.of(key, cur)
	}
}

// movedSlots is room for what rebuilt wants to know, or nil without eviction.
func (sh *shard) movedSlots() []uint32 {
	if sh.queues == nil {
		return nil
	}
	return make([]uint32, len(sh.table.slots()))
}

// rebuilt follows the slots to another table: moved is 1 + the new
// slot by old slot.
func (q *queues) rebuilt(moved []uint32, words []uint64) {
	to := newQueues(words)
	follow := func(at uint32) uint32 {
		if at == 0 {
			return 0
		}
		return moved[at-1]
	}
	for slot, n := range q.nodes {
		if moved[slot] == 0 {
			continue
		}
		to.nodes[moved[slot]-1] = evictNode{newer: follow(n.newer), older: follow(n.older&^inMain) | n.older&inMain}
		to.setHits(int(moved[slot]-1), q.hitsOf(slot))
	}
	to.small = evictQueue{oldest: follow(q.small.oldest), newest: follow(q.small.newest), bytes: q.small.bytes}
	to.main = evictQueue{oldest: follow(q.main.oldest), newest: follow(q.main.newest), bytes: q.main.bytes}
	to.evicted = q.evicted
	for _, g := range q.ghosts {
		if g != 0 {
			to.putGhost(g)
		}
	}
	*q = *to
}

// ghostSet is where a ghost with these hash bits can stand.
func (q *queues) ghostSet(hash uint64) []uint64 {
	at := int(hash) & (len(q.ghosts)/ghostWays - 1) * ghostWays
	return q.ghosts[at : at+ghostWays]
}

// remember notes that an entry was evicted.
func (q *queues) remember(hash uint64) {
	q.evicted++
	q.putGhost(hash<<32 | uint64(q.evicted))
}

// putGhost puts a ghost in the place of the oldest of its set.
func (q *queues) putGhost(g uint64) {
	set := q.ghostSet(g >> 32)
	oldest := 0
	for i := range set {
		if set[i] == 0 {
			oldest = i
			break
		}
		if q.evicted-uint32(set[i]) > q.evicted-uint32(set[oldest]) {
			oldest = i
		}
	}
	set[oldest] = g
}

// wasEvicted reports whether the key with these hash bits is among the last
// window ones that were evicted, and forgets that.
func (q *queues) wasEvicted(hash uint64, window int) bool {
	set := q.ghostSet(hash)
	for i, g := range set {
		if g != 0 && g>>32 == hash {
			set[i] = 0
			return q.evicted-uint32(g) < uint32(window)
		}
	}
	return false
}

// victim chooses the entry to evict, not that in the slot keep (-1: any may go).
// It gives -1 when there is none.
func (sh *shard) victim(keep int) int {
	q := sh.queues
	for looks := evictLooks; looks >= 0; looks-- {
		small := q.small.oldest != 0 && (q.main.oldest == 0 || q.small.bytes*100 >= sh.bytes*smallPerCent)
		from, enough := &q.main, uint32(1)
		if small {
			from, enough = &q.small, hitsPromote
		}
		if from.oldest == 0 {
			return -1
		}
		slot := int(from.oldest) - 1
		hits := q.hitsOf(slot)
		switch {
		case slot == keep:
			sh.requeue(slot, !small)
		case hits < enough || looks == 0:
			return slot
		case small:
			sh.requeue(slot, true)
			q.setHits(slot, 0)
		default:
			sh.requeue(slot, true)
			q.setHits(slot, hits-1)
		}
	}
	return -1
}

// requeue makes a slot the newest of a queue.
func (sh *shard) requeue(slot int, toMain bool) {
	info := *sh.arena.at(ref(sh.table.slots()[slot] & refMask)).info()
	bytes := chargeOfInfo(info)
	sh.queues.drop(slot, bytes)
	sh.queues.push(slot, toMain, bytes)
}

// evictLocked removes entries of a shard, a bounded number, until need more bytes
// fit into the store's budget, and returns how many.
func (s *Store) evictLocked(sh *shard, need int64, keep int) (evicted int) {
	for ; evicted < evictBurst && s.budget.lacks(need); evicted++ {
		slot := sh.victim(keep)
		if slot < 0 {
			break
		}
		sh.captureNow()
		word := sh.table.slots()[slot]
		e := sh.entry(slot, ref(word&refMask))
		c := sh.arena.at(e.ref)
		key := c.key(*c.info())
		if s.expired(e.Meta) {
			s.removeExpiredLocked(sh, key, e)
			continue
		}
		sh.queues.remember(word >> refBits)
		bytes := rateEvicting.of(key, &e)
		s.budget.release(key, bytes)
		sh.bytes -= bytes
		sh.counts.evicted++
		version := s.version.Add(1)
		if s.log != nil { // nobody waits for it
			s.log.append(&logRecord{kind: recordRemove, key: key, Meta: Meta{Version: version}})
		}
		s.remove(sh, &e, key, Event{Kind: EventEvict, Meta: Meta{Version: version}})
	}
	return evicted
}

// ownRoom evicts from the shard that a writer holds until need more bytes fit,
// but not the entry that it writes over. It does nothing where that has less than
// half of its share, or nothing would help: then others have to give, or the
// write be refused. It reports whether it evicted.
func (s *Store) ownRoom(sh *shard, c budgetChange, cur entry) bool {
	if c.delta <= 0 || !s.budget.lacks(c.delta) || s.poor(sh) || c.after > s.budget.bytesMax.Load() {
		return false
	}
	keep := -1
	if cur.Found() {
		keep = cur.slot
	}
	s.evictLocked(sh, c.delta, keep)
	return true
}

// canEvict reports whether a write that was refused may be tried again, after
// room was made for it.
func (s *Store) canEvict(full *fullError, try int) bool {
	if !s.evict || full.need == 0 || full.holds > s.budget.bytesMax.Load() || try >= evictTries {
		return false
	}
	s.makeRoom(full.need)
	return true
}

// poor reports whether a shard has less than half of its share of the budget.
func (s *Store) poor(sh *shard) bool {
	return sh.bytes*int64(2*len(s.shards)) < s.budget.bytesMax.Load()
}

// makeRoom evicts from one shard after another until need more bytes fit. The
// caller holds no lock, and others may take the room before it does.
func (s *Store) makeRoom(need int64) {
	for spare := true; ; { // spare the poor, as long as others have something
		evicted := 0
		for range s.shards {
			if !s.budget.lacks(need) || s.closed.Load() {
				return
			}
			sh := &s.shards[int(s.evictNext.Add(1))&(len(s.shards)-1)]
			sh.mu.Lock()
			if !spare || !s.poor(sh) {
				evicted += s.evictLocked(sh, need, -1)
			}
			sh.mu.Unlock()
		}
		if evicted == 0 && !spare {
			return
		}
		spare = spare && evicted > 0
	}
}

// refill makes queues for contents that came all at once.
func (sh *shard) refill() {
	if sh.queues == nil {
		return
	}
	sh.queues = newQueues(sh.table.words)
	for slot := range sh.table.slots() {
		if r := ref(sh.table.slots()[slot] & refMask); r != 0 && r != refTombstone {
			info := *sh.arena.at(r).info()
			sh.queues.push(slot, true, chargeOfInfo(info))
		}
	}
}

// chargeOfInfo is what an entry of a store that evicts is charged.
func chargeOfInfo(info uint64) int64 {
	return rateEvicting.charge(infoKeyLen(info), infoValueLen(info), info&infoExpiry != 0)
}
