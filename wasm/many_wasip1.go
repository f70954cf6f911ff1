package main

import (
	"encoding/binary"
	"unsafe"

	"github.com/ingot-run/ingot/engine"
)

func appendU32(b []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(b, n) }

func appendU64(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }

// getMany replies with the values of keys. Request: per key u32 length, key.
// Reply: u32 the number of keys answered, then per key u32 length, u64 version
// (0: absent), u64 expiry, value. A reply that grows long ends early: the host
// asks again for the rest.
//
//go:wasmexport ingot_get_many
func getMany(store, requestBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	c := request(requestBytes)
	if c.broken {
		return fail(errRequest)
	}
	out := appendU32(area[:requestBytes], 0)
	answered := uint32(0)
	for c.more() && len(out)-int(requestBytes) < replyBytesTarget {
		part := c.take(c.u32())
		key := unsafe.String(unsafe.SliceData(part), len(part))
		if c.broken {
			return fail(errRequest)
		}
		head := len(out)
		out = append(out, make([]byte, 20)...)
		var meta engine.Meta
		var err error
		if out, meta, err = s.AppendGet(out, key); err != nil {
			return fail(err)
		}
		binary.LittleEndian.PutUint32(out[head:], uint32(len(out)-head-20))
		binary.LittleEndian.PutUint64(out[head+4:], meta.Version)
		binary.LittleEndian.PutUint64(out[head+12:], uint64(meta.ExpiresAt))
		answered++
	}
	binary.LittleEndian.PutUint32(out[requestBytes:], answered)
	return reply(out, requestBytes)
}

// setMany stores entries as one batch. Request: per entry u32 key length, u32
// value length, u64 time to live in milliseconds (0: for ever), key, value.
// Reply: u64 version per entry.
//
//go:wasmexport ingot_set_many
func setMany(store, requestBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	c := request(requestBytes)
	var items []engine.Item
	for c.more() {
		keyBytes, valueBytes, millis := c.u32(), c.u32(), c.u64()
		if len(items) == engine.BatchOpsMax {
			return fail(engine.ErrBatchSize)
		}
		items = append(items, engine.Item{Key: string(c.take(keyBytes)), Value: c.take(valueBytes), TTL: ttl(int64(millis))})
	}
	if c.broken {
		return fail(errRequest)
	}
	versions, err := s.SetMany(items)
	if err != nil {
		return fail(err)
	}
	out := area[:requestBytes]
	for _, v := range versions {
		out = appendU64(out, v)
	}
	return reply(out, requestBytes)
}

// deleteMany removes keys as one batch and returns how many were there. The
// request is that of getMany.
//
//go:wasmexport ingot_delete_many
func deleteMany(store, requestBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	c := request(requestBytes)
	var keys []string
	for c.more() {
		if len(keys) == engine.BatchOpsMax {
			return fail(engine.ErrBatchSize)
		}
		keys = append(keys, string(c.take(c.u32())))
	}
	if c.broken {
		return fail(errRequest)
	}
	deleted, err := s.DeleteMany(keys)
	if err != nil {
		return fail(err)
	}
	return int32(deleted)
}

// batch runs operations as one. Request: per operation u8 kind, u8 flags, u16
// 0, u32 key length, u32 value length, u64 version, u64 time to live in
// milliseconds, i64 delta, key, value. Reply: per operation u64 version, i64
// number, u32 whether the key existed.
//
//go:wasmexport ingot_batch
func batch(store, requestBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	c := request(requestBytes)
	var ops []engine.Op
	for c.more() {
		if len(ops) == engine.BatchOpsMax {
			return fail(engine.ErrBatchSize)
		}
		ops = append(ops, c.op())
	}
	if c.broken {
		return fail(errRequest)
	}
	results, err := s.Batch(ops)
	if err != nil {
		return fail(err)
	}
	out := area[:requestBytes]
	for _, r := range results {
		existed := uint32(0)
		if r.Existed {
			existed = 1
		}
		out = appendU32(appendU64(appendU64(out, r.Version), uint64(r.Number)), existed)
	}
	return reply(out, requestBytes)
}

// op reads one operation of a batch.
func (c *cursor) op() engine.Op {
	head := c.u32()
	kind, flags := uint8(head), head>>8
	keyBytes, valueBytes := c.u32(), c.u32()
	version, millis, delta := c.u64(), c.u64(), c.u64()
	op := engine.Op{
		Kind: engine.OpKind(kind), Key: string(c.take(keyBytes)), Value: c.take(valueBytes), Delta: int64(delta),
		KeepTTL: flags&flagKeepTTL != 0, IfAbsent: flags&flagIfAbsent != 0,
	}
	if flags&flagTTL != 0 {
		op.TTL = ttl(int64(millis))
	}
	if flags&flagIfVersion != 0 {
		op.IfVersion = version
	}
	return op
}

// list replies with a page of keys. Request: prefix, cursor. Reply: u32 number
// of entries, u32 length of the next page's cursor (0: no more), then per entry
// u32 key length, u32 value length, u64 version, u64 expiry, key, and the value
// if values is 1; then the cursor. A page with values ends early when it grows
// long.
//
//go:wasmexport ingot_list
func list(store, prefixBytes, afterBytes uint32, limit int32, values uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	prefix, after, ok := pair(prefixBytes, afterBytes)
	if !ok {
		return fail(errRequest)
	}
	page, err := s.List(engine.ListOptions{Prefix: prefix, After: string(after), Limit: int(limit)})
	if err != nil {
		return fail(err)
	}
	from := prefixBytes + afterBytes
	out, count := appendU64(area[:from], 0), uint32(0)
	for i := range page.Entries {
		if len(out)-int(from) >= replyBytesTarget {
			page.Next = page.Entries[i-1].Key
			break
		}
		var listed bool
		if out, listed = appendEntry(out, s, &page.Entries[i], values == 1); listed {
			count++
		}
	}
	binary.LittleEndian.PutUint32(out[from:], count)
	binary.LittleEndian.PutUint32(out[from+4:], uint32(len(page.Next)))
	return reply(append(out, page.Next...), from)
}

// appendEntry appends an entry of a list. With values the entry is read anew,
// so that no page of long values is ever held twice; an entry that ended since
// it was listed is left out.
func appendEntry(out []byte, s *engine.Store, e *engine.ListEntry, values bool) (longer []byte, listed bool) {
	head := len(out)
	out = appendU32(appendU32(out, uint32(len(e.Key))), uint32(e.Size))
	out = appendU64(appendU64(out, e.Version), uint64(e.ExpiresAt))
	out = append(out, e.Key...)
	if values {
		var meta engine.Meta
		var err error
		if out, meta, err = s.AppendGet(out, e.Key); err != nil || !meta.Found() {
			return out[:head], false
		}
	}
	return out, true
}

// clearPrefix removes every key of a prefix and returns how many. Request:
// prefix.
//
//go:wasmexport ingot_clear
func clearPrefix(store, prefixBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	prefix, _, ok := pair(prefixBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	deleted, err := s.Clear(prefix)
	if err != nil {
		return fail(err)
	}
	return int32(deleted)
}
