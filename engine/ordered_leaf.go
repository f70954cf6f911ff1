package engine

// The keys of a part of the order stand in leaves, each a block of bytes and a
// directory, so that a million keys are some ten thousand objects to the garbage
// collector:
//
//	data  the keys in the order in which they came, removed ones included
//	dir   per key, in byte order of the keys: its offset in data (bits 16..31)
//	      and its length - 1 (bits 0..15)
//
// A leaf with more than one key has at most leafBytes; a longer key stands alone,
// at offset 0. So an offset always fits in 16 bits.

import (
	"slices"
	"strings"
	"unsafe"
)

const (
	// leafBytes is the size of a full leaf: its keys and their directory. It is a
	// multiple of what a long insert has to move, and below the size at which a
	// search in it leaves the first-level cache.
	leafBytes = 4 << 10
	// dirBytes is what a key takes in a directory.
	dirBytes = 4
	// leafBytesMin is the capacity of the first block of a leaf.
	leafBytesMin = 64
)

// leaf is a run of keys of its part. All of it is guarded by the part's lock.
type leaf struct {
	low        string // its first key may be this or above; all keys of prev are below
	prev, next *leaf
	dir        []uint32
	data       []byte
	live       int // bytes of the keys in dir
}

// key is the i-th key. It aliases the leaf.
func (l *leaf) key(i int) []byte {
	d := l.dir[i]
	offset := int(d >> 16)
	return l.data[offset : offset+int(d&0xffff)+1]
}

// search is the place of key in the directory, or where it belongs; it is not
// before from.
func (l *leaf) search(from int, key string) (i int, found bool) {
	low, high := from, len(l.dir)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if string(l.key(middle)) < key {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(l.dir) && string(l.key(low)) == key
}

// keyWeight is what a key takes in a leaf, in bytes.
func keyWeight(keyLen int) int { return keyLen + dirBytes }

// weight is what the leaf's keys take, without those that were removed.
func (l *leaf) weight() int { return l.live + len(l.dir)*dirBytes }

// hasRoom reports whether a key fits behind the data as it is.
func (l *leaf) hasRoom(keyLen int) bool {
	return len(l.dir) == 0 && len(l.data) == 0 || len(l.data)+len(l.dir)*dirBytes+keyWeight(keyLen) <= leafBytes
}

// insert puts key at place i. There is room.
func (l *leaf) insert(i int, key string) {
	if need := len(l.data) + len(key); need > cap(l.data) {
		grown := max(need, min(2*cap(l.data), leafBytes), leafBytesMin)
		l.data = append(make([]byte, 0, grown), l.data...)
	}
	l.dir = slices.Insert(l.dir, i, uint32(len(l.data))<<16|uint32(len(key)-1))
	l.data = append(l.data, key...)
	l.live += len(key)
}

// remove takes the i-th key out of the directory; its bytes stay till the next
// rewrite.
func (l *leaf) remove(i int) {
	l.live -= int(l.dir[i]&0xffff) + 1
	l.dir = slices.Delete(l.dir, i, i+1)
	if len(l.dir) == 0 {
		l.dir, l.data = nil, nil
	}
}

// rewrite drops the bytes of removed keys, and appends the keys of more, all of
// which are above those of l; more may be nil.
func (l *leaf) rewrite(more *leaf) {
	if more == nil {
		more = &leaf{}
	}
	old, count, live := *l, len(l.dir)+len(more.dir), l.live+more.live
	l.dir, l.data, l.live = make([]uint32, 0, count+count/4+1), make([]byte, 0, max(min(2*live, leafBytes), live)), 0
	l.appendAll(&old)
	l.appendAll(more)
}

// appendAll appends the keys of other, all of which are above those of l.
func (l *leaf) appendAll(other *leaf) {
	for i := range other.dir {
		key := other.key(i)
		l.dir = append(l.dir, uint32(len(l.data))<<16|uint32(len(key)-1))
		l.data = append(l.data, key...)
	}
	l.live += other.live
}

// size is the memory of the leaf, its two words and its key in the directory of
// leaves included.
func (l *leaf) size() int64 {
	return int64(unsafe.Sizeof(*l)) + int64(len(l.low)) + int64(cap(l.data)) + int64(cap(l.dir))*dirBytes + 24
}

// mergeable reports whether two neighbours should be one: together they fill at
// most half a leaf, or one holds nothing.
func (l *leaf) mergeable(other *leaf) bool {
	return len(l.dir) == 0 || len(other.dir) == 0 || l.weight()+other.weight() <= leafBytes/2
}

// separator is the shortest string that is above the key below and at most key.
func separator(below []byte, key string) string {
	n := 0
	for n < len(below) && below[n] == key[n] {
		n++
	}
	return strings.Clone(key[:n+1])
}
