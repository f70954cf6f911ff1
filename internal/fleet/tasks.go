package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Where the parts of the tasks lie in their namespace:
//
//	records/ID            the record of a task
//	servers/NAME          a server that is there, for as long as its lease
//	inbox/NAME/ID/NUMBER  what a server is told about a task
const (
	recordsPrefix = "records/"
	serversPrefix = "servers/"
	inboxPrefix   = "inbox/"
)

// Bounds of sharing.
const (
	leaseDefault = 10 * time.Second
	inboxTTL     = 10 * time.Minute // that a message waits for its server
	watchBuffer  = 4096
	storeTimeout = 10 * time.Second // of what nobody's call waits for
	watchPause   = 200 * time.Millisecond
)

// TaskOptions say how servers know of each other. The zero value works.
type TaskOptions struct {
	// Lease is how long a server counts as running after its last sign; 0 means ten
	// seconds. It gives three in that time.
	Lease time.Duration
	// Logger is told what cannot be shared; nil discards.
	Logger *slog.Logger
}

// Tasks keeps the tasks of several servers in the state that they share, where clients
// do not reach them. What is over its time to live is gone.
type Tasks struct {
	options TaskOptions
	open    func() (*state.Scoped, error)
}

var _ mcp.SharedTasks = (*Tasks)(nil)

// NewTasks keeps tasks in m, where statetools.NewTasks keeps those of one server.
func NewTasks(m state.Manager, o TaskOptions) *Tasks {
	if o.Lease <= 0 {
		o.Lease = leaseDefault
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Tasks{o, sync.OnceValues(func() (*state.Scoped, error) { return state.System(m, "tasks") })}
}

// Put implements mcp.TaskStore.
func (t *Tasks) Put(ctx context.Context, id string, record []byte, ttl time.Duration) error {
	kept, err := t.open()
	if err != nil {
		return err
	}
	_, err = kept.Set(ctx, recordsPrefix+id, record, state.SetOptions{TTL: ttl})
	return err
}

// Get implements mcp.TaskStore.
func (t *Tasks) Get(ctx context.Context, id string) ([]byte, error) {
	e, err := t.entry(ctx, id)
	return e.Value, err
}

func (t *Tasks) entry(ctx context.Context, id string) (state.Entry, error) {
	if id == "" {
		return state.Entry{}, mcp.ErrNoTask
	}
	kept, err := t.open()
	if err != nil {
		return state.Entry{}, err
	}
	e, err := kept.Get(ctx, recordsPrefix+id)
	if errors.Is(err, state.ErrNotFound) {
		err = mcp.ErrNoTask
	}
	return e, err
}

// Swap implements mcp.SharedTasks.
func (t *Tasks) Swap(ctx context.Context, id string, was, record []byte, ttl time.Duration) (bool, error) {
	e, err := t.entry(ctx, id)
	if errors.Is(err, mcp.ErrNoTask) || err == nil && !bytes.Equal(e.Value, was) {
		return false, nil
	}
	kept, openErr := t.open()
	if err = errors.Join(err, openErr); err != nil {
		return false, err
	}
	_, err = kept.Set(ctx, recordsPrefix+id, record, state.SetOptions{IfVersion: e.Version, TTL: ttl, KeepTTL: ttl == 0})
	if errors.Is(err, state.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// Send implements mcp.SharedTasks.
func (t *Tasks) Send(ctx context.Context, name, id string, message []byte) error {
	kept, err := t.open()
	if err != nil {
		return err
	}
	_, err = kept.Set(ctx, inboxPrefix+name+"/"+id+"/"+rand.Text(), message, state.SetOptions{TTL: inboxTTL})
	return err
}

// Joined implements mcp.SharedTasks.
func (t *Tasks) Joined(ctx context.Context, name string) (bool, error) {
	kept, err := t.open()
	if err != nil {
		return false, err
	}
	return kept.Exists(ctx, serversPrefix+name)
}

// Join implements mcp.SharedTasks. It runs two goroutines until leave.
func (t *Tasks) Join(hear func(id string, message []byte)) (string, func(), error) {
	kept, err := t.open()
	if err != nil {
		return "", nil, err
	}
	m := &member{tasks: t, kept: kept, name: rand.Text(), hear: hear}
	ctx, cancel := context.WithCancel(context.Background())
	w, err := kept.Watch(ctx, state.WatchOptions{Buffer: watchBuffer})
	if err == nil {
		if err = m.sign(ctx); err != nil {
			w.Close()
		}
	}
	if err != nil {
		cancel()
		return "", nil, err
	}
	var running sync.WaitGroup
	running.Go(func() { m.follow(ctx, w) })
	running.Go(func() { m.stay(ctx) })
	return m.name, func() {
		cancel()
		running.Wait()
		m.leave()
	}, nil
}

// member is a server that has joined.
type member struct {
	tasks *Tasks
	kept  *state.Scoped
	name  string

	hearing sync.Mutex // held while hear is called
	hear    func(id string, message []byte)
}

// sign says that the server is there.
func (m *member) sign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := m.kept.Set(ctx, serversPrefix+m.name, nil, state.SetOptions{TTL: m.tasks.options.Lease})
	return err
}

// leave takes the sign away. What cannot be removed ends by itself.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if _, _, err := m.kept.Delete(ctx, serversPrefix+m.name, state.DeleteOptions{}); err != nil {
		m.tasks.options.Logger.Debug("leaving the servers that share their tasks", "error", err)
	}
}

// stay signs until ctx ends, and takes messages whose events were missed.
func (m *member) stay(ctx context.Context) {
	ticker := time.NewTicker(m.tasks.options.Lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := m.sign(ctx)
		if err == nil {
			err = m.empty(ctx)
		}
		if err != nil && ctx.Err() == nil {
			m.tasks.options.Logger.Warn("other servers may take this one's tasks for ended: the state cannot be written", "error", err)
		}
	}
}

// follow hears of changes until ctx ends.
func (m *member) follow(ctx context.Context, w state.Watcher) {
	defer func() { w.Close() }()
	token := ""
	for {
		event, err := w.Next(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, state.ErrClosed):
			return
		case err != nil:
			m.tasks.options.Logger.Warn("changes of other servers' tasks are heard later: the state cannot be watched", "error", err)
			w = m.watchAgain(ctx, w, token)
		default:
			token = event.Token
			m.heard(ctx, event)
		}
	}
}

// watchAgain goes on behind token when the state can be reached again; w where ctx has
// ended before.
func (m *member) watchAgain(ctx context.Context, w state.Watcher, token string) state.Watcher {
	for {
		select {
		case <-ctx.Done():
			return w
		case <-time.After(watchPause):
		}
		next, err := m.kept.Watch(ctx, state.WatchOptions{Buffer: watchBuffer, Resume: token})
		if err == nil {
			w.Close()
			return next
		}
	}
}

// heard acts on an event.
func (m *member) heard(ctx context.Context, event state.Event) {
	var err error
	switch {
	case event.Key == "": // events are missing, or everything was replaced
		err = m.empty(ctx)
		m.tell("", nil)
	case strings.HasPrefix(event.Key, recordsPrefix):
		m.tell(event.Key[len(recordsPrefix):], nil)
	case strings.HasPrefix(event.Key, serversPrefix) && event.Kind != state.EventSet: // its tasks have failed
		m.tell("", nil)
	case strings.HasPrefix(event.Key, m.inbox()) && event.Kind == state.EventSet:
		err = m.take(ctx, event.Key)
	}
	if err != nil && ctx.Err() == nil {
		m.tasks.options.Logger.Warn("what another server said about a task is read later", "error", err)
	}
}

func (m *member) inbox() string { return inboxPrefix + m.name + "/" }

// empty takes all messages.
func (m *member) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for o := (state.ListOptions{Prefix: m.inbox()}); ; {
		page, err := m.kept.List(ctx, o)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := m.take(ctx, e.Key); err != nil {
				return err
			}
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			return nil
		}
	}
}

// take reads a message once, whoever else does.
func (m *member) take(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	e, err := m.kept.Get(ctx, key)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	_, deleted, err := m.kept.Delete(ctx, key, state.DeleteOptions{})
	if err != nil || !deleted {
		return err
	}
	id, _, ok := strings.Cut(key[len(m.inbox()):], "/")
	if !ok {
		return fmt.Errorf("the message %q names no task", key)
	}
	m.tell(id, e.Value)
	return nil
}

func (m *member) tell(id string, message []byte) {
	m.hearing.Lock()
	defer m.hearing.Unlock()
	m.hear(id, message)
}
