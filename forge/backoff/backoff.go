// Package backoff says how long to wait before the next attempt.
//
// The main type is [Policy]; [Policy.Wait] waits.
//
//	for attempt := 1; ; attempt++ {
//		if err = try(); err == nil || attempt == p.Attempts { break }
//		if err := p.Wait(ctx, attempt, 0); err != nil { break }
//	}
//
// # Caveats
//
// Which failures deserve another attempt is for the caller to say.
package backoff

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// Policy is an exponential backoff.
type Policy struct {
	// Attempts is how many there are, the first one counted.
	Attempts int
	// Initial is the wait after the first attempt; each further one is Multiplier
	// times as long, and at most Max.
	Initial, Max time.Duration
	Multiplier   float64
	// Jitter takes a random time between half of the wait and all of it, so that
	// those who failed together do not come back together.
	Jitter bool
}

// Delay is the wait after an attempt, which count from 1. atLeast is what the other
// side asked for; it is heeded up to Max.
func (p Policy) Delay(attempt int, atLeast time.Duration) time.Duration {
	wait := float64(p.Initial) * math.Pow(max(p.Multiplier, 1), float64(attempt-1))
	delay := p.Max
	if wait < float64(p.Max) {
		delay = time.Duration(wait)
	}
	if p.Jitter && delay > 1 {
		delay = delay/2 + rand.N(delay/2+1)
	}
	return min(max(delay, atLeast), p.Max)
}

// Wait waits for the delay after an attempt. It returns ctx's error when that ends
// first, and at once when its deadline comes before the delay is over: the attempt
// would be for nothing.
func (p Policy) Wait(ctx context.Context, attempt int, atLeast time.Duration) error {
	delay := p.Delay(attempt, atLeast)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= delay {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
