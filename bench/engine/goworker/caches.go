package main

import (
	"bytes"
	"unsafe"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/coocood/freecache"
	"github.com/dgraph-io/ristretto/v2"

	"github.com/ingot-run/ingot/bench/engine/workload"
)

// Caches are given twice the room that the entries need, so that a bound or an
// unlucky hash is not what is measured.
const (
	roomFactor   = 2
	roomBytesMin = 32 << 20 // fastcache's smallest, for freecache too
)

func room(s sizing) int { return max(roomFactor*s.keys*s.entryBytes(), roomBytesMin) }

type ristrettoCache struct {
	*ristretto.Cache[string, []byte]
}

func openRistretto(s sizing) (store, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters: int64(10 * s.keys),
		MaxCost:     int64(roomFactor * s.keys),
		BufferItems: 64,
		// Every entry costs 1, the entry and not its bytes.
		IgnoreInternalCost: true,
	})
	return ristrettoCache{cache}, err
}

// Insert takes no clone of the key: ristretto keeps hashes of it only.
func (c ristrettoCache) Insert(key string, value []byte)  { c.Set(key, value) }
func (c ristrettoCache) Set(key string, value []byte)     { c.Cache.Set(key, bytes.Clone(value), 1) }
func (c ristrettoCache) Delete(key string)                { c.Del(key) }
func (c ristrettoCache) Borrow(key string) ([]byte, bool) { return c.Get(key) }
func (c ristrettoCache) Settle()                          { c.Wait() }

// bytesOf lends the bytes of s to the caches that want a []byte and only read it.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

type freeCache struct{ *freecache.Cache }

func openFreecache(s sizing) (store, error) {
	return freeCache{freecache.NewCache(room(s))}, nil
}

func (c freeCache) Insert(key string, value []byte) { c.Set(key, value) }
func (c freeCache) Delete(key string)               { c.Del(bytesOf(key)) }

// Set forgets an entry that the cache refuses, as a cache does: the hits tell.
func (c freeCache) Set(key string, value []byte) { _ = c.Cache.Set(bytesOf(key), value, 0) }

func (c freeCache) AppendGet(dst []byte, key string) ([]byte, bool) {
	found := false
	_ = c.GetFn(bytesOf(key), func(value []byte) error {
		dst, found = append(dst, value...), true
		return nil
	})
	return dst, found
}

type fastCache struct{ *fastcache.Cache }

func openFastcache(s sizing) (store, error) {
	return fastCache{fastcache.New(room(s))}, nil
}

func (c fastCache) Insert(key string, value []byte) { c.Cache.Set(bytesOf(key), value) }
func (c fastCache) Set(key string, value []byte)    { c.Cache.Set(bytesOf(key), value) }
func (c fastCache) Delete(key string)               { c.Del(bytesOf(key)) }
func (c fastCache) AppendGet(dst []byte, key string) ([]byte, bool) {
	return c.HasGet(dst, bytesOf(key))
}

// Close hands the mappings back to fastcache's own free list.
func (c fastCache) Close() { c.Reset() }

// loopStore stores nothing: what it takes is what the loop, the keys and the
// machine's own hiccups take.
type loopStore struct{ value []byte }

func openLoop(s sizing) (store, error) {
	return loopStore{value: workload.NewValue(s.valueBytes)}, nil
}

func (loopStore) Insert(string, []byte)          {}
func (loopStore) Set(string, []byte)             {}
func (loopStore) Delete(string)                  {}
func (s loopStore) Borrow(string) ([]byte, bool) { return s.value, true }
