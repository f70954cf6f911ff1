package engine

// The order: every key of the store once more, sorted, so that List need not walk
// over all of them. It comes into being with the first List; from then on inserts
// and removals of keys maintain it, and overwrites never touch it. It is in parts,
// one to a group of shards, so that writers of different groups do not meet, and
// List merges the parts.
//
// Locks are taken in this order: order.building, then shards (in rising order),
// then one part. Whoever holds a part's lock takes no other. So a key is in its
// part, or in its log, before the write that inserted it returns, and what List finds in a part
// may be gone when it looks the key up.

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"
)

const (
	// orderPartsMax is the number of parts where goroutines run in parallel.
	orderPartsMax = 16
	// orderBuildSlots is how many slots of a shard are looked at under its lock
	// while the order is built: some 0.1 ms.
	orderBuildSlots = 512
	// orderReadBytes ends a read of a part under its lock, in bytes of keys.
	orderReadBytes = 64 << 10
)

// order is the order of all keys of a store.
type order struct {
	disabled bool
	parts    []orderPart // each for len(shards)/len(parts) shards in a row

	building sync.Mutex
	// epoch numbers the contents: it changes, under the locks of all shards,
	// before the parts are emptied as a whole. The order is complete while built
	// equals it.
	epoch, built atomic.Uint64
}

// orderPart is the sorted keys of a group of shards.
type orderPart struct {
	mu     sync.Mutex
	log    orderLog                 // changes as they come
	full   orderLog                 // a log before it, sorted, that is being settled
	done   int                      // ops of full that are settled
	noted  uint64                   // ops that came, ever
	kept   uint64                   // those of them whose log is settled to its end
	opsMax int                      // ops that fill the log
	keys   int                      // in the leaves
	leaves btree.Map[string, *leaf] // by leaf.low; the first leaf's is ""
	bytes  int64                    // of the leaves
	_      [64]byte
}

// open sets the order up for this many shards.
func (o *order) open(shards int, disabled bool) {
	o.disabled = disabled
	o.parts = make([]orderPart, min(orderPartsMax, max(shards/16, 1)))
	o.epoch.Store(1)
}

// drop forgets all keys. The caller holds the locks of all shards, or has closed
// the store; the shards' order is nil or is set so before they are unlocked.
func (o *order) drop() {
	o.epoch.Add(1)
	for i := range o.parts {
		p := &o.parts[i]
		p.mu.Lock()
		p.leaves, p.bytes, p.keys = btree.Map[string, *leaf]{}, 0, 0
		p.log, p.full, p.done, p.kept = orderLog{}, orderLog{}, 0, p.noted
		p.mu.Unlock()
	}
}

// dropOrderLocked makes the next List build the order anew. The caller holds the
// locks of all shards.
func (s *Store) dropOrderLocked() {
	for i := range s.shards {
		s.shards[i].order = nil
	}
	s.order.drop()
}

// bytes is the memory of the order.
func (o *order) bytes() (n int64) {
	for i := range o.parts {
		p := &o.parts[i]
		p.mu.Lock()
		n += p.bytes + p.log.size() + p.full.size()
		p.mu.Unlock()
	}
	return n
}

// buildOrder completes the order and returns the epoch for which it is complete.
// It takes one shard after another, a few hundred slots at a time, so no writer
// waits for more than that.
func (s *Store) buildOrder() (epoch uint64) {
	o := &s.order
	if epoch = o.epoch.Load(); o.built.Load() == epoch {
		return epoch
	}
	o.building.Lock()
	defer o.building.Unlock()
	epoch = o.epoch.Load()
	if o.built.Load() == epoch {
		return epoch
	}
	perPart := len(s.shards) / len(o.parts)
	for i := range s.shards {
		if !s.orderShard(&s.shards[i], &o.parts[i/perPart], epoch) {
			return epoch
		}
	}
	o.built.Store(epoch)
	return epoch
}

// orderShard puts the shard's keys into the part. From its first step on the
// shard's writers maintain the part too, and both may add a key: what the walk
// has passed is theirs. It returns false when the contents were dropped meanwhile.
func (s *Store) orderShard(sh *shard, p *orderPart, epoch uint64) bool {
	var slots []uint64
	next, step := 0, orderBuildSlots/2
	for {
		sh.mu.Lock()
		if s.order.epoch.Load() != epoch || s.closed.Load() {
			sh.mu.Unlock()
			return false
		}
		sh.order = p
		if len(slots) == 0 || &slots[0] != &sh.table.slots()[0] {
			// A new table has its keys elsewhere. The step doubles, so that a shard
			// that is rebuilt all the time comes to an end too.
			slots, next, step = sh.table.slots(), 0, 2*step
		}
		end := min(next+step, len(slots))
		for ; next < end; next++ {
			if r := ref(slots[next] & refMask); r != 0 && r != refTombstone {
				c := sh.arena.at(r)
				p.note(c.key(*c.info()), 0)
			}
		}
		sh.mu.Unlock()
		if next == len(slots) {
			return true
		}
	}
}

// leafOf is the leaf in which key is or belongs.
func (p *orderPart) leafOf(key string) (found *leaf) {
	p.leaves.Descend(key, func(_ string, l *leaf) bool {
		found = l
		return false
	})
	if found == nil { // the part's first key
		found = newLeaf("")
		p.link(nil, found)
	}
	return found
}

// insert puts a key at place i of the leaf where it belongs, and returns the
// leaf, or nil when it was split.
func (p *orderPart) insert(l *leaf, i int, key string) *leaf {
	p.keys++
	before := l.size()
	switch {
	case l.hasRoom(len(key)):
		l.insert(i, key)
	case l.weight()+keyWeight(len(key)) <= leafBytes*7/8:
		// Below that a rewrite would come again too soon.
		l.rewrite(nil)
		l.insert(i, key)
	case i == len(l.dir) && l.next == nil:
		// Rising keys leave full leaves behind.
		p.append(l, key)
		return nil
	default:
		p.split(l, i, key)
		p.bytes += l.size() - before
		return nil
	}
	p.bytes += l.size() - before
	return l
}

// append starts the last leaf of the part with key.
func (p *orderPart) append(last *leaf, key string) {
	l := newLeaf(separator(last.key(len(last.dir)-1), key))
	l.insert(0, key)
	p.link(last, l)
}

// split spreads the keys of l, and key at place i, over two leaves, or three when
// a long key asks for it. l keeps the first of them; the caller counts it.
func (p *orderPart) split(l *leaf, i int, key string) {
	half := (l.weight() + keyWeight(len(key))) / 2
	old, to, behind := *l, l, l
	room := func() { to.reserve(len(old.dir)/2, min(max(old.live, leafBytesMin), leafBytes)*3/4) }
	room()
	put := func(k string) {
		if len(to.dir) > 0 && (to.weight() >= half || !to.hasRoom(len(k))) {
			next := newLeaf(separator(to.key(len(to.dir)-1), k))
			p.finish(behind, to)
			behind, to = to, next
			room()
		}
		to.push(k)
	}
	for j := range old.dir {
		if j == i {
			put(key)
		}
		put(old.key(j))
	}
	if i == len(old.dir) {
		put(key)
	}
	p.finish(behind, to)
}

// finish puts a leaf that was filled by push behind another, or, where it is that
// leaf itself, leaves it where it is.
func (p *orderPart) finish(behind, l *leaf) {
	l.share()
	if l != behind {
		p.link(behind, l)
	}
}

// link puts a leaf behind another, or first, and counts its bytes.
func (p *orderPart) link(prev, l *leaf) {
	if prev != nil {
		l.prev, l.next = prev, prev.next
		prev.next = l
	}
	if l.next != nil {
		l.next.prev = l
	}
	p.leaves.Set(l.low, l)
	p.bytes += l.size()
}

// remove takes the i-th key out of a leaf, and returns the leaf, or nil when it
// has joined another. A leaf that has become sparse joins a neighbour: two
// neighbours hold half a leaf or more, so that the memory follows the contents.
func (p *orderPart) remove(l *leaf, i int) *leaf {
	p.keys--
	before := l.size()
	l.remove(i)
	p.bytes += l.size() - before
	switch {
	case l.weight() >= leafBytes/4:
		return l
	case l.next != nil && l.mergeable(l.next):
		p.merge(l, l.next)
	case l.prev != nil && l.prev.mergeable(l):
		p.merge(l.prev, l)
	}
	return nil
}

// merge moves the keys of b, which is behind a, into a.
func (p *orderPart) merge(a, b *leaf) {
	p.bytes -= a.size() + b.size()
	switch {
	case len(a.dir) == 0:
		a.dir, a.data, a.shared, a.live = b.dir, b.data, b.shared, b.live
	case len(b.dir) > 0:
		a.rewrite(b)
	}
	a.next = b.next
	if b.next != nil {
		b.next.prev = a
	}
	p.leaves.Delete(b.low)
	p.bytes += a.size()
}

// orderRead is what a read of a part asks for.
type orderRead struct {
	from   string // the first key, or the one before it
	behind bool   // from itself is not wanted
	prefix string // from is not below it
	keys   int    // at most so many
}

// read returns the keys that r asks for, in buf's space if it can; they are the
// caller's. more is false when no key with the prefix is behind them.
func (p *orderPart) read(dst []string, buf []byte, r orderRead) (keys []string, space []byte, more bool) {
	ends := make([]int, 0, 64)
	p.mu.Lock()
	buf, ends, more = p.collect(buf[:0], ends, r)
	p.mu.Unlock()
	all, start := string(buf), 0
	for _, end := range ends {
		dst = append(dst, all[start:end])
		start = end
	}
	return dst, buf, more
}

// collect appends the bytes of the keys that r asks for to buf, and where each
// ends to ends.
func (p *orderPart) collect(buf []byte, ends []int, r orderRead) ([]byte, []int, bool) {
	p.settle()
	l := p.leafOf(r.from)
	i, found := l.search(0, r.from)
	if found && r.behind {
		i++
	}
	for ; l != nil; l, i = l.next, 0 {
		for ; i < len(l.dir); i++ {
			key := l.key(i)
			if !strings.HasPrefix(key, r.prefix) {
				return buf, ends, false
			}
			if len(ends) == r.keys || len(ends) > 0 && len(buf)+len(key) > orderReadBytes {
				return buf, ends, true
			}
			buf = append(buf, key...)
			ends = append(ends, len(buf))
		}
	}
	return buf, ends, false
}
