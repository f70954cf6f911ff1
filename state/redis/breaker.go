package redis

import (
	"sync"
	"sync/atomic"
	"time"
)

// breaker lets the calls on one bucket fail at once after several have failed in a
// row, but for one call now and then that tries whether the server is back.
type breaker struct {
	shutUntil atomic.Int64 // Unix nanoseconds; 0: calls go through
	failing   atomic.Bool  // the last call failed

	mu    sync.Mutex
	count int           // failures in a row
	since time.Time     // of the first of them
	pause time.Duration // until the next try
	cause error
}

const (
	breakerFailures = 5
	breakerPauseMin = 50 * time.Millisecond
	breakerPauseMax = 500 * time.Millisecond
)

// admit reports whether a call may go on; else since when and why none may.
func (b *breaker) admit() (ok bool, since time.Time, cause error) {
	until := b.shutUntil.Load()
	if until == 0 {
		return true, since, nil
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.UnixNano() >= until && b.shutUntil.CompareAndSwap(until, now.Add(b.pause).UnixNano()) {
		return true, since, nil
	}
	return false, b.since, b.cause
}

// failed notes a failure. It returns since when there have been only such.
func (b *breaker) failed(cause error) (since time.Time) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == 0 {
		b.since, b.pause = now, breakerPauseMin
	}
	b.count++
	b.cause = cause
	b.failing.Store(true)
	if b.count >= breakerFailures {
		b.shutUntil.Store(now.Add(b.pause).UnixNano())
		b.pause = min(2*b.pause, breakerPauseMax)
	}
	return b.since
}

// succeeded notes that a server answered.
func (b *breaker) succeeded() {
	if !b.failing.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count, b.cause = 0, nil
	b.failing.Store(false)
	b.shutUntil.Store(0)
}

// problem is what fails just now and since when, or nil.
func (b *breaker) problem() (since time.Time, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since, b.cause
}
