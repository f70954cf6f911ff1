package main

import (
	"errors"

	"github.com/ingot-run/ingot/engine"
)

// handlesMax bounds the stores, the watchers and the streams of one module.
const handlesMax = 65_536

// table gives handles, from 1, to things that a host holds.
type table[T any] struct{ slots []*T }

// add returns the handle of v, or an error code when all are in use.
func (t *table[T]) add(v *T) int32 {
	for i, slot := range t.slots {
		if slot == nil {
			t.slots[i] = v
			return int32(i + 1)
		}
	}
	if len(t.slots) >= handlesMax {
		return fail(errHandle)
	}
	t.slots = append(t.slots, v)
	return int32(len(t.slots))
}

// at returns what handle stands for, or nil.
func (t *table[T]) at(handle uint32) *T {
	if i := handle - 1; uint64(i) < uint64(len(t.slots)) {
		return t.slots[i]
	}
	return nil
}

// remove frees the handle.
func (t *table[T]) remove(handle uint32) { t.slots[handle-1] = nil }

var stores table[engine.Store]

// The bits of a write's flags.
const (
	flagTTL       = 1 << iota // a time to live is given, in milliseconds
	flagKeepTTL               // keep the end of the entry that is there
	flagIfVersion             // a version is given as condition
	flagIfAbsent              // the key must be absent
)

// openEvicts, in the register of the longest value, asks for a store that evicts.
const openEvicts = 1 << 32

// open makes a store. Registers in: 0 byte budget, 1 longest value, 0 for none
// and for the default, and openEvicts. It returns the store's handle.
//
//go:wasmexport ingot_open
func open() int32 {
	s, err := engine.Open(memoryOptions())
	if err != nil {
		return fail(err)
	}
	return stores.add(s)
}

// memoryOptions are the options in the registers 0 and 1.
func memoryOptions() engine.Options {
	evict := registers[1]&openEvicts != 0
	valueBytesMax := registers[1] &^ openEvicts
	if valueBytesMax > engine.ValueBytesMax { // as a 32-bit int it could look small
		valueBytesMax = engine.ValueBytesMax + 1
	}
	return engine.Options{BytesMax: int64(registers[0]), ValueBytesMax: int(valueBytesMax), Evict: evict}
}

// closeStore ends a store and its watchers and frees their handles.
//
//go:wasmexport ingot_close
func closeStore(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	for i, w := range watchers.slots {
		if w != nil && w.store == s {
			watchers.slots[i] = nil
		}
	}
	stores.remove(store)
	if err := errors.Join(s.Close(), closeDir(s)); err != nil {
		return failStorage(err)
	}
	return 0
}

// get replies with the value and returns its length, or codeAbsent. Request:
// key. Registers out: 0 version, 1 expiry.
//
//go:wasmexport ingot_get
func get(store, keyBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, ok := borrowed(keyBytes)
	if !ok {
		return fail(errRequest)
	}
	out, meta, err := s.AppendGet(area[:keyBytes], key)
	if err != nil {
		return fail(err)
	}
	if !meta.Found() {
		return codeAbsent
	}
	registers[0], registers[1] = meta.Version, uint64(meta.ExpiresAt)
	return reply(out, keyBytes)
}

// stat returns the length of the value, or codeAbsent. Request and registers
// are those of get.
//
//go:wasmexport ingot_stat
func stat(store, keyBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, ok := borrowed(keyBytes)
	if !ok {
		return fail(errRequest)
	}
	meta, size, err := s.Stat(key)
	if err != nil {
		return fail(err)
	}
	if !meta.Found() {
		return codeAbsent
	}
	registers[0], registers[1] = meta.Version, uint64(meta.ExpiresAt)
	return int32(size)
}

// exists returns 1 or 0. Request: key.
//
//go:wasmexport ingot_exists
func exists(store, keyBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, ok := borrowed(keyBytes)
	if !ok {
		return fail(errRequest)
	}
	found, err := s.Exists(key)
	if err != nil {
		return fail(err)
	}
	if found {
		return 1
	}
	return 0
}

// set stores a value. Request: key, value. Registers in, where a flag says so:
// 0 version, 1 time to live. Registers out: 0 version.
//
//go:wasmexport ingot_set
func set(store, keyBytes, valueBytes, flags uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, value, ok := pair(keyBytes, valueBytes)
	if !ok {
		return fail(errRequest)
	}
	var o engine.SetOptions
	if flags != 0 {
		o = setOptions(flags)
	}
	version, err := s.Set(key, value, o)
	if err != nil {
		return fail(err)
	}
	registers[0] = version
	return 0
}

// setOptions reads what the flags of a write announce.
func setOptions(flags uint32) (o engine.SetOptions) {
	if flags&flagIfVersion != 0 {
		o.IfVersion = registers[0]
	}
	if flags&flagTTL != 0 {
		o.TTL = ttl(int64(registers[1]))
	}
	o.KeepTTL = flags&flagKeepTTL != 0
	o.IfAbsent = flags&flagIfAbsent != 0
	return o
}

// cas stores a value if the key is at the version in register 0 (0: absent).
// It returns 1 or, when the version is another, 0. Request: key, value.
// Registers out: 0 the new version, or the one found.
//
//go:wasmexport ingot_cas
func cas(store, keyBytes, valueBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, value, ok := pair(keyBytes, valueBytes)
	if !ok {
		return fail(errRequest)
	}
	version, swapped, err := s.CompareAndSwap(key, registers[0], value)
	if err != nil {
		return fail(err)
	}
	registers[0] = version
	if swapped {
		return 1
	}
	return 0
}

// del removes a key and returns 1, or 0 when it was absent. Request: key.
// Registers in, where a flag says so: 0 version. Registers out: 0 version.
//
//go:wasmexport ingot_delete
func del(store, keyBytes, flags uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, _, ok := pair(keyBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	var o engine.DeleteOptions
	if flags&flagIfVersion != 0 {
		o.IfVersion = registers[0]
	}
	version, deleted, err := s.Delete(key, o)
	if err != nil {
		return fail(err)
	}
	registers[0] = version
	if deleted {
		return 1
	}
	return 0
}

// increment adds register 0 to a counter. Request: key. Registers out:
// 0 version, 1 sum.
//
//go:wasmexport ingot_increment
func increment(store, keyBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, _, ok := pair(keyBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	sum, version, err := s.Increment(key, int64(registers[0]))
	if err != nil {
		return fail(err)
	}
	registers[0], registers[1] = version, uint64(sum)
	return 0
}

// expire gives a key the time to live in register 1, in milliseconds; 0 is for
// ever. Request: key. Registers out: 0 version, or 0 when the key is absent.
//
//go:wasmexport ingot_expire
func expire(store, keyBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	key, _, ok := pair(keyBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	version, err := s.Expire(key, ttl(int64(registers[1])))
	if err != nil {
		return fail(err)
	}
	registers[0] = version
	return 0
}

// tick sweeps at most max expired entries (0: all) and returns how many.
//
//go:wasmexport ingot_tick
func tick(store uint32, max uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	return int32(s.Tick(int(max & 0x7fffffff)))
}

// budget gives a prefix the byte budget in register 0. Request: prefix.
//
//go:wasmexport ingot_budget
func budget(store, prefixBytes uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	prefix, _, ok := pair(prefixBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	if err := s.SetBudget(prefix, int64(registers[0])); err != nil {
		return fail(err)
	}
	return 0
}

// stats replies with the counters: nine u64 in the order of engine.Stats.
//
//go:wasmexport ingot_stats
func stats(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	st := s.Stats()
	out := area[:0]
	for _, n := range [...]int64{
		st.Keys, st.Bytes, st.BytesMax, int64(st.Version),
		st.Sets, st.Deletes, st.Expired, st.Conflicts, int64(st.Watchers),
	} {
		out = appendU64(out, uint64(n))
	}
	return reply(out, 0)
}
