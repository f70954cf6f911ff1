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
	value, meta, err := s.AppendGet(nil, key)
	if value == nil && meta.Found() {
		value = []byte{}
	}
	return Entry{Value: value, Meta: meta}, err
}

// AppendGet appends the value of key to dst, as append does, and returns the
// longer slice. It allocates only when dst is too short. An absent key appends
// nothing and gives Meta with Version 0. Errors are those of Get.
func (s *Store) AppendGet(dst []byte, key string) ([]byte, Meta, error) {
	if err := s.checkKey(key); err != nil {
		return dst, Meta{}, err
	}
	h := s.hash(key)
	out, meta := s.shards[s.shardIndex(h)].appendValue(dst, h, key)
	if s.expired(meta) {
		return dst, Meta{}, nil
	}
	return out, meta, nil
}

// Stat returns the Meta of key and the length of its value in bytes, without
// copying it. Errors are those of Get.
func (s *Store) Stat(key string) (Meta, int, error) {
	if err := s.checkKey(key); err != nil {
		return Meta{}, 0, err
	}
	h := s.hash(key)
	meta, size := s.shards[s.shardIndex(h)].stat(h, key)
	if s.expired(meta) {
		return Meta{}, 0, nil
	}
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
func (sh *shard) appendValue(dst []byte, h uint64, key string) ([]byte, Meta) {
	if optimistic {
		for range patience {
			c, head, info, sure := sh.locate(h, key)
			if !sure {
				continue
			}
			out, meta := dst, Meta{}
			if c.p != nil {
				meta = c.meta(head, info)
				out = append(dst, c.value(info)...)
				if !c.unchanged(head) {
					continue
				}
			}
			if sh.batch.Load() {
				break // the lock waits for the end of the batch
			}
			return out, meta
		}
	}
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	slot, r := sh.find(h, key)
	if slot < 0 {
		return dst, Meta{}
	}
	c := sh.arena.at(r)
	return append(dst, c.value(*c.info())...), c.meta(*c.head(), *c.info())
}

// stat is appendValue without the value: its length.
func (sh *shard) stat(h uint64, key string) (Meta, int) {
	if optimistic {
		for range patience {
			c, head, info, sure := sh.locate(h, key)
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
			if sh.batch.Load() {
				break
			}
			return meta, size
		}
	}
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	slot, r := sh.find(h, key)
	if slot < 0 {
		return Meta{}, 0
	}
	c := sh.arena.at(r)
	return c.meta(*c.head(), *c.info()), infoValueLen(*c.info())
}

// locate finds the cell of key without the lock. When sure is false it met a
// write and says nothing. A cell is given with the head and info that it had
// together with key: the caller copies and then asks c.unchanged(head). No cell
// means that the key was absent at a moment during the call.
func (sh *shard) locate(h uint64, key string) (c cell, head, info uint64, sure bool) {
	v := sh.view.Load()
	bits, mask := hashBits(h), uint64(len(v.slots)-1)
	for p := startProbe(bits, mask); ; p.next(mask) {
		s := atomic.LoadUint64(&v.slots[p.index])
		if s == 0 {
			return cell{}, 0, 0, true
		}
		r := ref(s & refMask)
		if s>>refBits != bits || r == refTombstone {
			continue
		}
		if c = v.at(r); c.p == nil {
			return cell{}, 0, 0, false
		}
		head = atomic.LoadUint64(c.head())
		info = *c.info()
		// The info is that of the head before a byte behind it is touched: its
		// lengths then lie within the cell.
		if !alive(head) || !c.unchanged(head) {
			return cell{}, 0, 0, false
		}
		if infoKeyLen(info) == len(key) && c.hasKey(key) {
			return c, head, info, true
		}
		// Another key with the same bits, or the cell was reused since the slot
		// was read: only an unchanged slot of the present view can tell.
		if sh.view.Load() != v || atomic.LoadUint64(&v.slots[p.index]) != s {
			return cell{}, 0, 0, false
		}
	}
}

// at is the cell that r names, or none when the view is too old to know it.
func (v *view) at(r ref) cell {
	if r.chunk() >= len(v.dir) {
		return cell{}
	}
	base := atomic.LoadPointer(&v.dir[r.chunk()])
	if base == nil {
		return cell{}
	}
	return cell{unsafe.Add(base, r.offset()*8)}
}
