package engine

// The keys of a part of the order stand in leaves, each a block of bytes and a
// directory, so that a million keys are some ten thousand objects to the garbage
// collector:
//
//	data    the keys in the order in which they came, removed ones included
//	shared  what all keys begin with, or some of it
//	dir     per key, in byte order of the keys: its head, the 4 bytes behind what
//	        is shared (bits 32..63), its offset in data (bits 16..31) and its
//	        length - 1 (bits 0..15)
//
// A search mostly finds its place by the heads alone, without the keys: one leaf's
// heads are some 16 lines of the cache that can be asked for together.
//
// A leaf with more than one key has at most leafBytes; a longer key stands alone,
// at offset 0. So an offset always fits in 16 bits. Bytes in data never change once
// they are written: a string may point to them.

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
	dirBytes = 8
	// leafBytesMin is the capacity of the first block of a leaf.
	leafBytesMin = 64
	// leafSharedMax is as much of a common beginning as is looked for.
	leafSharedMax = 128
	// leafLinesMax is how many lines of a directory are asked for ahead.
	leafLinesMax = 20
	cacheLine    = 64 // bytes
)

// leaf is a run of keys of its part. All of it is guarded by the part's lock.
type leaf struct {
	low        string // its first key may be this or above; all keys of prev are below
	next, prev *leaf
	lowBytes   [32]byte // a short low's own: who walks over leaves then reads one line of each
	dir        []uint64
	data       []byte
	shared     string
	live       int // bytes of the keys in dir
}

// newLeaf is an empty leaf. It copies low.
func newLeaf(low string) *leaf {
	l := &leaf{}
	if len(low) > len(l.lowBytes) {
		l.low = strings.Clone(low)
	} else if n := copy(l.lowBytes[:], low); n > 0 {
		l.low = unsafe.String(&l.lowBytes[0], n)
	}
	return l
}

// key is the i-th key. It keeps the leaf's data alive.
func (l *leaf) key(i int) string {
	d := l.dir[i]
	return unsafe.String(&l.data[d>>16&0xffff], int(d&0xffff)+1)
}

// headIn is the head of a key that begins with what is shared; a short one has
// zeros, which the whole key then tells apart.
func (l *leaf) headIn(key string) uint64 {
	return headOf(key[len(l.shared):]) >> 32
}

// search is the place of key in the directory, or where it belongs; it is not
// before from.
func (l *leaf) search(from int, key string) (i int, found bool) {
	if !strings.HasPrefix(key, l.shared) {
		if key < l.shared {
			return from, false
		}
		return len(l.dir), false
	}
	head := l.headIn(key)
	low, high := from, len(l.dir)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if h := l.dir[middle] >> 32; h < head || h == head && l.key(middle) < key {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(l.dir) && l.dir[low]>>32 == head && l.key(low) == key
}

// prefetch asks for what a search and an insert will touch.
func (l *leaf) prefetch() {
	var lines [leafLinesMax + 5]unsafe.Pointer
	n := 0
	for at := 0; at < len(l.dir) && n < leafLinesMax; at += cacheLine / dirBytes {
		lines[n] = unsafe.Pointer(&l.dir[at])
		n++
	}
	lines[n] = unsafe.Pointer(unsafe.StringData(l.shared))
	n++
	if len(l.data) > 0 {
		lines[n] = unsafe.Pointer(&l.data[len(l.data)-1])
		n++
	}
	if next := unsafe.Pointer(l.next); next != nil {
		lines[n], lines[n+1], lines[n+2] = next, unsafe.Add(next, cacheLine), unsafe.Add(next, 2*cacheLine)
		n += 3
	}
	prefetchAll(&lines[0], n)
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
	if len(l.dir) == 0 {
		l.push(key)
		l.share()
		return
	}
	if n := commonLength(l.shared, key); n < len(l.shared) {
		l.shared = l.shared[:n]
		l.setHeads()
	}
	entry := l.keep(key)
	l.makeRoom()
	l.dir = slices.Insert(l.dir, i, l.headIn(key)<<32|entry)
}

// keep appends a key to the data and returns its entry in the directory, without
// the head.
func (l *leaf) keep(key string) uint64 {
	if need := len(l.data) + len(key); need > cap(l.data) {
		grown := max(need, min(2*cap(l.data), cap(l.data)+leafBytes/4, leafBytes), leafBytesMin)
		l.data = append(make([]byte, 0, grown), l.data...)
	}
	entry := uint64(len(l.data))<<16 | uint64(len(key)-1)
	l.data = append(l.data, key...)
	l.live += len(key)
	return entry
}

// push appends a key that is above all of the leaf. share comes after the last.
func (l *leaf) push(key string) {
	l.makeRoom()
	l.dir = append(l.dir, l.keep(key))
}

// makeRoom makes room in the directory for a key, by half of what it has.
func (l *leaf) makeRoom() {
	if n := len(l.dir); n == cap(l.dir) {
		l.dir = append(make([]uint64, 0, n+n/2+4), l.dir...)
	}
}

// share finds out what all keys have in common, and sets the heads.
func (l *leaf) share() {
	l.shared = ""
	if n := len(l.dir); n > 0 {
		first := l.key(0)
		l.shared = strings.Clone(first[:min(commonLength(first, l.key(n-1)), leafSharedMax)])
	}
	l.setHeads()
}

// setHeads sets every head, after what is shared has changed.
func (l *leaf) setHeads() {
	for i, d := range l.dir {
		l.dir[i] = l.headIn(l.key(i))<<32 | d&(1<<32-1)
	}
}

// commonLength is the length of the longest beginning that two strings share.
func commonLength(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// remove takes the i-th key out of the directory; its bytes stay till the next
// rewrite.
func (l *leaf) remove(i int) {
	l.live -= int(l.dir[i]&0xffff) + 1
	l.dir = slices.Delete(l.dir, i, i+1)
	if len(l.dir) == 0 {
		l.dir, l.data, l.shared = nil, nil, ""
	}
}

// rewrite drops the bytes of removed keys, and appends the keys of more, all of
// which are above those of l; more may be nil.
func (l *leaf) rewrite(more *leaf) {
	if more == nil {
		more = &leaf{}
	}
	old, live := *l, l.live+more.live
	l.reserve(len(l.dir)+len(more.dir), max(min(2*live, leafBytes), live))
	for _, from := range []*leaf{&old, more} {
		for i := range from.dir {
			l.push(from.key(i))
		}
	}
	l.share()
}

// reserve empties the leaf and gives it room for some more than so many keys, and
// for so many bytes of them.
func (l *leaf) reserve(keys, bytes int) {
	l.dir, l.data, l.live = make([]uint64, 0, keys+keys/4+1), make([]byte, 0, bytes), 0
}

// size is the memory of the leaf, its two words and its key in the directory of
// leaves included.
func (l *leaf) size() int64 {
	return int64(unsafe.Sizeof(*l)) + int64(max(len(l.low), len(l.lowBytes))-len(l.lowBytes)+len(l.shared)) + int64(cap(l.data)) + int64(cap(l.dir))*dirBytes + 24
}

// mergeable reports whether two neighbours should be one: together they fill at
// most half a leaf, or one holds nothing.
func (l *leaf) mergeable(other *leaf) bool {
	return len(l.dir) == 0 || len(other.dir) == 0 || l.weight()+other.weight() <= leafBytes/2
}

// separator is the shortest string that is above the key below and at most key. It
// is a part of key.
func separator(below, key string) string { return key[:commonLength(below, key)+1] }
