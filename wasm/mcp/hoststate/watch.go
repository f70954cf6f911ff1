package hoststate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/state"
)

// eventsMax is how many events are taken from the host at once.
const eventsMax = 256

// tokenPrefix begins every token; the version of the event follows.
const tokenPrefix = "v"

// Watch implements state.Manager.
func (m *Manager) Watch(_ context.Context, o state.WatchOptions) (state.Watcher, error) {
	if o.Resume != "" {
		version, ok := strings.CutPrefix(o.Resume, tokenPrefix)
		if _, err := strconv.ParseUint(version, 10, 64); !ok || err != nil {
			return nil, fmt.Errorf("%w: %.40q is no token of an event", state.ErrOptions, o.Resume)
		}
	}
	w := &watcher{manager: m, lagged: o.Resume != "", closed: make(chan struct{})}
	r := request{op: opWatch, a: uint32(len(o.Prefix)), b: uint32(o.Buffer)}
	if o.Values {
		r.c = 1
	}
	if err := m.call(r, about(o.Prefix), func(r *reply) { w.handle = uint32(r.result) }); err != nil {
		return nil, err
	}
	return w, nil
}

// watcher is one of the host's. Next is for one goroutine at a time.
type watcher struct {
	manager *Manager
	handle  uint32
	closed  chan struct{}
	once    sync.Once

	lagged bool           // the first event is to be EventLagged
	held   []engine.Event // taken from the host and not handed out yet
	last   uint64         // the version of the last change that was told
}

// Next implements state.Watcher.
func (w *watcher) Next(ctx context.Context) (state.Event, error) {
	if w.lagged {
		w.lagged = false
		return w.told(engine.Event{Kind: state.EventLagged}), nil
	}
	for len(w.held) == 0 {
		change := w.manager.change() // asked for before the host is: none is missed
		if err := w.fill(); err != nil {
			return state.Event{}, err
		}
		if len(w.held) > 0 {
			break
		}
		select {
		case <-change:
		case <-w.closed:
			return state.Event{}, state.ErrClosed
		case <-ctx.Done():
			return state.Event{}, ctx.Err()
		}
	}
	event := w.held[0]
	w.held = w.held[1:]
	return w.told(event), nil
}

// told is the event with its token.
func (w *watcher) told(event engine.Event) state.Event {
	if event.Version != 0 {
		w.last = event.Version
	}
	return state.Event{Event: event, Token: tokenPrefix + strconv.FormatUint(w.last, 10)}
}

// fill takes the events that wait.
func (w *watcher) fill() error {
	select {
	case <-w.closed:
		return state.ErrClosed
	default:
	}
	return w.manager.call(request{op: opPoll, a: w.handle, b: eventsMax}, nil, func(r *reply) {
		c := &r.body
		for range c.count(eventHead) {
			e := engine.Event{Kind: state.EventKind(c.u32()), Lost: int(c.u32())}
			keyBytes, valueBytes := c.u32(), c.u32()
			e.Version, e.ExpiresAt = c.u64(), int64(c.u64())
			e.Key = string(c.take(keyBytes))
			if value := c.take(valueBytes); len(value) > 0 {
				e.Value = append([]byte{}, value...)
			}
			w.held = append(w.held, e)
		}
	})
}

// Close implements state.Watcher. A second Close does nothing.
func (w *watcher) Close() {
	w.once.Do(func() {
		close(w.closed)
		// The host has closed it already where this fails.
		_ = w.manager.call(request{op: opUnwatch, a: w.handle}, nil, nil)
	})
}
