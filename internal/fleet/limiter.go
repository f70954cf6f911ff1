package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ingot-run/ingot/state"
)

// Bounds of a Limiter.
const (
	heldMax     = 10_000 // buckets that a server knows something of
	chunkParts  = 10     // of a bucket's burst one server takes at once
	takeTries   = 16
	takeTimeout = 2 * time.Second // for the store, of a call that waits to be let in
	retryPause  = time.Millisecond
)

// Limiter is a set of token buckets that several servers share: together they let in
// what one of them would. A server takes some tokens at once, a tenth of the burst, so
// that most calls cost no round trip; what it does not use in the time in which they
// come is lost. Buckets are kept as the generic cell rate algorithm does (ITU-T I.371):
// one time each, at which the bucket is full again.
type Limiter struct {
	kept *state.Scoped

	mu   sync.Mutex
	held map[string]*held
}

// held is what this server knows of a bucket. turn holds one element while somebody
// looks at the rest.
type held struct {
	turn   chan struct{}
	tokens int   // in hand
	until  int64 // nanoseconds: when they are none any longer
	full   int64 // nanoseconds: the bucket is full then, or later
}

// NewLimiter keeps buckets in m, apart from those of Limiters with other names. The
// name has no slash. Errors: state.ErrOptions.
func NewLimiter(m state.Manager, name string) (*Limiter, error) {
	system, err := state.System(m, "rates")
	if err != nil {
		return nil, err
	}
	kept, err := state.Scope(system, state.Namespace{Prefix: name + "/"})
	if err != nil {
		return nil, err
	}
	return &Limiter{kept: kept, held: map[string]*held{}}, nil
}

// errCrowded says that others changed a bucket each time that this server would.
var errCrowded = errors.New("the bucket changes faster than it can be read")

// Take takes a token off the bucket of key, into which one comes each interval, up to
// as many as there are intervals in depth; or it says how long it is until there is
// one. An error is the store's: nothing is known then.
func (l *Limiter) Take(ctx context.Context, key string, interval, depth time.Duration) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	sum := sha256.Sum256([]byte(key)) // a client may have any name, of any length
	name := hex.EncodeToString(sum[:16])
	h := l.bucket(name)
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	now := l.kept.Now() * int64(time.Millisecond)
	if h.tokens > 0 && now < h.until {
		h.tokens--
		return 0, nil
	}
	h.tokens = 0
	if wait := waitOf(h.full, now, interval, depth); wait > 0 {
		return wait, nil // it can only have become longer
	}
	for range takeTries {
		wait, err := l.take(ctx, name, h, interval, depth)
		if !errors.Is(err, state.ErrConflict) {
			return wait, err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return 0, errCrowded
}

// waitOf is how long a bucket has no token that is full again at a time.
func waitOf(full, now int64, interval, depth time.Duration) time.Duration {
	return time.Duration(max(full, now)-now) + interval - depth
}

// take takes tokens from the store, and one of them away.
func (l *Limiter) take(ctx context.Context, name string, h *held, interval, depth time.Duration) (time.Duration, error) {
	e, err := l.kept.Get(ctx, name)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return 0, err
	}
	now := l.kept.Now() * int64(time.Millisecond)
	full, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil || time.Duration(full-now) > depth+interval { // none, or written under another rate
		full = now
	}
	full = max(full, now)
	h.full = full
	if wait := waitOf(full, now, interval, depth); wait > 0 {
		return wait, nil
	}
	n := min(max(depth/interval/chunkParts, 1), (depth-time.Duration(full-now))/interval)
	next := full + int64(n*interval)
	o := state.SetOptions{IfVersion: e.Version, IfAbsent: e.Version == 0, TTL: min(time.Duration(next-now)+time.Second, state.TTLMax)}
	if _, err := l.kept.Set(ctx, name, strconv.AppendInt(nil, next, 10), o); err != nil {
		return 0, err
	}
	h.full, h.tokens, h.until = next, int(n)-1, now+int64(n*interval)
	return 0, nil
}

// bucket is what is known of a bucket.
func (l *Limiter) bucket(name string) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[name]
	if h == nil {
		if len(l.held) >= heldMax {
			l.forget()
		}
		h = &held{turn: make(chan struct{}, 1)}
		l.held[name] = h
	}
	return h
}

// forget makes room: what is known of some buckets, at random. The store knows it too.
func (l *Limiter) forget() {
	for name := range l.held {
		if len(l.held) < heldMax*3/4 {
			return
		}
		delete(l.held, name)
	}
}
