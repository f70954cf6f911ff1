package engine

import (
	"sync/atomic"
	"unsafe"

	"github.com/ingot-run/ingot/hash"
)

// batchWindow is how many keys of a batch are in flight together: enough for
// the misses that a core can have open, few enough to stay in the first cache.
const batchWindow = 32

// GetMany returns one Entry per key, in the order of keys; absent ones have
// Version 0. Each key is read on its own: the result is not one moment of the
// whole store. A bad key refuses the whole call. A key may be named twice. The
// values lie in one allocation: keeping one keeps all.
func (s *Store) GetMany(keys []string) ([]Entry, error) {
	_, entries, err := s.AppendGetMany(nil, make([]Entry, 0, len(keys)), keys)
	return entries, err
}

// AppendGetMany is GetMany without an allocation of its own: it appends the
// values to buf and an Entry per key to entries, and returns both. The values of
// the new entries alias the returned buf. On an error both are as they were.
func (s *Store) AppendGetMany(buf []byte, entries []Entry, keys []string) ([]byte, []Entry, error) {
	if len(keys) > BatchOpsMax {
		return buf, entries, ErrBatchSize
	}
	for _, key := range keys {
		if err := s.checkKey(key); err != nil {
			return buf, entries, err
		}
	}
	first, begin := len(entries), len(buf)
	var hashes [batchWindow]uint64
	for rest := keys; len(rest) > 0; {
		window := rest[:min(batchWindow, len(rest))]
		rest = rest[len(window):]
		hash.BatchSeeded(hashes[:], window, s.seed)
		s.warm(hashes[:len(window)])
		for i, key := range window {
			at := len(buf)
			out, meta := s.appendValue(buf, hashes[i], key)
			e := Entry{}
			if meta.Found() && !s.expired(meta) {
				buf = out
				e = Entry{Value: buf[at:len(buf):len(buf)], Meta: meta}
			}
			entries = append(entries, e)
		}
	}
	realias(entries[first:], buf[begin:])
	return buf, entries, nil
}

// realias points the values into buf, which may have moved while it grew. They
// lie in it one behind the other.
func realias(entries []Entry, buf []byte) {
	for i := range entries {
		if n := len(entries[i].Value); n > 0 {
			entries[i].Value, buf = buf[:n:n], buf[n:]
		} else if entries[i].Found() {
			entries[i].Value = []byte{}
		}
	}
}

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
		t := slots{s.fronts[s.shardIndex(h)].slots.Load()}
		lines[i] = unsafe.Pointer(t.at(hashBits(h) & t.mask()))
	}
	prefetchAll(&lines[0], len(hashes))
	cells := 0
	for _, h := range hashes {
		if c := s.fronts[s.shardIndex(h)].guess(h); c.p != nil {
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
