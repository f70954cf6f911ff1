package redis

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

// cache keeps entries of this process under their names in redis. The servers say
// when one has changed (invalidated), and so do writes of this process (drop), which
// therefore reads what it wrote.
//
// A read that fills the cache takes a ticket before it is sent (begin). What is
// dropped or filled meanwhile makes the ticket void: the answer may be older. Thereby
// nobody in this process reads an entry and then an older one.
type cache struct {
	seed     maphash.Seed
	shards   [cacheShards]cacheShard
	versions [1 << 12]atomic.Uint64 // by a part of the hash: how often one was dropped
}

const (
	cacheShards      = 16
	cacheEntryCharge = 128 // what an entry costs beside its name and value, in bytes
)

// cacheShard is a clock: entries that were read since the hand passed stay.
type cacheShard struct {
	entriesMax int
	bytesMax   int64

	mu      sync.RWMutex
	entries map[string]*cachedEntry
	writing map[string]int // names that batches under way write: how many do
	ring    []*cachedEntry
	hand    int
	bytes   int64
}

type cachedEntry struct {
	name, value string
	meta        state.Meta
	place       int // in the ring
	read        atomic.Bool
}

// ticket is what a read needs to fill the cache.
type ticket struct {
	hash    uint64
	version uint64
}

func newCache(entries int, bytes int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entriesMax, s.bytesMax = max(entries/cacheShards, 1), max(bytes/cacheShards, 1)
		s.entries, s.writing = map[string]*cachedEntry{}, map[string]int{}
	}
	return c
}

func (c *cache) shard(hash uint64) *cacheShard { return &c.shards[hash%cacheShards] }

func (c *cache) version(hash uint64) *atomic.Uint64 {
	return &c.versions[hash>>32%uint64(len(c.versions))]
}

// get is the value of an entry that has not ended at a time in Unix milliseconds.
func (c *cache) get(name string, now int64) (value string, meta state.Meta, ok bool) {
	s := c.shard(maphash.String(c.seed, name))
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.entries[name]
	// One millisecond less, since the clocks were compared no better than that.
	if e == nil || e.meta.ExpiresAt != 0 && e.meta.ExpiresAt <= now+1 {
		return "", state.Meta{}, false
	}
	if !e.read.Load() {
		e.read.Store(true)
	}
	return e.value, e.meta, true
}

// begin gives a ticket for a read that is about to be sent.
func (c *cache) begin(name string) ticket {
	hash := maphash.String(c.seed, name)
	return ticket{hash, c.version(hash).Load()}
}

// fill keeps what a read found, unless something newer is there or may have been: of
// two reads that were under way together, either may come back first.
func (c *cache) fill(name string, t ticket, meta state.Meta, value string) {
	charge := int64(len(name) + len(value) + cacheEntryCharge)
	s := c.shard(t.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[name]; e != nil && e.meta.Version >= meta.Version {
		return
	}
	s.remove(name)
	// What was counted up makes void the tickets of reads that may be older than this.
	if c.version(t.hash).Add(1) != t.version+1 || charge > s.bytesMax/4 || s.writing[name] > 0 {
		return
	}
	for len(s.ring) > 0 && (len(s.ring) >= s.entriesMax || s.bytes+charge > s.bytesMax) {
		s.evict()
	}
	e := &cachedEntry{name: name, value: value, meta: meta, place: len(s.ring)}
	s.entries[name] = e
	s.ring = append(s.ring, e)
	s.bytes += charge
}

// learn forgets an entry where somebody saw another version of it (0: none).
func (c *cache) learn(name string, version uint64) {
	hash := maphash.String(c.seed, name)
	s := c.shard(hash)
	s.mu.RLock()
	e := s.entries[name]
	same := e != nil && version != 0 && e.meta.Version >= version
	s.mu.RUnlock()
	if !same {
		c.drop(name)
	}
}

// block keeps the names of a batch out of the cache while it is under way: nobody is
// to read one of its keys as it is afterwards, and then another as it was before.
// unblock is its partner.
func (c *cache) block(names []string) {
	for _, name := range names {
		s := c.shard(maphash.String(c.seed, name))
		s.mu.Lock()
		s.writing[name]++
		s.remove(name)
		s.mu.Unlock()
	}
}

// unblock lets the names be kept again, by reads that begin from now on.
func (c *cache) unblock(names []string) {
	for _, name := range names {
		hash := maphash.String(c.seed, name)
		s := c.shard(hash)
		s.mu.Lock()
		c.version(hash).Add(1)
		if s.writing[name]--; s.writing[name] == 0 {
			delete(s.writing, name)
		}
		s.mu.Unlock()
	}
}

// drop forgets an entry, and what reads under way will bring of it.
func (c *cache) drop(name string) {
	hash := maphash.String(c.seed, name)
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.version(hash).Add(1)
	s.remove(name)
}

// invalidated hears from a server which names have changed; nil means that it can say
// nothing any more, and all may have.
func (c *cache) invalidated(names []rueidis.RedisMessage) {
	if names == nil {
		c.clear()
		return
	}
	for i := range names {
		if name, err := names[i].ToString(); err == nil {
			c.drop(name)
		}
	}
}

func (c *cache) clear() {
	for i := range c.versions {
		c.versions[i].Add(1)
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		clear(s.entries)
		clear(s.ring)
		s.ring, s.hand, s.bytes = s.ring[:0], 0, 0
		s.mu.Unlock()
	}
}

// size is how many entries and bytes there are.
func (c *cache) size() (entries int, bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		entries += len(s.entries)
		bytes += s.bytes
		s.mu.RUnlock()
	}
	return entries, bytes
}

// remove takes an entry out; the last of the ring takes its place.
func (s *cacheShard) remove(name string) {
	e := s.entries[name]
	if e == nil {
		return
	}
	delete(s.entries, name)
	last := len(s.ring) - 1
	s.ring[e.place] = s.ring[last]
	s.ring[e.place].place = e.place
	s.ring[last] = nil
	s.ring = s.ring[:last]
	s.bytes -= int64(len(e.name) + len(e.value) + cacheEntryCharge)
}

// evict removes an entry that was not read since the hand passed it.
func (s *cacheShard) evict() {
	for {
		s.hand %= len(s.ring)
		e := s.ring[s.hand]
		if !e.read.Swap(false) {
			s.remove(e.name)
			return
		}
		s.hand++
	}
}
