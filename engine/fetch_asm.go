//go:build amd64 && !purego && !race

package engine

import "unsafe"

// fetches says that fetch and overwrite are written in assembly.
const fetches = true

// fetch looks key up and copies its value behind dst, without the lock, for the
// most frequent case: a table that counts no hits, the key or an unused slot in its
// home line, a key of up to 32 bytes, an entry without end, a value of up to 4 KiB,
// room in dst, no write in progress. It returns the value's length and the entry's
// head, or fetchAbsent, or, in every other case, fetchUnsure. What dst has behind its
// length may be written in any case.
func (f *front) fetch(h uint64, key string, dst []byte) (n int, head uint64) {
	return fetchAsm(f, h, key, dst)
}

// seek finds the cell of key without the lock, in the cases of fetch and whatever
// the value. A cell is given with the head and info that it had together with key.
// No cell says nothing.
func (f *front) seek(h uint64, key string) (c cell, head, info uint64) {
	c.p, head, info = seekAsm(f, h, key)
	return c, head, info
}

// overwrite gives a cell a value of the same length, at most 4 KiB, and a new
// version. The caller holds the shard's lock.
func (c cell) overwrite(keyLen int, value []byte, version uint64) {
	overwriteAsm(c.p, keyLen, value, version<<1)
}

//go:noescape
func fetchAsm(f *front, h uint64, key string, dst []byte) (n int, head uint64)

//go:noescape
func seekAsm(f *front, h uint64, key string) (c unsafe.Pointer, head, info uint64)

//go:noescape
func overwriteAsm(c unsafe.Pointer, keyLen int, value []byte, head uint64)
