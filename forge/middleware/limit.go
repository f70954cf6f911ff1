package middleware

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// Whom a rate limit counts; see config.RateLimit.By.
const (
	byTool   = "tool"
	byServer = "server"
)

// clientsMax bounds the clients that a limit counts one by one. Those beyond, of as
// many within one time of their limit, share what one may do.
const clientsMax = 10_000

// client is who calls: by name, or by session or connection.
type client struct{ principal, session string }

// clientOf is the client of a call. A request that no server made has none.
func clientOf(r *mcp.CallRequest) client {
	if p := principalOf(r); p != "" {
		return client{principal: p}
	}
	if r.ProtocolVersion == "" {
		return client{}
	}
	return client{session: r.Call().Session()}
}

// principalOf is who calls; empty where nobody says, and for a request that no server
// made.
func principalOf(r *mcp.CallRequest) string {
	if r.ProtocolVersion == "" {
		return ""
	}
	return r.Call().Principal()
}

// limit is a token bucket for each client, kept as the generic cell rate algorithm
// does (ITU-T I.371): one time each, at which the bucket is full again.
type limit struct {
	interval time.Duration // in which one token comes
	depth    time.Duration // of a bucket: the tokens of a burst
	start    time.Time
	shared   Buckets // nil: this server counts alone
	name     string  // what the keys of its buckets begin with

	mu      sync.Mutex
	full    map[client]time.Duration // since start
	swept   time.Duration
	refused int64
	alone   int64 // calls that the shared buckets gave no answer to
}

func newLimit(c *config.RateLimit) *limit {
	interval := max(c.Per/time.Duration(max(c.Requests, 1)), 1)
	burst := max(c.Burst, 1)
	depth := time.Duration(math.MaxInt64 / 4)
	if burst < int(depth/interval) {
		depth = time.Duration(burst) * interval
	}
	return &limit{interval: interval, depth: depth, start: time.Now(), full: map[client]time.Duration{}}
}

func (w *wrapping) rateLimit(c *config.RateLimit) layer {
	of := w.tool.Name
	if c.By == byServer {
		of = ""
	}
	bucket := fmt.Sprintf("%s\x00%s\x00%d\x00", of, printOf(c), w.limits[*c])
	w.limits[*c]++
	l := share(w, of, config.MiddlewareRateLimit, c, func() *limit {
		l := newLimit(c)
		l.shared, l.name = w.shared.options.Buckets, bucket
		return l
	})
	each, name := c.By != byServer && c.By != byTool, w.tool.Name
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			var who client
			if each {
				who = clientOf(r)
			}
			if wait := l.wait(ctx, who); wait > 0 {
				return nil, refused(wait, "%s is called too often, at most %d times in %v", name, c.Requests, c.Per)
			}
			return next(ctx, r)
		}
	}
}

// wait takes a token, of the servers together where they share their buckets and can
// be asked, or says how long it is until there is one.
func (l *limit) wait(ctx context.Context, who client) time.Duration {
	if l.shared == nil {
		return l.take(who)
	}
	wait, err := l.shared.Take(ctx, l.name+who.principal+"\x00"+who.session, l.interval, l.depth)
	l.mu.Lock()
	switch {
	case err != nil:
		l.alone++
	case wait > 0:
		l.refused++
	}
	l.mu.Unlock()
	if err != nil {
		return l.take(who)
	}
	return wait
}

// take takes a token, or says how long it is until there is one.
func (l *limit) take(who client) (wait time.Duration) {
	now := time.Since(l.start)
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[who]
	if !known && len(l.full) >= clientsMax {
		l.sweep(now)
		if len(l.full) >= clientsMax {
			who = client{}
			full = l.full[who]
		}
	}
	full = max(full, now) + l.interval
	if wait = full - now - l.depth; wait > 0 {
		l.refused++
		return wait
	}
	l.full[who] = full
	return 0
}

// sweep forgets clients whose buckets are full: a new one is, too.
func (l *limit) sweep(now time.Duration) {
	if now-l.swept < time.Second && l.swept > 0 {
		return // so that strangers do not make each call look at all clients
	}
	l.swept = now
	for who, full := range l.full {
		if full <= now {
			delete(l.full, who)
		}
	}
}

func (l *limit) state() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int64{"clients": int64(len(l.full)), "refused": l.refused}
	if l.shared != nil {
		counts["alone"] = l.alone
	}
	return State{Counts: counts}
}

// bulkhead bounds how many calls run at once.
type bulkhead struct {
	config  config.Bulkhead
	running chan struct{} // one element for each call that runs
	waiting atomic.Int64
	refused atomic.Int64
}

func (w *wrapping) bulkhead(c *config.Bulkhead) layer {
	b := share(w, w.tool.Name, config.MiddlewareBulkhead, c, func() *bulkhead {
		return &bulkhead{config: *c, running: make(chan struct{}, max(c.ConcurrencyMax, 1))}
	})
	name := w.tool.Name
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			select {
			case b.running <- struct{}{}:
			default:
				if err := b.wait(ctx, name); err != nil {
					return nil, err
				}
			}
			defer func() { <-b.running }() // partner: the send, here or in wait
			return next(ctx, r)
		}
	}
}

// wait waits for a place; the longest waiting call gets it, as channels have it.
func (b *bulkhead) wait(ctx context.Context, name string) error {
	defer b.waiting.Add(-1)
	if b.waiting.Add(1) > int64(b.config.QueueMax) {
		b.refused.Add(1)
		return refused(0, "%s is busy with %d calls, and %d wait", name, b.config.ConcurrencyMax, b.config.QueueMax)
	}
	timer := time.NewTimer(b.config.QueueTime)
	defer timer.Stop()
	select {
	case b.running <- struct{}{}:
		return nil
	case <-timer.C:
		b.refused.Add(1)
		return refused(0, "%s is busy with %d calls, and the wait took longer than %v", name, b.config.ConcurrencyMax, b.config.QueueTime)
	case <-ctx.Done():
		return fault.Because(ctx.Err(), fault.ClassOf(ctx.Err()), "the call of %s ended while it waited for others", name)
	}
}

func (b *bulkhead) state() State {
	return State{Counts: map[string]int64{"running": int64(len(b.running)), "waiting": b.waiting.Load(), "refused": b.refused.Load()}}
}
