package engine

import (
	"sync/atomic"
	"unsafe"
)

// patience is how often a reader that met a write in progress tries again
// without the lock. A write of a cell takes well under a microsecond, unless its
// goroutine is suspended in the middle: then the reader waits for the lock.
const patience = 64

// Get returns the entry of key, its value copied for the caller. An absent key
// is not an error: it gives an Entry with Version 0. It returns ErrKeySize or
// ErrClosed. It takes no lock, and costs one lookup and one allocation of the
// value's size.
func (s *Store) Get(key string) (Entry, error) {
	if uint(len(key)-1) >= KeyBytesMax {
		return Entry{}, s.checkKey(key)
	}
	h := s.hash(key)
	var buffer [128]byte // a short value's length is known only with the value
	n, head := s.front(h).fetch(h, key, buffer[:0])
	if n >= 0 {
		value := make([]byte, n)
		copy(value, buffer[:])
		return Entry{Value: value, Meta: Meta{Version: head >> 1}}, nil
	}
	if n == fetchAbsent {
		return Entry{}, nil
	}
	value, meta, err := s.appendGetSlow(nil, h, key)
	if value == nil && meta.Found() {
		value = []byte{}
	}
	return Entry{Value: value, Meta: meta}, err
}

// AppendGet appends the value of key to dst, as append does, and returns the
// longer slice. It allocates only when dst is too short. An absent key appends
// nothing and gives Meta with Version 0. Errors are those of Get.
func (s *Store) AppendGet(dst []byte, key string) ([]byte, Meta, error) {
	if uint(len(key)-1) >= KeyBytesMax {
		return dst, Meta{}, s.checkKey(key)
	}
	h := s.hash(key)
	n, head := s.front(h).fetch(h, key, dst)
	if n >= 0 {
		return dst[:len(dst)+n], Meta{Version: head >> 1}, nil
	}
	if n == fetchAbsent {
		return dst, Meta{}, nil
	}
	return s.appendGetSlow(dst, h, key)
}

// What fetch returns instead of a value's length.
const (
	fetchAbsent = -1
	fetchUnsure = -2
)

// appendGetSlow is AppendGet where fetch is unsure.
func (s *Store) appendGetSlow(dst []byte, h uint64, key string) ([]byte, Meta, error) {
	if s.closed.Load() {
		return dst, Meta{}, ErrClosed
	}
	out, meta := s.appendLive(dst, h, key)
	return out, meta, nil
}

// Stat returns the Meta of key and the length of its value in bytes, without
// copying it. Errors are those of Get.
func (s *Store) Stat(key string) (Meta, int, error) {
	if err := s.checkKey(key); err != nil {
		return Meta{}, 0, err
	}
	h := s.hash(key)
	meta, size := s.statLive(h, key)
	return meta, size, nil
}

// Exists reports whether key is present and has not expired. Errors are those
// of Get.
func (s *Store) Exists(key string) (bool, error) {
	meta, _, err := s.Stat(key)
	return meta.Found(), err
}

// appendValue appends the value of key to dst and gives its Meta, expired or
// not. dst is returned as it was when the key is absent.
func (s *Store) appendValue(dst []byte, h uint64, key string) ([]byte, Meta) {
	if optimistic {
		f := s.front(h)
		for range patience {
			c, head, info, sure := f.locate(h, key)
			if !sure {
				continue
			}
			out, meta := dst, Meta{}
			if c.p != nil {
				meta = c.meta(head, info)
				out = c.appendValue(dst, info)
				if !c.unchanged(head) {
					continue
				}
			}
			if f.batch.Load() {
				break // the lock waits for the end of the batch
			}
			return out, meta
		}
	}
	sh := &s.shards[s.shardIndex(h)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	slot, r := sh.find(h, key)
	if slot < 0 {
		return dst, Meta{}
	}
	sh.hitLocked(slot)
	c := sh.arena.at(r)
	return append(dst, c.value(*c.info())...), c.meta(*c.head(), *c.info())
}

// stat is appendValue without the value: its length.
func (s *Store) stat(h uint64, key string) (Meta, int) {
	if optimistic {
		f := s.front(h)
		for range patience {
			c, head, info, sure := f.locate(h, key)
			if !sure {
				continue
			}
			meta, size := Meta{}, 0
			if c.p != nil {
				meta, size = c.meta(head, info), infoValueLen(info)
				if !c.unchanged(head) {
					continue
				}
			}
			if f.batch.Load() {
				break
			}
			return meta, size
		}
	}
	sh := &s.shards[s.shardIndex(h)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	slot, r := sh.find(h, key)
	if slot < 0 {
		return Meta{}, 0
	}
	sh.hitLocked(slot)
	c := sh.arena.at(r)
	return c.meta(*c.head(), *c.info()), infoValueLen(*c.info())
}

// locate finds the cell of key without the lock. When sure is false it met a
// write and says nothing. A cell is given with the head and info that it had
// together with key: the caller copies and then asks c.unchanged(head). No cell
// means that the key was absent at a moment during the call.
func (f *front) locate(h uint64, key string) (c cell, head, info uint64, sure bool) {
	t := slots{f.slots.Load()}
	bits, mask := hashBits(h), t.mask()
	for p := startProbe(bits, mask); ; p.next(mask) {
		s := atomic.LoadUint64(t.at(p.index))
		if s == 0 {
			return cell{}, 0, 0, true
		}
		r := ref(s & refMask)
		if s>>refBits != bits || r == refTombstone {
			continue
		}
		if c = f.peek(r); c.p == nil {
			return cell{}, 0, 0, false
		}
		prefetchRest(c.p)
		head = atomic.LoadUint64(c.head())
		info = *c.info()
		// With the table still in place the cell is one of its own, and with the
		// head unchanged the info is that of the head: its lengths then lie within
		// the cell. Only now may a byte behind it be touched.
		if !alive(head) || !c.unchanged(head) || f.slots.Load() != t.p {
			return cell{}, 0, 0, false
		}
		if infoKeyLen(info) == len(key) && c.hasKey(key) {
			if t.counting() {
				hit(t.hits(), p.index)
			}
			return c, head, info, true
		}
		// Another key with the same bits, or the cell was reused since the slot
		// was read: only an unchanged slot of the present table can tell.
		if atomic.LoadUint64(t.at(p.index)) != s || f.slots.Load() != t.p {
			return cell{}, 0, 0, false
		}
	}
}

// peek is the cell that r names, for who holds no lock: r was loaded before, from
// a slot, so the directory knows it. It is none when the chunk is gone.
func (f *front) peek(r ref) cell {
	base := atomic.LoadPointer((*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(f.dir.Load()), r.chunk()*8)))
	if base == nil {
		return cell{}
	}
	return cell{unsafe.Add(base, r.offset()*8)}
}
