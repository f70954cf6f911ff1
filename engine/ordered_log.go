package engine

// A part of the order takes its changes in batches: a write only notes its key in
// the part's log, and when the log is full, or somebody lists, it is sorted and
// settled leaf by leaf. A search in leaves that are not in a cache costs several
// times an insert in the table; neighbours in a sorted batch share it.

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"
)

const (
	// A log holds a sixteenth of the keys of its part between these bounds: enough
	// that several changes share a leaf, and so few that the writer who settles it
	// holds the locks of its shard and the part for some 3 ms at a million keys.
	orderOpsMin   = 64
	orderOpsMax   = 4096
	orderOpsShare = 16
	// orderLogBytesMax settles a log of long keys earlier.
	orderLogBytesMax = 256 << 10

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
	first := g.key(g.ops[0])
	shared := len(first)
	for _, op := range g.ops[1:] {
		key := g.key(op)
		n := 0
		for n < shared && n < len(key) && key[n] == first[n] {
			n++
		}
		shared = n
	}
	for i := range g.ops {
		g.ops[i].head = headOf(g.key(g.ops[i])[shared:])
	}
	slices.SortFunc(g.ops, func(a, b orderOp) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		if c := cmp.Compare(g.key(a), g.key(b)); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
}

// headOf is the first 8 bytes as a number that sorts as they do; a shorter key
// has zeros, which the whole key then tells apart.
func headOf(key string) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// note notes that key was inserted into the table of one of the part's shards, or
// with orderOpRemoves that it was removed. It copies the key.
func (p *orderPart) note(key string, shape uint32) {
	p.mu.Lock()
	p.log.add(key, shape)
	if len(p.log.ops) >= p.opsMax || len(p.log.keys) >= orderLogBytesMax {
		p.settle()
	}
	p.mu.Unlock()
}

// settle makes the changes of the log in the leaves.
func (p *orderPart) settle() {
	g := &p.log
	if len(g.ops) > 0 {
		g.sort()
	}
	var l *leaf
	at := 0
	for i, op := range g.ops {
		key := g.key(op)
		if i+1 < len(g.ops) && g.ops[i+1].head == op.head && g.key(g.ops[i+1]) == key {
			continue // the last op of a key decides
		}
		if l == nil || l.next != nil && key >= l.next.low {
			l, at = p.leafOf(key), 0
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
	p.opsMax = min(max(p.keys/orderOpsShare, orderOpsMin), orderOpsMax)
	if p.keys == 0 || cap(g.ops) > 4*p.opsMax || cap(g.keys) > orderLogBytesMax/2 {
		*g = orderLog{}
		return
	}
	g.ops, g.keys = g.ops[:0], g.keys[:0]
}
