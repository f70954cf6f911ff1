package engine

import (
	"sync/atomic"
	"unsafe"
)

// The table of a shard: slots of a hash's 28 bits and a reference of 36. A key's
// slots are looked at in a fixed order, from its home slot round its cache line
// and then line by line; the first empty slot ends the search. A removed key
// leaves a tombstone. A table that is nearly full is copied into a new one, from
// the slots alone: the entries are not touched.
//
// A table is one block of words: the mask of its slots in word 0, the slots from
// slotsBegin on, a cache line further. Within one table a slot changes its
// reference but never moves, and a table that was replaced is never written
// again. That is all a reader relies on.

const (
	slotsMin   = 8
	lineSlots  = 8 // a cache line
	slotsBegin = lineSlots
)

// newSlots is an empty table of size slots, a power of two. Where hits are counted
// word 1 says so, and a byte for each slot lies behind the last one.
func newSlots(size int, counting bool) []uint64 {
	n := slotsBegin + size
	if !counting {
		words := make([]uint64, n)
		words[0] = uint64(size - 1)
		return words
	}
	words := make([]uint64, n+size/8)
	words[0], words[1] = uint64(size-1), 1
	return words[:n]
}

// slots is a table as readers see it: its first word.
type slots struct{ p *uint64 }

func (t slots) mask() uint64 { return *t.p }

// counting reports whether the table counts hits.
func (t slots) counting() bool { return *(*uint64)(unsafe.Add(unsafe.Pointer(t.p), 8)) != 0 }

// hits is the bytes behind the slots of a table that counts hits.
func (t slots) hits() *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Pointer(t.p), (slotsBegin+t.mask()+1)*8))
}

// at is slot i, to be loaded and stored atomically.
func (t slots) at(i uint64) *uint64 {
	return (*uint64)(unsafe.Add(unsafe.Pointer(t.p), (slotsBegin+i)*8))
}

// hashBits is the part of a hash that a slot keeps: the top bits chose the shard.
func hashBits(h uint64) uint64 { return h & (1<<(64-refBits) - 1) }

// probe walks the slots of a key.
type probe struct {
	index uint64 // the slot to look at
	left  int    // slots left in its line
}

func startProbe(bits uint64, mask uint64) probe { return probe{index: bits & mask, left: lineSlots} }

// next goes to the next slot: round the line, then the next line.
func (p *probe) next(mask uint64) {
	p.left--
	p.index = p.index&^(lineSlots-1) | (p.index+1)&(lineSlots-1)
	if p.left == 0 {
		p.index = (p.index + lineSlots) & mask
		p.left = lineSlots
	}
}

// table is a shard's slots and their counts, guarded by the shard's lock.
type table struct {
	words      []uint64
	live       int
	tombstones int
}

// slots is the table without its first line.
func (t *table) slots() []uint64 { return t.words[slotsBegin:] }

// find is the slot of key and its reference, or -1. It is for whoever holds the
// shard's lock.
func (sh *shard) find(h uint64, key string) (slot int, r ref) {
	bits, all := hashBits(h), sh.table.slots()
	mask := uint64(len(all) - 1)
	for p := startProbe(bits, mask); ; p.next(mask) {
		s := all[p.index]
		if s == 0 {
			return -1, 0
		}
		if s>>refBits != bits || ref(s&refMask) == refTombstone {
			continue
		}
		c := sh.arena.at(ref(s & refMask))
		if infoKeyLen(*c.info()) == len(key) && c.hasKey(key) {
			return int(p.index), ref(s & refMask)
		}
	}
}

// findRef is the slot that holds r, which is there.
func (sh *shard) findRef(h uint64, r ref) (slot int) {
	bits, all := hashBits(h), sh.table.slots()
	mask := uint64(len(all) - 1)
	want := bits<<refBits | uint64(r)
	p := startProbe(bits, mask)
	for all[p.index] != want {
		p.next(mask)
	}
	return int(p.index)
}

// insert stores r for a key that is not in the table, and returns its slot.
func (sh *shard) insert(h uint64, r ref) (slot int) {
	t := &sh.table
	if 4*(t.live+t.tombstones+1) > 3*len(t.slots()) {
		sh.rebuild()
	}
	bits, all := hashBits(h), t.slots()
	mask := uint64(len(all) - 1)
	p := startProbe(bits, mask)
	for all[p.index] != 0 && ref(all[p.index]&refMask) != refTombstone {
		p.next(mask)
	}
	if all[p.index] != 0 {
		t.tombstones--
	}
	atomic.StoreUint64(&all[p.index], bits<<refBits|uint64(r))
	t.live++
	return int(p.index)
}

// replace gives a slot another reference.
func (sh *shard) replace(slot int, r ref) {
	s := &sh.table.slots()[slot]
	atomic.StoreUint64(s, *s&^refMask|uint64(r))
}

// removeSlot leaves a tombstone.
func (sh *shard) removeSlot(slot int) {
	atomic.StoreUint64(&sh.table.slots()[slot], uint64(refTombstone))
	sh.table.live--
	sh.table.tombstones++
}

// rebuild copies the live slots into a table that they fill to between a quarter
// and a half (twice as large, as large, or smaller), and shows it to the readers.
func (sh *shard) rebuild() {
	t := &sh.table
	size := slotsMin
	for 2*(t.live+1) > size {
		size *= 2
	}
	words := newSlots(size, sh.queues != nil)
	all := words[slotsBegin:]
	mask := uint64(size - 1)
	moved := sh.movedSlots()
	for i, s := range t.slots() {
		if r := ref(s & refMask); r == 0 || r == refTombstone {
			continue
		}
		p := startProbe(s>>refBits, mask)
		for all[p.index] != 0 {
			p.next(mask)
		}
		all[p.index] = s
		if moved != nil {
			moved[i] = uint32(p.index) + 1
		}
	}
	t.words, t.tombstones = words, 0
	if moved != nil {
		sh.queues.rebuilt(moved, words)
	}
	sh.slots.Store(&words[0])
}

// adopt gives the shard another table and arena. Readers learn of the table
// first: one that then meets the new directory with a reference of the old table
// finds the table replaced before it believes anything. The directory is made as
// long as the old one, so that such a reference lies in it. It is never empty: to a
// hash whose bits are all zero an unused slot looks like a reference into chunk 0.
func (sh *shard) adopt(t table, a arena) {
	if n := max(len(sh.arena.dir), 1); len(a.dir) < n {
		dir := make([]unsafe.Pointer, n)
		copy(dir, a.dir)
		a.dir = dir
	}
	sh.table, sh.arena = t, a
	sh.slots.Store(&t.words[0])
	sh.showDir()
}

// showDir gives readers the arena's directory. It comes before a reference that
// needs it is stored in a slot.
func (sh *shard) showDir() {
	sh.dir.Store(&sh.arena.dir[0])
}

// reset empties the shard. Readers of the old table keep its memory alive.
func (sh *shard) reset() {
	sh.adopt(table{words: newSlots(slotsMin, sh.queues != nil)}, arena{})
	sh.expiry = wheel{}
	sh.refill()
	sh.bytes = 0
	sh.order = nil
}
