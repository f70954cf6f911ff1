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
// Within one view a slot changes its reference but never moves, and a view that
// was replaced is never written again. That is all a reader relies on.

const (
	slotsMin  = 8
	lineSlots = 8 // a cache line
)

// view is what a reader needs of a shard. It is replaced as a whole.
type view struct {
	slots []uint64         // loaded and stored atomically; a power of two
	dir   []unsafe.Pointer // the arena's directory, elements loaded atomically
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
	slots      []uint64
	live       int
	tombstones int
}

// find is the slot of key and its reference, or -1. It is for whoever holds the
// shard's lock.
func (sh *shard) find(h uint64, key string) (slot int, r ref) {
	bits, mask := hashBits(h), uint64(len(sh.table.slots)-1)
	for p := startProbe(bits, mask); ; p.next(mask) {
		s := sh.table.slots[p.index]
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
	bits, mask := hashBits(h), uint64(len(sh.table.slots)-1)
	want := bits<<refBits | uint64(r)
	p := startProbe(bits, mask)
	for sh.table.slots[p.index] != want {
		p.next(mask)
	}
	return int(p.index)
}

// insert stores r for a key that is not in the table.
func (sh *shard) insert(h uint64, r ref) {
	t := &sh.table
	if 4*(t.live+t.tombstones+1) > 3*len(t.slots) {
		sh.rebuild()
	}
	bits, mask := hashBits(h), uint64(len(t.slots)-1)
	p := startProbe(bits, mask)
	for t.slots[p.index] != 0 && ref(t.slots[p.index]&refMask) != refTombstone {
		p.next(mask)
	}
	if t.slots[p.index] != 0 {
		t.tombstones--
	}
	atomic.StoreUint64(&t.slots[p.index], bits<<refBits|uint64(r))
	t.live++
}

// replace gives a slot another reference.
func (sh *shard) replace(slot int, r ref) {
	s := sh.table.slots[slot]
	atomic.StoreUint64(&sh.table.slots[slot], s&^refMask|uint64(r))
}

// removeSlot leaves a tombstone.
func (sh *shard) removeSlot(slot int) {
	atomic.StoreUint64(&sh.table.slots[slot], uint64(refTombstone))
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
	slots := make([]uint64, size)
	mask := uint64(size - 1)
	for _, s := range t.slots {
		if r := ref(s & refMask); r == 0 || r == refTombstone {
			continue
		}
		p := startProbe(s>>refBits, mask)
		for slots[p.index] != 0 {
			p.next(mask)
		}
		slots[p.index] = s
	}
	t.slots, t.tombstones = slots, 0
	sh.show()
}

// show gives readers the table and directory as they are.
func (sh *shard) show() { sh.view.Store(&view{slots: sh.table.slots, dir: sh.arena.dir}) }

// reset empties the shard. Readers of the old view keep its memory alive.
func (sh *shard) reset() {
	sh.table = table{slots: make([]uint64, slotsMin)}
	sh.arena = arena{}
	sh.expiry = wheel{}
	sh.bytes = 0
	sh.order = nil
	sh.show()
}
