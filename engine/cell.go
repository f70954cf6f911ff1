package engine

// A cell holds one entry, in a slab's memory, without a pointer:
//
//	 0  8  head: version*2 of the entry; odd while it is written; headDead
//	       after it was removed, 0 before it was first used
//	 8  8  info: key length - 1 (bits 0..15), has an expiry (bit 16), value
//	       length (bits 32..63). In a dead cell: the next free cell
//	16     key, value, and the expiry in Unix milliseconds where there is one
//	       (8 bytes, little-endian, unaligned)
//
// Cells of one slab have one size for ever, so a head stays a head: a reader
// with a stale reference sees a version, an odd number or 0, never a part of
// somebody's value. A version is never used twice. So a reader that finds the
// same even head before and after it copied, and its own key in between, has
// copied the entry of that version whole. This file is the only one that turns
// references into memory.

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

const (
	cellHeadBytes = 16
	expiryBytes   = 8

	headDead   = ^uint64(0)
	infoExpiry = 1 << 16
)

// cell points to a cell. Its memory is a []uint64 that the slab, or a pointer that
// a reader holds, keeps alive.
type cell struct{ p unsafe.Pointer }

// head is the cell's first word; it is loaded and stored atomically.
func (c cell) head() *uint64 { return (*uint64)(c.p) }

// info is the cell's second word.
func (c cell) info() *uint64 { return (*uint64)(unsafe.Add(c.p, 8)) }

// alive reports whether a head is that of an entry that is not being written.
func alive(head uint64) bool { return head&1 == 0 && head != 0 }

// unchanged reports, after cell was read, that head is still what it was before.
func (c cell) unchanged(head uint64) bool {
	loadFence()
	return atomic.LoadUint64(c.head()) == head
}

func infoKeyLen(info uint64) int   { return int(info&0xffff) + 1 }
func infoValueLen(info uint64) int { return int(info >> 32) }

func makeInfo(keyLen, valueLen int, expires bool) uint64 {
	info := uint64(keyLen-1) | uint64(valueLen)<<32
	if expires {
		info |= infoExpiry
	}
	return info
}

// cellBytes is the size that an entry needs, before it is rounded to a class.
func cellBytes(keyLen, valueLen int, expires bool) int {
	n := cellHeadBytes + keyLen + valueLen
	if expires {
		n += expiryBytes
	}
	return n
}

// bytes is n bytes of the cell from offset on.
func (c cell) bytes(offset, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(c.p, offset)), n)
}

// hasKey compares the cell's key, whose length the caller has compared.
func (c cell) hasKey(key string) bool {
	n := len(key)
	p, q := unsafe.Add(c.p, cellHeadBytes), unsafe.Pointer(unsafe.StringData(key))
	switch {
	case n > 32:
		return unsafe.String((*byte)(p), n) == key
	case n >= 16: // two words from the front and two from the end, which overlap
		return word(p, 0) == word(q, 0) && word(p, 8) == word(q, 8) &&
			word(p, n-16) == word(q, n-16) && word(p, n-8) == word(q, n-8)
	case n >= 8:
		return word(p, 0) == word(q, 0) && word(p, n-8) == word(q, n-8)
	}
	return unsafe.String((*byte)(p), n) == key
}

// word loads 8 bytes that need not be aligned.
func word(p unsafe.Pointer, offset int) uint64 {
	return binary.LittleEndian.Uint64(unsafe.Slice((*byte)(unsafe.Add(p, offset)), 8))
}

// key is the cell's key. It aliases the cell: only under the shard's lock, or to
// be copied and checked.
func (c cell) key(info uint64) string {
	return unsafe.String((*byte)(unsafe.Add(c.p, cellHeadBytes)), infoKeyLen(info))
}

// value is the cell's value. It aliases the cell, as key does.
func (c cell) value(info uint64) []byte {
	return c.bytes(cellHeadBytes+infoKeyLen(info), infoValueLen(info))
}

// appendValue appends a copy of the cell's value to dst.
func (c cell) appendValue(dst []byte, info uint64) []byte {
	return append(dst, c.value(info)...)
}

// expiresAt is the cell's expiry in Unix milliseconds, or 0.
func (c cell) expiresAt(info uint64) int64 {
	if info&infoExpiry == 0 {
		return 0
	}
	return int64(word(c.p, cellHeadBytes+infoKeyLen(info)+infoValueLen(info)))
}

// meta is the entry's Meta as head and info tell it.
func (c cell) meta(head, info uint64) Meta {
	return Meta{Version: head >> 1, ExpiresAt: c.expiresAt(info)}
}

// fill writes an entry into a cell whose head says that it is not alive. The
// caller publishes it with setHead.
func (c cell) fill(key string, value []byte, expiresAt int64) {
	*c.info() = makeInfo(len(key), len(value), expiresAt != 0)
	copy(c.bytes(cellHeadBytes, len(key)), key)
	c.fillValue(len(key), value, expiresAt)
}

// fillValue writes value and expiry behind a key that is there.
func (c cell) fillValue(keyLen int, value []byte, expiresAt int64) {
	at := cellHeadBytes + keyLen
	copy(c.bytes(at, len(value)), value)
	if expiresAt != 0 {
		binary.LittleEndian.PutUint64(c.bytes(at+len(value), expiryBytes), uint64(expiresAt))
	}
}

// publish makes the cell that of the entry of this version.
func (c cell) publish(version uint64) { atomic.StoreUint64(c.head(), version<<1) }

// beginWrite marks the cell as being written, and endWrite (publish) ends it.
func (c cell) beginWrite() {
	atomic.StoreUint64(c.head(), *c.head()|1)
	storeFence()
}

// kill marks the cell as removed, so that it may be filled again.
func (c cell) kill() {
	atomic.StoreUint64(c.head(), headDead)
	storeFence()
}
