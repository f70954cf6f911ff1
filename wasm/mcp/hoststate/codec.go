package hoststate

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/ingot-run/ingot/state"
)

// The operations. Their numbers are part of the ABI.
const (
	opGet       = 1
	opExists    = 2
	opSet       = 3
	opSwap      = 4
	opDelete    = 5
	opIncrement = 6
	opExpire    = 7
	opGetMany   = 8
	opSetMany   = 9
	opBatch     = 10
	opList      = 11
	opClear     = 12
	opWatch     = 13
	opPoll      = 14
	opUnwatch   = 15
	opStats     = 16
)

// The bits of a write's flags.
const (
	flagTTL       = 1 << iota // a time to live is given, in milliseconds
	flagKeepTTL               // keep the end of the entry that is there
	flagIfVersion             // a version is given as condition
	flagIfAbsent              // the key must be absent
)

// Sizes in bytes of the heads of requests and replies, and of parts of bodies.
const (
	requestHead = 4 + 8 + 8 + 4*4
	replyHead   = 4 + 8 + 8
	getHead     = 4 + 8 + 8
	resultBytes = 8 + 8 + 4
	listHead    = 4 + 4 + 8 + 8
	eventHead   = 4*4 + 8 + 8
)

// request is an operation as it goes to the host.
type request struct {
	op         uint32
	r0, r1     uint64
	a, b, c, d uint32
}

// writes reports whether the operation may change the store.
func (r *request) writes() bool {
	switch r.op {
	case opSet, opSwap, opDelete, opIncrement, opExpire, opSetMany, opBatch, opClear:
		return true
	}
	return false
}

// append appends the head. The body follows.
func (r *request) append(out []byte) []byte {
	out = appendU32(out, r.op)
	out = appendU64(appendU64(out, r.r0), r.r1)
	return appendU32(appendU32(appendU32(appendU32(out, r.a), r.b), r.c), r.d)
}

func appendU32(out []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(out, n) }

func appendU64(out []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(out, n) }

// flags are the conditions of a write; r0 and r1 take what some of them announce.
func (r *request) conditions(ttl time.Duration, keepTTL bool, ifVersion uint64, ifAbsent bool) (flags uint32) {
	if ttl != 0 {
		flags |= flagTTL
		r.r1 = millis(ttl)
	}
	if keepTTL {
		flags |= flagKeepTTL
	}
	if ifVersion != 0 {
		flags |= flagIfVersion
		r.r0 = ifVersion
	}
	if ifAbsent {
		flags |= flagIfAbsent
	}
	return flags
}

// millis is a time to live in milliseconds, rounded up as the engine does; a
// negative one becomes what the engine refuses.
func millis(ttl time.Duration) uint64 {
	if ttl < 0 || ttl > math.MaxInt64-time.Millisecond {
		return math.MaxUint64
	}
	return uint64((ttl + time.Millisecond - 1) / time.Millisecond)
}

// appendOp appends an operation of a batch.
func appendOp(out []byte, op *state.Op) []byte {
	var r request
	flags := r.conditions(op.TTL, op.KeepTTL, op.IfVersion, op.IfAbsent)
	out = appendU32(out, uint32(op.Kind)|flags<<8)
	out = appendU32(appendU32(out, uint32(len(op.Key))), uint32(len(op.Value)))
	out = appendU64(appendU64(appendU64(out, r.r0), r.r1), uint64(op.Delta))
	return append(append(out, op.Key...), op.Value...)
}

// reply is what the host answered. Its body is good until the next call.
type reply struct {
	result int32
	r0, r1 uint64
	body   cursor
}

// cursor reads a body. After a read beyond the end it is broken and gives zeros.
type cursor struct {
	rest   []byte
	broken bool
}

func (c *cursor) take(n uint32) []byte {
	if uint64(n) > uint64(len(c.rest)) {
		c.rest, c.broken = nil, true
		return nil
	}
	part := c.rest[:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count is the number of parts, each of at least size bytes, that follow: no more
// than there is room for.
func (c *cursor) count(size int) int {
	n := c.u32()
	if uint64(n)*uint64(size) > uint64(len(c.rest)) {
		c.rest, c.broken = nil, true
		return 0
	}
	return int(n)
}
