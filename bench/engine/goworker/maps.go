package main

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/alphadose/haxmap"
	"github.com/llxisdsh/pb"
	"github.com/maypok86/otter/v2"
	"github.com/puzpuzpuz/xsync/v4"
)

// The maps keep []byte values that are never written again, so that a reader may
// borrow them: every write stores a fresh copy.

type plainMap map[string][]byte

func openPlainMap(sizing) (store, error) { return plainMap{}, nil }

func (m plainMap) Insert(key string, value []byte) { m[strings.Clone(key)] = bytes.Clone(value) }
func (m plainMap) Set(key string, value []byte)    { m[key] = bytes.Clone(value) }
func (m plainMap) Delete(key string)               { delete(m, key) }
func (m plainMap) Borrow(key string) ([]byte, bool) {
	value, ok := m[key]
	return value, ok
}

const shardCount = 256

type shardedMap struct {
	seed   maphash.Seed
	shards [shardCount]mapShard
}

type mapShard struct {
	mu      sync.RWMutex
	entries map[string][]byte
	_       [64]byte // keeps two locks off one cache line
}

func openSharded(sizing) (store, error) {
	m := &shardedMap{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].entries = make(map[string][]byte)
	}
	return m, nil
}

func (m *shardedMap) shard(key string) *mapShard {
	return &m.shards[maphash.String(m.seed, key)%shardCount]
}

func (m *shardedMap) Insert(key string, value []byte) { m.Set(strings.Clone(key), value) }

func (m *shardedMap) Set(key string, value []byte) {
	s, value := m.shard(key), bytes.Clone(value)
	s.mu.Lock()
	s.entries[key] = value
	s.mu.Unlock()
}

func (m *shardedMap) Delete(key string) {
	s := m.shard(key)
	s.mu.Lock()
	delete(s.entries, key)
	s.mu.Unlock()
}

func (m *shardedMap) Borrow(key string) ([]byte, bool) {
	s := m.shard(key)
	s.mu.RLock()
	value, ok := s.entries[key]
	s.mu.RUnlock()
	return value, ok
}

type syncMap struct{ sync.Map }

func openSyncMap(sizing) (store, error) { return &syncMap{}, nil }

func (m *syncMap) Insert(key string, value []byte) { m.Store(strings.Clone(key), bytes.Clone(value)) }
func (m *syncMap) Set(key string, value []byte)    { m.Store(key, bytes.Clone(value)) }
func (m *syncMap) Delete(key string)               { m.Map.Delete(key) }
func (m *syncMap) Borrow(key string) ([]byte, bool) {
	value, ok := m.Load(key)
	if !ok {
		return nil, false
	}
	return value.([]byte), true
}

type xsyncMap struct{ *xsync.Map[string, []byte] }

func openXsync(sizing) (store, error) { return xsyncMap{xsync.NewMap[string, []byte]()}, nil }

func (m xsyncMap) Insert(key string, value []byte)  { m.Store(strings.Clone(key), bytes.Clone(value)) }
func (m xsyncMap) Set(key string, value []byte)     { m.Store(key, bytes.Clone(value)) }
func (m xsyncMap) Delete(key string)                { m.Map.Delete(key) }
func (m xsyncMap) Borrow(key string) ([]byte, bool) { return m.Load(key) }

type haxMap struct{ *haxmap.Map[string, []byte] }

func openHaxmap(sizing) (store, error) { return haxMap{haxmap.New[string, []byte]()}, nil }

func (m haxMap) Insert(key string, value []byte)  { m.Map.Set(strings.Clone(key), bytes.Clone(value)) }
func (m haxMap) Set(key string, value []byte)     { m.Map.Set(key, bytes.Clone(value)) }
func (m haxMap) Delete(key string)                { m.Del(key) }
func (m haxMap) Borrow(key string) ([]byte, bool) { return m.Get(key) }

type pbMap struct{ *pb.FlatMapOf[string, []byte] }

func openPB(sizing) (store, error) { return pbMap{pb.NewFlatMapOf[string, []byte]()}, nil }

func (m pbMap) Insert(key string, value []byte)  { m.Store(strings.Clone(key), bytes.Clone(value)) }
func (m pbMap) Set(key string, value []byte)     { m.Store(key, bytes.Clone(value)) }
func (m pbMap) Delete(key string)                { m.FlatMapOf.Delete(key) }
func (m pbMap) Borrow(key string) ([]byte, bool) { return m.Load(key) }

type otterCache struct{ *otter.Cache[string, []byte] }

// openOtter leaves the bound away: as a map it keeps everything and is faster.
func openOtter(sizing) (store, error) {
	cache, err := otter.New(&otter.Options[string, []byte]{})
	return otterCache{cache}, err
}

func (c otterCache) Insert(key string, value []byte) {
	c.Cache.Set(strings.Clone(key), bytes.Clone(value))
}
func (c otterCache) Set(key string, value []byte)     { c.Cache.Set(key, bytes.Clone(value)) }
func (c otterCache) Delete(key string)                { c.Invalidate(key) }
func (c otterCache) Borrow(key string) ([]byte, bool) { return c.GetIfPresent(key) }
func (c otterCache) Close()                           { c.StopAllGoroutines() }
