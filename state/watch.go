package state

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/ingot-run/ingot/engine"
)

// tokenPrefix begins every token of the embedded backends; the version of the
// event follows.
const tokenPrefix = "v"

// Watch implements Manager. The embedded backends keep no events that nobody
// waits for, so a watcher that resumes begins with EventLagged.
func (e *Embedded) Watch(_ context.Context, o WatchOptions) (Watcher, error) {
	if o.Resume != "" {
		version, ok := strings.CutPrefix(o.Resume, tokenPrefix)
		if _, err := strconv.ParseUint(version, 10, 64); !ok || err != nil {
			return nil, fmt.Errorf("%w: %.40q is no token of an event", ErrOptions, o.Resume)
		}
	}
	w, err := e.store.Watch(engine.WatchOptions{Prefix: o.Prefix, Buffer: o.Buffer, Values: o.Values})
	if err != nil {
		return nil, translate(err)
	}
	watcher := &embeddedWatcher{Watcher: w}
	watcher.lagged.Store(o.Resume != "")
	return watcher, nil
}

// embeddedWatcher is a Watcher on the engine's.
type embeddedWatcher struct {
	*engine.Watcher
	lagged atomic.Bool // the first event is to be EventLagged
	last   atomic.Uint64
}

// Next implements Watcher.
func (w *embeddedWatcher) Next(ctx context.Context) (Event, error) {
	if w.lagged.Load() && w.lagged.CompareAndSwap(true, false) {
		return w.told(engine.Event{Kind: EventLagged}), nil
	}
	event, err := w.Watcher.Next(ctx)
	if err != nil {
		return Event{}, translate(err)
	}
	return w.told(event), nil
}

// told is the event with its token: the version of the last change that was told.
func (w *embeddedWatcher) told(event engine.Event) Event {
	if event.Version != 0 {
		w.last.Store(event.Version)
	}
	return Event{Event: event, Token: tokenPrefix + strconv.FormatUint(w.last.Load(), 10)}
}
