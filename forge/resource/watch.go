package resource

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Bounds of watching.
const (
	interval    = time.Second      // between two looks at the files
	stampsMax   = 10_000           // files that are watched
	watchBuffer = 4096             // events of the state
	startTime   = 10 * time.Second // that a client may take to listen once it was allowed to
)

// Watcher tells the clients of a server of changes of resources: of keys at once, of
// files within a second. It looks only while somebody listens.
type Watcher struct {
	server *mcp.Server
	state  state.Manager
	with   func(do func(*Set))
	logger *slog.Logger

	mu     sync.Mutex
	stamps map[string]watched // by URI
}

// watched is what a file looked like when it was looked at.
type watched struct {
	stamp stamp
	since time.Time
}

// NewWatcher makes a watcher of resources. with calls do with those that there are now,
// and keeps them open meanwhile; where there are none it does not.
func NewWatcher(m state.Manager, with func(do func(*Set)), logger *slog.Logger) *Watcher {
	return &Watcher{state: m, with: with, logger: logger, stamps: map[string]watched{}}
}

// Serve says whose clients are told. It is called once, before anybody listens.
func (w *Watcher) Serve(server *mcp.Server) { w.server = server }

// AllowListen is for mcp.Options: it refuses to listen to resources whose changes are
// not told.
func (w *Watcher) AllowListen(ctx context.Context, uri string) (err error) {
	w.with(func(s *Set) { err = w.allow(ctx, s, uri) })
	return err
}

func (w *Watcher) allow(ctx context.Context, set *Set, uri string) error {
	e, at := set.find(uri)
	if e == nil {
		return nil // of a module, or none
	}
	if err := set.options.Allow(ctx); err != nil {
		return err
	}
	if !e.config.Subscribe {
		return fmt.Errorf("nobody tells of changes of %.200q: it does not support subscribe", uri)
	}
	s, ok := e.source.(stamper)
	if !ok {
		return nil
	}
	now := s.stamp(at) // before the client listens, so that it misses nothing
	listened := slices.Contains(w.server.ListenedTo(), uri)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.stamps[uri]
	switch {
	case known && listened: // whoever listens already has yet to be told of what differs
	case !known && len(w.stamps) >= stampsMax:
		return fmt.Errorf("%d files are listened to, and no more can be", stampsMax)
	default:
		w.stamps[uri] = watched{now, time.Now()}
	}
	return nil
}

// OnListen is for mcp.Options: it watches until stop is called, which waits for what
// runs.
func (w *Watcher) OnListen() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	keys, err := w.state.Watch(ctx, state.WatchOptions{Buffer: watchBuffer})
	if err != nil {
		w.logger.Error("clients are not told of changes of the state", "error", err)
	} else {
		running.Go(func() { w.follow(ctx, keys) })
	}
	running.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.with(w.look)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.forget(nil)
	}
}

// follow tells of changes of keys until ctx or the state ends.
func (w *Watcher) follow(ctx context.Context, keys state.Watcher) {
	defer keys.Close()
	for {
		event, err := keys.Next(ctx)
		if err != nil {
			return
		}
		w.with(func(set *Set) {
			for _, e := range set.entries {
				if s, ok := e.source.(*stateSource); ok && e.config.Subscribe {
					w.tell(s, event.Key)
				}
			}
		})
	}
}

// tell tells of a change of a key, in each spelling that a client may listen to.
func (w *Watcher) tell(s *stateSource, key string) {
	switch {
	case key == "": // events are missing, or everything was replaced
		w.server.ResourcesUpdated(s.entry.before())
	case len(key) > len(s.prefix) && key[:len(s.prefix)] == s.prefix:
		for _, uri := range s.entry.spelled(key[len(s.prefix):]) {
			w.server.ResourceUpdated(uri)
		}
	}
}

// look looks at the files that somebody listens to.
func (w *Watcher) look(set *Set) {
	uris := w.server.ListenedTo()
	heard := make(map[string]bool, len(uris))
	for _, uri := range uris {
		e, at := set.find(uri)
		if e == nil || !e.config.Subscribe {
			continue
		}
		s, ok := e.source.(stamper)
		if !ok {
			continue
		}
		heard[uri] = true
		now := s.stamp(at)
		w.mu.Lock()
		before, known := w.stamps[uri]
		if known || len(w.stamps) < stampsMax {
			w.stamps[uri] = watched{now, time.Now()}
		}
		w.mu.Unlock()
		if known && before.stamp.changed(now) {
			w.server.ResourceUpdated(uri)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(heard)
}

// forget drops the stamps of files that nobody listens to, but for those that somebody
// is about to. w.mu is held.
func (w *Watcher) forget(heard map[string]bool) {
	for uri, s := range w.stamps {
		if !heard[uri] && time.Since(s.since) > startTime {
			delete(w.stamps, uri)
		}
	}
}
