package engine

// The timing wheel of a shard: when each entry that can end ends. It is
// hierarchical (Varghese and Lauck, 1987): level 0 has a slot per millisecond of
// the present 64, level 1 a slot per 64 ms of the present 4,096, and so on. An
// item's level is that of the highest base-64 digit in which its time differs
// from the wheel's, so an item of level n stands in a slot ahead of the present
// one, and no slot is met twice. A bit per slot says where items are: time
// jumps over empty slots, however many. An item moves down a level when time
// reaches its slot, or leaves at once when it is over by then.
//
// Items lie densely in one slice, linked by index, without a pointer. An entry
// that was overwritten or deleted leaves its item behind; its version tells. Such
// stale items are dropped when met, and looked for when they are the majority.

import "math/bits"

const (
	wheelDigit  = 6
	wheelSlots  = 1 << wheelDigit
	wheelLevels = (63 + wheelDigit - 1) / wheelDigit // every time that an int64 holds

	// listDue is the list of items that were over when they came. The others are
	// 1 + level*wheelSlots + slot.
	listDue = 0

	// wheelLocked is how many items are looked at under one hold of a shard's lock.
	wheelLocked = 128
	// wheelHolds is how often in a row Tick takes the lock of one shard.
	wheelHolds = 8
	// wheelSweep is how many items a write looks at while most are stale: it adds
	// one, so it gains on them.
	wheelSweep = 4
	// wheelItemsMin is a length up to which no memory is given back.
	wheelItemsMin = 64
)

// A table's slot keeps no more of a hash than an item does.
const _ = uint(refBits - 32)

// wheelItem says that the entry of a version ends.
type wheelItem struct {
	at         int64 // Unix milliseconds
	version    uint64
	hash       uint32 // the low bits
	next, prev uint32 // 1 + index in items; 0: none
	list       uint32
}

// wheel is guarded by its shard's lock.
type wheel struct {
	now    int64 // Unix milliseconds: what is not later has left the levels
	items  []wheelItem
	stale  int // items whose entry is gone
	cursor int // where the search for stale items goes on, downwards

	due      uint32 // first item of listDue
	draining uint32 // the list that time has reached, or 0
	filled   [wheelLevels]uint64
	levels   [wheelLevels]*[wheelSlots]uint32 // first item of each slot
}

// add notes when an entry ends.
func (w *wheel) add(at int64, version, h uint64) {
	w.items = append(w.items, wheelItem{at: at, version: version, hash: uint32(h)})
	w.place(uint32(len(w.items)))
}

// head is the first item of a list.
func (w *wheel) head(list uint32) *uint32 {
	if list == listDue {
		return &w.due
	}
	return &w.levels[(list-1)/wheelSlots][(list-1)%wheelSlots]
}

// place links item i into the list of its time.
func (w *wheel) place(i uint32) {
	it := &w.items[i-1]
	it.list = listDue
	if it.at > w.now {
		level := (bits.Len64(uint64(it.at^w.now)) - 1) / wheelDigit
		slot := uint64(it.at) >> (wheelDigit * level) % wheelSlots
		if w.levels[level] == nil {
			w.levels[level] = new([wheelSlots]uint32)
		}
		w.filled[level] |= 1 << slot
		it.list = 1 + uint32(level)*wheelSlots + uint32(slot)
	}
	first := w.head(it.list)
	it.prev, it.next = 0, *first
	if it.next != 0 {
		w.items[it.next-1].prev = i
	}
	*first = i
}

// point makes the neighbours of an item, or its list, name before and after it.
func (w *wheel) point(it *wheelItem, before, after uint32) {
	if it.prev != 0 {
		w.items[it.prev-1].next = after
	} else if *w.head(it.list) = after; after == 0 && it.list != listDue {
		w.filled[(it.list-1)/wheelSlots] &^= 1 << ((it.list - 1) % wheelSlots)
	}
	if it.next != 0 {
		w.items[it.next-1].prev = before
	}
}

// unlink takes item i out of its list.
func (w *wheel) unlink(i uint32) {
	it := &w.items[i-1]
	w.point(it, it.prev, it.next)
}

// remove forgets item i. The last item takes its place.
func (w *wheel) remove(i uint32) {
	w.unlink(i)
	last := len(w.items)
	if int(i) != last {
		it := &w.items[last-1]
		w.items[i-1] = *it
		w.point(it, i, i)
	}
	w.items = w.items[:last-1]
	if c := cap(w.items); c > wheelItemsMin && 4*len(w.items) < c {
		w.items = append(make([]wheelItem, 0, c/2), w.items...)
	}
}

// next is an item that is over by now, or one that has to move down on the way
// there, or 0.
func (w *wheel) next(now int64) uint32 {
	for {
		if w.due != 0 {
			return w.due
		}
		if w.draining != 0 {
			if i := *w.head(w.draining); i != 0 {
				return i
			}
			w.draining = 0
		}
		if !w.advance(now) {
			return 0
		}
	}
}

// advance moves time to the first slot with items that begins by now, or to now.
// Every item of a level is earlier than those of the levels above it.
func (w *wheel) advance(now int64) bool {
	for level, filled := range w.filled {
		if filled == 0 {
			continue
		}
		slot := bits.TrailingZeros64(filled)
		shift := wheelDigit * level
		begin := w.now>>(shift+wheelDigit)<<(shift+wheelDigit) | int64(slot)<<shift
		if begin > now {
			break
		}
		w.now = begin
		w.filled[level] &^= 1 << slot
		w.draining = 1 + uint32(level*wheelSlots+slot)
		return true
	}
	w.now = max(w.now, now)
	return false
}
