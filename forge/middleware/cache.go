package middleware

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// entryBytes is what an entry takes beside its key and its answer.
const entryBytes = 256

// cache keeps answers by arguments and principal.
type cache struct {
	config config.Cache
	name   string

	mu      sync.Mutex
	entries map[string]*list.Element // of *cached
	recent  *list.List               // the most recently used first
	bytes   uint64
	flights map[string]*flight
	hits    int64
	misses  int64
	evicted int64
}

type cached struct {
	key    string
	result *mcp.CallResult
	bytes  uint64
	until  time.Time
}

// flight is a call that others with the same key wait for.
type flight struct {
	done   chan struct{} // closed at its end
	shared bool          // what came of it is good for others
	result *mcp.CallResult
	err    error
}

func (w *wrapping) cache(c *config.Cache) layer {
	own := slices.ContainsFunc(w.tool.Middleware, func(m config.Middleware) bool { return m.Cache == c })
	if !own && (!readOnly(w.tool) || w.tool.State != nil && w.tool.State.Handle) {
		return nil // what hands out handles would give one to several conversations
	}
	made := share(w, w.tool.Name, config.MiddlewareCache, c, func() *cache {
		return &cache{config: *c, name: w.tool.Name, entries: map[string]*list.Element{}, recent: list.New(), flights: map[string]*flight{}}
	})
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) { return made.call(ctx, r, next) }
	}
}

// keyOf is the canonical text of the arguments, with the principal behind it. Numbers
// stay as they are written: two that only a float64 cannot tell apart are two.
func keyOf(r *mcp.CallRequest) ([]byte, error) {
	key := jsontext.Value(append(make([]byte, 0, len(r.Arguments)+64), r.Arguments...))
	if err := key.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(false)); err != nil {
		return nil, fault.Because(err, fault.InvalidInput, "the arguments are no JSON")
	}
	return append(key, principalOf(r)...), nil
}

func (c *cache) call(ctx context.Context, r *mcp.CallRequest, next mcp.Handler) (*mcp.CallResult, error) {
	key, err := keyOf(r)
	if err != nil {
		return nil, err
	}
	for {
		result, f, leads := c.find(key)
		switch {
		case result != nil:
			return result, nil
		case leads:
			return c.lead(ctx, r, next, string(key), f)
		}
		select {
		case <-f.done:
			if f.shared {
				return f.result, f.err
			}
		case <-ctx.Done():
			return nil, fault.Because(ctx.Err(), fault.ClassOf(ctx.Err()), "the call of %s ended while an equal one ran", c.name)
		}
	}
}

// find returns what is cached, or the flight to wait for, or one to lead.
func (c *cache) find(key []byte) (result *mcp.CallResult, f *flight, leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[string(key)]; ok {
		entry := e.Value.(*cached)
		if time.Now().Before(entry.until) {
			c.recent.MoveToFront(e)
			c.hits++
			return entry.result, nil, false
		}
		c.drop(e)
	}
	if f, ok := c.flights[string(key)]; ok {
		c.hits++
		return nil, f, false
	}
	c.misses++
	f = &flight{done: make(chan struct{})}
	c.flights[string(key)] = f
	return nil, f, true
}

// lead makes the call that others wait for. They get its error too, unless it is the
// caller's own end, or a question to the caller.
func (c *cache) lead(ctx context.Context, r *mcp.CallRequest, next mcp.Handler, key string, f *flight) (*mcp.CallResult, error) {
	defer func() {
		c.mu.Lock()
		delete(c.flights, key)
		if f.shared && classOf(f.result, f.err) == "" {
			c.keep(key, f.result)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	result, err := next(ctx, r)
	if ctx.Err() == nil && !errors.Is(err, mcp.ErrInputRequired) {
		f.shared, f.result, f.err = true, copyOf(result), err
	}
	return result, err
}

// keep stores an answer; c.mu is held.
func (c *cache) keep(key string, result *mcp.CallResult) {
	size := uint64(len(key)) + sizeOf(result) + entryBytes
	if size > c.config.BytesMax || c.config.EntriesMax < 1 {
		return
	}
	for c.bytes+size > c.config.BytesMax || c.recent.Len() >= c.config.EntriesMax {
		c.drop(c.recent.Back())
		c.evicted++
	}
	c.bytes += size
	c.entries[key] = c.recent.PushFront(&cached{key, result, size, time.Now().Add(c.config.TTL)})
}

// drop forgets an answer; c.mu is held.
func (c *cache) drop(e *list.Element) {
	entry := c.recent.Remove(e).(*cached)
	delete(c.entries, entry.key)
	c.bytes -= entry.bytes
}

func (c *cache) state() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return State{Counts: map[string]int64{
		"entries": int64(c.recent.Len()), "bytes": int64(c.bytes), "hits": c.hits, "misses": c.misses, "evicted": c.evicted,
	}}
}

// copyOf copies an answer out of the memory of its call.
func copyOf(r *mcp.CallResult) *mcp.CallResult {
	if r == nil {
		return nil
	}
	c := &mcp.CallResult{Content: slices.Clone(r.Content), Structured: bytes.Clone(r.Structured), IsError: r.IsError}
	for i := range c.Content {
		b := &c.Content[i]
		b.Text, b.Data = strings.Clone(b.Text), bytes.Clone(b.Data)
		if b.Resource != nil {
			resource := *b.Resource
			resource.Text, resource.Blob, resource.Meta = strings.Clone(resource.Text), bytes.Clone(resource.Blob), bytes.Clone(resource.Meta)
			b.Resource = &resource
		}
	}
	return c
}

func sizeOf(r *mcp.CallResult) uint64 {
	size := len(r.Structured)
	for _, b := range r.Content {
		size += 128 + len(b.Text) + len(b.Data) + len(b.MIMEType)
		if b.Resource != nil {
			size += 128 + len(b.Resource.Text) + len(b.Resource.Blob) + len(b.Resource.Meta)
		}
	}
	return uint64(size)
}
