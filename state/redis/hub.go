package redis

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

const (
	streamBlock = 2 * time.Second // how long a server waits for events
	streamCount = 500             // events of one answer
)

// hub reads the streams of all buckets for the watchers of this process, on a
// connection for each, while there are any.
type hub struct {
	m *Manager

	mu        sync.Mutex
	watchers  map[*watcher]struct{}
	positions []uint64           // the last event that was handed out, of each bucket
	stop      context.CancelFunc // nil while it does not read
	readers   *sync.WaitGroup
	closed    bool
}

func (h *hub) init(m *Manager) {
	h.m, h.watchers = m, map[*watcher]struct{}{}
}

// join lets a watcher hear of all that is handed out from now on. It returns up to
// where the watcher has to read by itself what came before.
func (h *hub) join(ctx context.Context, w *watcher) (behind []uint64, err error) {
	h.mu.Lock()
	running := h.stop != nil
	h.mu.Unlock()
	var now []uint64
	if !running {
		if now, err = h.m.positions(ctx); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, state.ErrClosed
	}
	if h.stop == nil {
		if now == nil { // the last watcher left meanwhile
			now = append(now, h.positions...)
		}
		h.start(now)
	}
	w.catches = true
	h.watchers[w] = struct{}{}
	return append([]uint64(nil), h.positions...), nil
}

// start begins to read behind the positions. leave and close are its partners.
func (h *hub) start(positions []uint64) {
	h.positions = positions
	ctx, cancel := context.WithCancel(h.m.ctx)
	h.stop, h.readers = cancel, &sync.WaitGroup{}
	for _, b := range h.m.buckets {
		h.readers.Go(func() { h.read(ctx, b) })
	}
}

// leave takes a watcher away, and ends the reading when it was the last.
func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	delete(h.watchers, w)
	stop, readers := h.stop, h.readers
	if len(h.watchers) > 0 || stop == nil {
		h.mu.Unlock()
		return
	}
	h.stop = nil
	h.mu.Unlock()
	stop()
	readers.Wait()
}

// close ends all watchers.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	watchers := h.watchers
	h.watchers = map[*watcher]struct{}{}
	stop, readers := h.stop, h.readers
	h.stop = nil
	h.mu.Unlock()
	for w := range watchers {
		w.shut()
	}
	if stop != nil {
		stop()
		readers.Wait()
	}
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

// read hands out the events of a bucket until ctx ends. When the server cannot be
// reached it tries again; what it misses then shows in the next event.
func (h *hub) read(ctx context.Context, b *bucket) {
	h.mu.Lock()
	position := h.positions[b.number]
	h.mu.Unlock()
	pause := retryPauseMin
	for ctx.Err() == nil {
		changes, err := h.m.await(ctx, b, position)
		if err != nil {
			if h.m.pause(ctx, pause) != nil {
				return
			}
			pause = min(2*pause, retryPauseMax)
			continue
		}
		pause = retryPauseMin
		if len(changes) == 0 {
			continue
		}
		position = changes[len(changes)-1].version
		for i := range changes { // who hears of a change reads no older entry
			h.m.learn(b.entries+changes[i].key, 0)
		}
		h.mu.Lock()
		if ctx.Err() == nil {
			h.positions[b.number] = position
			for w := range h.watchers {
				w.offer(changes)
			}
		}
		h.mu.Unlock()
	}
}

// await reads events behind a position, and waits a while for the first.
func (m *Manager) await(ctx context.Context, b *bucket, after uint64) ([]change, error) {
	// A context with a deadline would bound the connection instead of the call, which
	// then no cancellation ends.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(streamBlock+m.o.Timeout, cancel).Stop()
	id := strconv.FormatUint(after, 10)
	reply, err := m.client.Do(ctx, m.client.B().Xread().Count(streamCount).Block(streamBlock.Milliseconds()).Streams().Key(b.stream).Id(id).Build()).AsXRead()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseChanges(b, reply[b.stream]), nil
}

// changes reads events behind a position, at most up to another.
func (m *Manager) changes(ctx context.Context, b *bucket, after, until uint64) ([]change, error) {
	var found []rueidis.XRangeEntry
	err := m.attempt(ctx, b, false, func() (err error) {
		least, most := "("+strconv.FormatUint(after, 10), strconv.FormatUint(until, 10)
		found, err = m.client.Do(ctx, m.client.B().Xrange().Key(b.stream).Start(least).End(most).Count(streamCount).Build()).AsXRange()
		return err
	})
	return parseChanges(b, found), err
}

// parseChanges reads entries of a stream. What is none is left out; the next one shows
// that it is missing.
func parseChanges(b *bucket, entries []rueidis.XRangeEntry) []change {
	changes := make([]change, 0, len(entries))
	for _, e := range entries {
		c := change{bucket: b.number, key: e.FieldValues["k"]}
		c.value, c.whole = e.FieldValues["v"]
		id, _, _ := strings.Cut(e.ID, "-")
		head := strings.Fields(e.FieldValues["h"])
		if len(head) != 3 {
			continue
		}
		version, err1 := strconv.ParseUint(id, 10, 64)
		kind, err2 := strconv.ParseUint(head[0], 10, 8)
		ends, err3 := strconv.ParseInt(head[1], 10, 64)
		previous, err4 := strconv.ParseUint(head[2], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
			continue
		}
		c.version, c.kind, c.ends, c.previous = version, state.EventKind(kind), ends, previous
		changes = append(changes, c)
	}
	return changes
}
