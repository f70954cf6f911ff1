package engine

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/internal/message"
)

// WatchBufferMax is the largest buffer of a watcher, in events.
const WatchBufferMax = 1 << 20

// watchBufferDefault is the buffer when WatchOptions names none, in events.
const watchBufferDefault = 1024

// watchersMax bounds the watchers of a store: each costs every writer a look.
const watchersMax = 65_536

// EventKind says what happened to a key.
type EventKind uint8

// The kinds of event.
const (
	EventSet    EventKind = iota + 1 // a value or an expiry was written
	EventDelete                      // the key was removed
	EventExpire                      // the key's time was over
	EventReset                       // the store was restored: read anew
	EventLagged                      // the reader was slow: Lost events are gone
	EventEvict                       // the key made room for others
)

// String is the kind's name in lower case, as the other languages show it.
func (k EventKind) String() string {
	names := [...]string{"none", "set", "delete", "expire", "reset", "lagged", "evict"}
	if int(k) < len(names) {
		return names[k]
	}
	return message.Sprintf("kind %d", uint8(k))
}

// Event tells of one change. Value is shared by all watchers: read it, never
// write it. It is nil unless WatchOptions.Values asked for it.
type Event struct {
	Kind  EventKind
	Key   string
	Value []byte
	Lost  int // with EventLagged: how many events were dropped
	Meta
}

// WatchOptions choose what a watcher hears.
type WatchOptions struct {
	// Prefix limits events to keys that begin with it; empty is all keys.
	Prefix string
	// Buffer is how many events wait for a slow reader, at most
	// WatchBufferMax; 0 means 1024. Beyond it the oldest are dropped, and the
	// reader gets EventLagged in their place.
	Buffer int
	// Values asks for the values with EventSet.
	Values bool
}

// Watcher hands out the events of a prefix: those of one key in the order of
// their versions. It starts no goroutine. Close releases it.
type Watcher struct {
	store    *Store
	prefix   string
	values   bool
	capacity int
	ready    chan struct{} // holds a token when there is something to read

	mu     sync.Mutex
	buffer []Event // guarded by mu: events wait from head on
	head   int     // guarded by mu
	lost   int     // guarded by mu: dropped and not yet told
	closed bool    // guarded by mu
}

// watchers is the store's list of watchers; nobody watching costs a writer one
// atomic load.
type watchers struct {
	list atomic.Pointer[[]*Watcher]
	mu   sync.Mutex // guards the replacement of list
}

// Watch starts to hear of changes from now on. Errors: ErrOptions, ErrClosed.
func (s *Store) Watch(o WatchOptions) (*Watcher, error) {
	if o.Buffer < 0 || o.Buffer > WatchBufferMax || len(o.Prefix) > KeyBytesMax {
		return nil, message.Errorf("%w: a watch buffer is 0 to %d events, a prefix at most %d bytes", ErrOptions, WatchBufferMax, KeyBytesMax)
	}
	if o.Buffer == 0 {
		o.Buffer = watchBufferDefault
	}
	w := &Watcher{store: s, prefix: o.Prefix, values: o.Values, capacity: o.Buffer, ready: make(chan struct{}, 1)}
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	var list []*Watcher
	if old := s.watchers.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if len(list) >= watchersMax {
		return nil, message.Errorf("%w: a store has at most %d watchers", ErrOptions, watchersMax)
	}
	list = append(list, w)
	s.watchers.list.Store(&list)
	return w, nil
}

// Next waits for the next event. It returns ErrWatcherClosed once the watcher
// is closed and read empty, or the context's error.
func (w *Watcher) Next(ctx context.Context) (Event, error) {
	for {
		e, ok, closed := w.take()
		if ok {
			return e, nil
		}
		if closed {
			return Event{}, ErrWatcherClosed
		}
		select {
		case <-ctx.Done():
			return Event{}, ctx.Err()
		case <-w.ready:
		}
	}
}

// Poll appends the waiting events to dst, at most max of them (0 means all),
// and never waits. It is Next for builds in which nothing can wait.
func (w *Watcher) Poll(dst []Event, max int) []Event {
	for n := 0; max <= 0 || n < max; n++ {
		e, ok, _ := w.take()
		if !ok {
			break
		}
		dst = append(dst, e)
	}
	return dst
}

// Close ends the watcher. Events that wait can still be read.
func (w *Watcher) Close() {
	w.store.watchers.remove(w)
	w.end()
}

// take removes the oldest event, the notice of lost ones first.
func (w *Watcher) take() (e Event, ok, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.lost > 0:
		e, ok = Event{Kind: EventLagged, Lost: w.lost}, true
		w.lost = 0
	case len(w.buffer) > w.head:
		e, ok = w.buffer[w.head], true
		w.buffer[w.head] = Event{}
		w.head++
		if w.head == len(w.buffer) {
			w.buffer, w.head = w.buffer[:0], 0
		}
	}
	return e, ok, w.closed
}

// put adds an event, dropping the oldest when the buffer is full.
func (w *Watcher) put(e Event) {
	w.mu.Lock()
	if len(w.buffer)-w.head == w.capacity {
		w.buffer[w.head] = Event{}
		w.head++
		w.lost++
	}
	if w.head > 0 && 2*w.head >= len(w.buffer) { // at most half is copied: constant cost per event
		n := copy(w.buffer, w.buffer[w.head:])
		clear(w.buffer[n:])
		w.buffer, w.head = w.buffer[:n], 0
	}
	w.buffer = append(w.buffer, e)
	w.mu.Unlock()
	w.signal()
}

// signal leaves a token for one waiting Next.
func (w *Watcher) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// end marks the watcher closed and wakes its reader.
func (w *Watcher) end() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
}

// emit hands an event to every watcher of its key. The caller holds the key's
// shard, which is what keeps the events of one key in order.
func (ws *watchers) emit(e Event) {
	if list := ws.list.Load(); list != nil {
		ws.deliver(*list, e)
	}
}

// emitSet is emit of an EventSet, which is made only when somebody watches.
func (ws *watchers) emitSet(key string, value []byte, meta Meta) {
	if list := ws.list.Load(); list != nil {
		ws.deliver(*list, Event{Kind: EventSet, Key: key, Value: value, Meta: meta})
	}
}

// deliver copies what the event shares with the caller, once for all, and hands
// it out.
func (ws *watchers) deliver(list []*Watcher, e Event) {
	value, copied := e.Value, false
	e.Key = strings.Clone(e.Key)
	e.Value = nil
	for _, w := range list {
		if e.Kind != EventReset && !strings.HasPrefix(e.Key, w.prefix) {
			continue
		}
		if w.values && !copied {
			value, copied = append(make([]byte, 0, len(value)), value...), true
		}
		told := e
		if w.values && e.Kind == EventSet {
			told.Value = value
		}
		w.put(told)
	}
}

func (ws *watchers) remove(w *Watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	old := ws.list.Load()
	if old == nil {
		return
	}
	list := slices.DeleteFunc(slices.Clone(*old), func(o *Watcher) bool { return o == w })
	if len(list) == 0 {
		ws.list.Store(nil)
		return
	}
	ws.list.Store(&list)
}

func (ws *watchers) closeAll() {
	ws.mu.Lock()
	old := ws.list.Swap(nil)
	ws.mu.Unlock()
	if old == nil {
		return
	}
	for _, w := range *old {
		w.end()
	}
}

func (ws *watchers) count() int {
	if list := ws.list.Load(); list != nil {
		return len(*list)
	}
	return 0
}
