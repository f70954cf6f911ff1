package resource

import (
	"container/list"
	"sync"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/mcp"
)

// entryBytes is what an entry takes beside its URI and its content.
const entryBytes = 256

// cache keeps what was read, by its URI. A nil cache keeps nothing.
type cache struct {
	config config.Cache

	mu      sync.Mutex
	entries map[string]*list.Element // of *cached
	recent  *list.List               // the most recently used first
	bytes   uint64
	drops   uint64 // how often something was dropped since it was written
}

type cached struct {
	uri    string
	result *mcp.ReadResult
	bytes  uint64
	until  time.Time
}

func newCache(c *config.Cache) *cache {
	return &cache{config: *c, entries: map[string]*list.Element{}, recent: list.New()}
}

// get returns what is kept, with the time that it is good for; nil when there is
// nothing.
func (c *cache) get(uri string) *mcp.ReadResult {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[uri]
	if !ok {
		return nil
	}
	kept := e.Value.(*cached)
	left := time.Until(kept.until)
	if left <= 0 {
		c.remove(e)
		return nil
	}
	c.recent.MoveToFront(e)
	result := *kept.result
	result.Fresh = left
	return &result
}

// begin notes the beginning of a read, for put.
func (c *cache) begin() uint64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drops
}

// put keeps a result, unless something was written since its read began, and returns it
// with the time that it is good for.
func (c *cache) put(uri string, result *mcp.ReadResult, began uint64) *mcp.ReadResult {
	if c == nil {
		return result
	}
	size := uint64(len(uri)) + entryBytes
	for i := range result.Contents {
		size += uint64(len(result.Contents[i].Text) + len(result.Contents[i].Blob))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > c.config.BytesMax || c.config.EntriesMax < 1 || c.drops != began {
		return result
	}
	if e, ok := c.entries[uri]; ok {
		c.remove(e)
	}
	for c.recent.Len() > 0 && (c.bytes+size > c.config.BytesMax || c.recent.Len() >= c.config.EntriesMax) {
		c.remove(c.recent.Back())
	}
	c.bytes += size
	c.entries[uri] = c.recent.PushFront(&cached{uri, result, size, time.Now().Add(c.config.TTL)})
	fresh := *result
	fresh.Fresh = c.config.TTL
	return &fresh
}

// drop forgets all: two URIs may name one thing.
func (c *cache) drop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	clear(c.entries)
	c.recent.Init()
	c.bytes = 0
}

// remove forgets an entry; c.mu is held.
func (c *cache) remove(e *list.Element) {
	kept := c.recent.Remove(e).(*cached)
	delete(c.entries, kept.uri)
	c.bytes -= kept.bytes
}
