//go:build !amd64 || purego || race

package engine

import (
	"sync/atomic"
	"unsafe"
)

// warm brings what a lookup of each hash will touch into the cache, all of them
// at once, since waiting for memory is what lookups one by one mostly do: first
// every home line, then every cell that a matching slot of it names. It only
// hints; the lookups check everything themselves.
func (s *Store) warm(hashes []uint64) {
	if !optimistic || len(hashes) < 2 {
		return
	}
	var lines [batchWindow]unsafe.Pointer
	for i, h := range hashes {
		t := slots{s.front(h).slots.Load()}
		lines[i] = unsafe.Pointer(t.at(hashBits(h) & t.mask()))
	}
	prefetchAll(&lines[0], len(hashes))
	cells := 0
	for _, h := range hashes {
		if c := s.front(h).guess(h); c.p != nil {
			lines[cells] = c.p
			cells++
		}
	}
	prefetchPairs(&lines[0], cells)
}

// guess is the cell of the first slot in the home line that matches the hash.
func (f *front) guess(h uint64) cell {
	t := slots{f.slots.Load()}
	bits, mask := hashBits(h), t.mask()
	p := startProbe(bits, mask)
	for range lineSlots {
		s := atomic.LoadUint64(t.at(p.index))
		if s == 0 {
			return cell{}
		}
		if r := ref(s & refMask); s>>refBits == bits && r != refTombstone {
			return f.peek(r)
		}
		p.next(mask)
	}
	return cell{}
}
