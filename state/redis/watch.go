package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

// tokenHead begins every token; the version of the last event of each bucket follows,
// in base 36, with points between them.
const tokenHead = "r"

const watchBufferMax = 1 << 20

// change is an entry of a stream. Each names the one before it in its bucket, so that
// a reader sees where some are missing.
type change struct {
	bucket   int
	version  uint64
	previous uint64
	kind     state.EventKind
	key      string
	value    string
	whole    bool // value is there
	ends     int64
}

// token writes down how far a watcher has read.
func token(positions []uint64) string {
	text := []byte(tokenHead)
	for i, p := range positions {
		if i > 0 {
			text = append(text, '.')
		}
		text = strconv.AppendUint(text, p, 36)
	}
	return string(text)
}

// parseToken reads a token of a store with so many buckets.
func parseToken(text string, buckets int) ([]uint64, error) {
	rest, ok := strings.CutPrefix(text, tokenHead)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != buckets {
		return nil, optionsError("%.40q is no token of an event of this store", text)
	}
	positions := make([]uint64, buckets)
	for i, part := range parts {
		var err error
		if positions[i], err = strconv.ParseUint(part, 36, 53); err != nil {
			return nil, optionsError("%.40q is no token of an event", text)
		}
	}
	return positions, nil
}

// positions are the versions of the last events of all buckets.
func (m *Manager) positions(ctx context.Context) ([]uint64, error) {
	positions := make([]uint64, len(m.buckets))
	err := each(m.buckets, func(b *bucket) error {
		err := m.attempt(ctx, b, false, func() error {
			text, err := m.client.Do(ctx, m.client.B().Hget().Key(b.meta).Field("v").Build()).ToString()
			if err == nil {
				positions[b.number], err = strconv.ParseUint(text, 10, 64)
			}
			return err
		})
		if rueidis.IsRedisNil(err) {
			return nil
		}
		return err
	})
	return positions, err
}

// Watch implements state.Manager. Events of one key come in order; those of keys in
// different buckets of a cluster come in any. Where a value is longer than
// Options.StreamValueBytes, the watcher reads it when its turn comes: an event whose
// value was replaced meanwhile then comes as the later one. A token resumes until its
// place has left the stream (Options.StreamEvents); then EventLagged comes first.
func (m *Manager) Watch(ctx context.Context, o state.WatchOptions) (state.Watcher, error) {
	if m.closed.Load() {
		return nil, state.ErrClosed
	}
	if o.Buffer < 0 || o.Buffer > watchBufferMax {
		return nil, fmt.Errorf("%w: Buffer is %d: it is 0 to %d", state.ErrOptions, o.Buffer, watchBufferMax)
	}
	var from []uint64
	var err error
	if o.Resume == "" {
		from, err = m.positions(ctx)
	} else {
		from, err = parseToken(o.Resume, len(m.buckets))
	}
	if err != nil {
		return nil, err
	}
	w := &watcher{
		m: m, prefix: o.Prefix, values: o.Values, buffer: first(o.Buffer, 1024),
		wake: make(chan struct{}, 1), seen: from, told: append([]uint64(nil), from...), ahead: map[string]uint64{},
	}
	behind, err := m.hub.join(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := w.catchUp(ctx, behind); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// watcher is a state.Watcher of one process; the hub feeds it.
type watcher struct {
	m      *Manager
	prefix string
	values bool
	buffer int
	wake   chan struct{} // has room for one: something is new

	mu      sync.Mutex
	seen    []uint64 // the last event that came, of each bucket
	held    []change // what came while catching up; nil afterwards
	catches bool
	queue   []change // what waits for the reader
	lagged  bool     // events were lost before the queue
	lost    int      // how many of them were dropped here
	unknown bool     // others are missing too
	closed  bool

	told  []uint64          // how far the reader has come, of each bucket; the reader's
	ahead map[string]uint64 // versions that were told before their turn; the reader's
}

// offer gives the watcher the next changes of a bucket.
func (w *watcher) offer(changes []change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.catches {
		w.held = append(w.held, changes...)
		if over := len(w.held) - w.buffer; over > 0 {
			w.held = w.held[over:] // the place that is missing shows later
		}
		return
	}
	w.take(changes)
}

// take puts changes into the queue.
func (w *watcher) take(changes []change) {
	for i := range changes {
		c := &changes[i]
		if c.version <= w.seen[c.bucket] {
			continue
		}
		if c.previous != w.seen[c.bucket] {
			w.miss(0)
		}
		w.seen[c.bucket] = c.version
		if !strings.HasPrefix(c.key, w.prefix) {
			continue
		}
		if len(w.queue) >= w.buffer {
			w.queue = w.queue[1:]
			w.miss(1)
		}
		w.queue = append(w.queue, *c)
	}
	if w.closed {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// miss notes that events are missing; 0 is that nobody knows how many. What waits is
// older than the gap and newer than nothing: it goes too.
func (w *watcher) miss(count int) {
	w.lagged = true
	if count == 0 {
		w.unknown = true
		w.queue = nil
	}
	w.lost += count
}

// catchUp reads what came between the token of the watcher and the hub.
func (w *watcher) catchUp(ctx context.Context, until []uint64) error {
	for number, b := range w.m.buckets {
		for w.position(number) < until[number] {
			changes, err := w.m.changes(ctx, b, w.position(number), until[number])
			if err != nil {
				return err
			}
			w.mu.Lock()
			if len(changes) == 0 { // they are gone
				w.miss(0)
				w.seen[number] = until[number]
			}
			w.take(changes)
			w.mu.Unlock()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catches = false
	w.take(w.held)
	w.held = nil
	return nil
}

func (w *watcher) position(bucket int) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[bucket]
}

// Next implements state.Watcher.
func (w *watcher) Next(ctx context.Context) (state.Event, error) {
	for {
		if c, event, ok := w.first(); ok {
			if c == nil {
				return event, nil
			}
			event, ok, err := w.event(ctx, c)
			if err != nil {
				w.putBack(c)
				return state.Event{}, err
			}
			if ok {
				return event, nil
			}
			continue
		}
		w.mu.Lock()
		closed := w.closed && len(w.queue) == 0
		w.mu.Unlock()
		if closed {
			return state.Event{}, state.ErrClosed
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return state.Event{}, ctx.Err()
		}
	}
}

// first takes what is first in the queue, or the event that says what is missing.
func (w *watcher) first() (*change, state.Event, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lagged {
		var e state.Event
		e.Kind, e.Lost = state.EventLagged, w.lost
		if w.unknown {
			e.Lost = 0
			copy(w.told, w.seen)
			clear(w.ahead)
		}
		w.lagged, w.lost, w.unknown = false, 0, false
		e.Token = token(w.told)
		return nil, e, true
	}
	if len(w.queue) == 0 {
		return nil, state.Event{}, false
	}
	c := w.queue[0]
	w.queue = w.queue[1:]
	return &c, state.Event{}, true
}

// putBack makes a change first again that could not be told.
func (w *watcher) putBack(c *change) {
	w.mu.Lock()
	w.queue = append([]change{*c}, w.queue...)
	w.mu.Unlock()
}

// event is what a change tells the reader; false when it was told already, or when
// the next one of the key says more.
func (w *watcher) event(ctx context.Context, c *change) (state.Event, bool, error) {
	if ahead, ok := w.ahead[c.key]; ok {
		if c.version >= ahead {
			delete(w.ahead, c.key)
		}
		if c.version <= ahead {
			w.told[c.bucket] = c.version
			return state.Event{}, false, nil
		}
	}
	var e state.Event
	e.Kind, e.Key, e.Version, e.ExpiresAt = c.kind, c.key, c.version, c.ends
	if w.values && c.kind == state.EventSet {
		e.Value = []byte(c.value)
		if !c.whole {
			entry, err := w.m.uncached(ctx, c.key)
			if errors.Is(err, state.ErrNotFound) || err == nil && entry.Version < c.version {
				w.told[c.bucket] = c.version
				return state.Event{}, false, nil // its removal is the next event of the key
			}
			if err != nil {
				return state.Event{}, false, err
			}
			e.Value, e.Meta = entry.Value, entry.Meta
			if entry.Version > c.version {
				w.ahead[c.key] = entry.Version
			}
		}
	}
	w.told[c.bucket] = c.version
	e.Token = token(w.told)
	return e, true, nil
}

// Close implements state.Watcher.
func (w *watcher) Close() {
	w.m.hub.leave(w)
	w.shut()
}

// shut ends the watcher; what waits can still be read.
func (w *watcher) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.wake)
	}
}
