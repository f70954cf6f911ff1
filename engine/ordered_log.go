package engine

// A part of the order takes its changes in batches: a write only notes its key in
// the part's log, and when the log is full, or somebody lists, it is sorted and
// settled leaf by leaf. A search in leaves that are not in a cache costs several
// times an insert in the table; neighbours in a sorted batch share it.
//
// A writer, who holds the lock of a shard, settles a few ops at a time: while a
// full log is being settled another takes the changes, and every few of them settle
// some more of the full one, faster than the other fills.

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"runtime"
	"slices"
	"unsafe"
)

const (
	// A log holds a sixteenth of the keys of its part between these bounds: enough
	// that several changes share a leaf, and so few that to sort it takes a fraction
	// of a millisecond.
	orderOpsMin   = 64
	orderOpsMax   = 4096
	orderOpsShare = 16
	// orderStepOps is how many ops are settled under one hold of a part's lock, and
	// orderStepNotes after how many changes a writer does so.
	orderStepOps   = 128
	orderStepNotes = 32
	// orderLogBytesMax settles a log of long keys earlier.
	orderLogBytesMax = 256 << 10

	// orderKeysAhead is how many ops ahead their keys are asked for.
	orderKeysAhead = 16
	// orderBucketBits is the logarithm of the buckets that a log is sorted by.
	orderBucketBits = 10

	orderOpBytes   = 16
	orderOpRemoves = 1 << 16
)

// orderOp is a change that waits: the key was inserted, or removed.
type orderOp struct {
	head  uint64 // once sorted: 8 bytes of the key, behind what all keys share
	at    uint32 // where the key is in the log's keys
	shape uint32 // its length - 1 (bits 0..15), removed (bit 16)
}

// orderLog is the changes of a part that wait, in their order.
type orderLog struct {
	ops  []orderOp
	keys []byte
}

// key is the key of an op. It aliases the log: it is good until the log is reset.
func (g *orderLog) key(op orderOp) string {
	return unsafe.String(&g.keys[op.at], int(op.shape&0xffff)+1)
}

func (g *orderLog) add(key string, shape uint32) {
	g.ops = append(g.ops, orderOp{at: uint32(len(g.keys)), shape: shape | uint32(len(key)-1)})
	g.keys = append(g.keys, key...)
}

// size is the memory of the log.
func (g *orderLog) size() int64 { return int64(cap(g.ops))*orderOpBytes + int64(cap(g.keys)) }

// sort sorts the ops by key, those of one key in the order in which they came.
func (g *orderLog) sort() {
	shared := g.key(g.ops[0])
	for _, op := range g.ops[1:] {
		shared = shared[:commonLength(shared, g.key(op))]
	}
	for i := range g.ops {
		g.ops[i].head = headOf(g.key(g.ops[i])[len(shared):])
	}
	g.bucket()
}

// bucket sorts the ops by their heads: it spreads them over buckets by where they
// lie between the lowest head and the highest, and sorts each bucket.
func (g *orderLog) bucket() {
	low, high := g.ops[0].head, g.ops[0].head
	for _, op := range g.ops {
		low, high = min(low, op.head), max(high, op.head)
	}
	shift := max(bits.Len64(high-low)-orderBucketBits, 0)
	var ends [1<<orderBucketBits + 1]uint32
	for _, op := range g.ops {
		ends[(op.head-low)>>shift+1]++
	}
	for i := range len(ends) - 1 {
		ends[i+1] += ends[i]
	}
	sorted := make([]orderOp, len(g.ops), cap(g.ops))
	for _, op := range g.ops {
		at := &ends[(op.head-low)>>shift]
		sorted[*at] = op
		*at++
	}
	begin := uint32(0)
	for _, end := range ends[:len(ends)-1] {
		if end-begin > 1 {
			slices.SortFunc(sorted[begin:end], g.compare)
		}
		begin = end
	}
	g.ops = sorted
}

// compare orders ops by key, those of one key in the order in which they came.
func (g *orderLog) compare(a, b orderOp) int {
	if a.head != b.head {
		return cmp.Compare(a.head, b.head)
	}
	if c := cmp.Compare(g.key(a), g.key(b)); c != 0 {
		return c
	}
	return cmp.Compare(a.at, b.at)
}

// headOf is the first 8 bytes as a number that sorts as they do; a shorter key
// has zeros, which the whole key then tells apart.
func headOf(key string) uint64 {
	if len(key) >= 8 {
		return bits.ReverseBytes64(word(unsafe.Pointer(unsafe.StringData(key)), 0))
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// note notes that key was inserted into the table of one of the part's shards, or
// with orderOpRemoves that it was removed. It copies the key.
func (p *orderPart) note(key string, shape uint32) {
	p.mu.Lock()
	p.log.add(key, shape)
	p.noted++
	full := len(p.log.ops) >= p.opsMax || len(p.log.keys) >= orderLogBytesMax
	switch settling := len(p.full.ops) > 0; {
	case settling && (full || len(p.log.ops)%orderStepNotes == 0):
		p.step()
	case full && !settling:
		p.turn()
	}
	p.mu.Unlock()
}

// turn sorts the log, to be settled, and starts another.
func (p *orderPart) turn() {
	p.log, p.full = p.full, p.log
	p.full.sort()
}

// step settles some more of the full log.
func (p *orderPart) step() {
	g := &p.full
	end := min(p.done+orderStepOps, len(g.ops))
	p.settleOps(p.done, end)
	if p.done = end; end < len(g.ops) {
		return
	}
	p.kept += uint64(len(g.ops))
	p.done = 0
	p.opsMax = min(max(p.keys/orderOpsShare, orderOpsMin), orderOpsMax)
	g.reset(p.keys, p.opsMax)
	if len(p.log.ops) == 0 {
		p.log.reset(p.keys, p.opsMax)
	}
}

// reset empties a log, and gives its memory back when that is much beside the keys
// of its part.
func (g *orderLog) reset(keys, opsMax int) {
	if keys < orderOpsMin*orderOpsShare || cap(g.ops) > 2*opsMax || cap(g.keys) > orderLogBytesMax/2 {
		*g = orderLog{}
		return
	}
	g.ops, g.keys = g.ops[:0], g.keys[:0]
}

// settle settles all changes that were noted before. It gives up the part's lock
// between steps, so that no writer waits for more than one.
func (p *orderPart) settle() {
	for upTo := p.noted; p.kept < upTo; {
		if len(p.full.ops) == 0 {
			p.turn()
		} else {
			p.step()
		}
		p.mu.Unlock()
		runtime.Gosched() // to who waits for the lock
		p.mu.Lock()
	}
}

// settleOps makes some changes of the full log in the leaves.
func (p *orderPart) settleOps(from, to int) {
	ops, g := p.full.ops, &p.full
	var l *leaf
	at := 0
	g.prefetch(from, to)
	for i := from; i < to; i++ {
		if (i-from)%orderKeysAhead == 0 {
			g.prefetch(i+orderKeysAhead, to)
		}
		op := ops[i]
		key := g.key(op)
		if i+1 < len(ops) && ops[i+1].head == op.head && g.key(ops[i+1]) == key {
			continue // the last op of a key decides
		}
		if next := p.leafFrom(l, key); next != l {
			l, at = next, 0
			if next = l.next; next != nil {
				next.prefetch() // it is likely to be the next in need
			}
		}
		var found bool
		at, found = l.search(at, key)
		switch removes := op.shape&orderOpRemoves != 0; {
		case removes && found:
			l = p.remove(l, at)
		case !removes && !found:
			l = p.insert(l, at, key)
		}
	}
}

// prefetch asks for the keys of a few ops, as far as they go.
func (g *orderLog) prefetch(from, to int) {
	var lines [orderKeysAhead]unsafe.Pointer
	n := 0
	for ; n < len(lines) && from+n < to; n++ {
		lines[n] = unsafe.Pointer(&g.keys[g.ops[from+n].at])
	}
	prefetchPairs(&lines[0], n)
}

// leafFrom is the leaf of a key that is not below those of l, which may be nil.
func (p *orderPart) leafFrom(l *leaf, key string) *leaf {
	const steps = 3 // as far it is cheaper to walk
	for range steps {
		if l == nil {
			break
		}
		if l.next == nil || key < l.next.low {
			return l
		}
		l = l.next
	}
	return p.leafOf(key)
}
