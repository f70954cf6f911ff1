package redis

import (
	"context"
	"time"
)

// WithClock makes the store live on the clock of a test instead of the server's.
func WithClock(o Options, now func() int64) Options {
	o.now = now
	return o
}

// WithRetry bounds how long calls try again.
func WithRetry(o Options, d time.Duration) Options {
	o.retryFor = d
	return o
}

// Settle waits until the watchers of this process have heard of all that was written
// until now.
func (m *Manager) Settle(ctx context.Context) error {
	until, err := m.positions(ctx)
	for err == nil && !m.hub.reached(until) {
		err = m.pause(ctx, retryPauseMin)
	}
	return err
}

// reached reports whether the hub has handed out all up to the positions.
func (h *hub) reached(until []uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, p := range h.positions {
		if p < until[i] {
			return false
		}
	}
	return true
}

// Shut reports whether calls on a key fail at once.
func Shut(m *Manager, key string) bool { return m.bucketOf(key).breaker.shutUntil.Load() != 0 }

// CacheSize is how many entries and bytes a Manager keeps.
func CacheSize(m *Manager) (entries int, bytes int64) { return m.cache.size() }
