package hoststate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ingot-run/ingot/state"
)

// Host has the store.
type Host interface {
	// Call does what request says and appends the reply to reply. It keeps nothing
	// of both. It is called from one goroutine at a time.
	Call(request, reply []byte) []byte
	// Now is the store's time in Unix milliseconds.
	Now() int64
}

// bufferKept is the largest buffer in bytes that is kept between calls.
const bufferKept = 1 << 20

// Manager is the state.Manager on a Host.
type Manager struct {
	host     Host
	readOnly bool

	mu      sync.Mutex
	request []byte // guarded by mu, as is what follows
	reply   []byte
	closed  bool
	changed chan struct{} // closed, and replaced, when the store has changed
}

var _ state.Manager = (*Manager)(nil)

// New makes the Manager of a host's store. One that is readOnly refuses writes with
// state.ErrReadOnly, whatever the store would say.
func New(host Host, readOnly bool) *Manager {
	return &Manager{host: host, readOnly: readOnly, changed: make(chan struct{})}
}

// errReadOnly is the refusal of a write by a Manager that is read-only.
var errReadOnly = fmt.Errorf("%w: this server may not write", state.ErrReadOnly)

// Changed says that the store may have changed: watchers look for events.
func (m *Manager) Changed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

// change is closed at the next change.
func (m *Manager) change() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// call asks the host. body appends what follows the request's head; read, which
// may be nil, takes what the host answered and keeps nothing of it.
func (m *Manager) call(r request, body func([]byte) []byte, read func(*reply)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return state.ErrClosed
	}
	if m.readOnly && r.writes() {
		return errReadOnly
	}
	m.request = r.append(m.request[:0])
	if body != nil {
		m.request = body(m.request)
	}
	m.reply = m.host.Call(m.request, m.reply[:0])
	c := cursor{rest: m.reply}
	answer := reply{result: int32(c.u32()), r0: c.u64(), r1: c.u64()}
	answer.body = c
	err := outcome(&answer, read)
	if cap(m.request) > bufferKept {
		m.request = nil
	}
	if cap(m.reply) > bufferKept {
		m.reply = nil
	}
	return err
}

// outcome is the error of an answer, or nil after read has taken it.
func outcome(answer *reply, read func(*reply)) error {
	switch {
	case answer.body.broken:
		return errReply
	case answer.result < 0 && answer.result != codeAbsent:
		return errorOf(answer)
	case read != nil:
		read(answer)
	}
	if answer.body.broken {
		return errReply
	}
	return nil
}

// about is the body of an operation on one key.
func about(key string) func([]byte) []byte {
	return func(out []byte) []byte { return append(out, key...) }
}

// store is the body of an operation that stores a value.
func store(key string, value []byte) func([]byte) []byte {
	return func(out []byte) []byte { return append(append(out, key...), value...) }
}

// named gives a conflict the key that it is about.
func named(err error, key string) error {
	if c, ok := errors.AsType[*state.ConflictError](err); ok {
		c.Key = key
	}
	return err
}

// check refuses a key that must not even be sent: the engine's own errors are about
// those that fit its requests.
func check(key string) error {
	if key == "" || len(key) > state.KeyBytesMax {
		return state.ErrKey
	}
	return nil
}

// Get implements state.Manager.
func (m *Manager) Get(ctx context.Context, key string) (state.Entry, error) {
	value, meta, err := m.AppendGet(ctx, nil, key)
	if err != nil {
		return state.Entry{}, err
	}
	if value == nil {
		value = []byte{}
	}
	return state.Entry{Value: value, Meta: meta}, nil
}

// AppendGet implements state.Manager.
func (m *Manager) AppendGet(_ context.Context, dst []byte, key string) (out []byte, meta state.Meta, err error) {
	out, found := dst, false
	err = m.call(request{op: opGet, a: uint32(len(key))}, about(key), func(r *reply) {
		if found = r.result != codeAbsent; found {
			out = append(out, r.body.rest...)
			meta = state.Meta{Version: r.r0, ExpiresAt: int64(r.r1)}
		}
	})
	if err == nil && !found {
		err = state.ErrNotFound
	}
	return out, meta, err
}

// Exists implements state.Manager.
func (m *Manager) Exists(_ context.Context, key string) (found bool, err error) {
	err = m.call(request{op: opExists, a: uint32(len(key))}, about(key), func(r *reply) { found = r.result == 1 })
	return found, err
}

// GetMany implements state.Manager. The host ends a long reply early.
func (m *Manager) GetMany(_ context.Context, keys []string) ([]state.Entry, error) {
	entries := make([]state.Entry, 0, len(keys))
	for len(entries) < len(keys) {
		before := len(entries)
		err := m.call(request{op: opGetMany}, appendKeys(keys[before:]), func(r *reply) {
			for range r.body.count(getHead) {
				size := r.body.u32()
				e := state.Entry{Meta: state.Meta{Version: r.body.u64(), ExpiresAt: int64(r.body.u64())}}
				if value := r.body.take(size); e.Found() {
					e.Value = append([]byte{}, value...)
				}
				entries = append(entries, e)
			}
		})
		if err != nil {
			return nil, err
		}
		if len(entries) == before || len(entries) > len(keys) {
			return nil, errReply
		}
	}
	return entries, nil
}

func appendKeys(keys []string) func([]byte) []byte {
	return func(out []byte) []byte {
		for _, key := range keys {
			out = append(appendU32(out, uint32(len(key))), key...)
		}
		return out
	}
}

// List implements state.Manager. A cursor is the last key of the page before.
func (m *Manager) List(_ context.Context, o state.ListOptions) (page state.Page, err error) {
	if o.Limit < 0 || o.Limit > state.ListLimitMax {
		return page, state.ErrOptions
	}
	r := request{op: opList, a: uint32(len(o.Prefix)), b: uint32(len(o.Cursor)), c: uint32(o.Limit)}
	if o.Values {
		r.d = 1
	}
	body := func(out []byte) []byte { return append(append(out, o.Prefix...), o.Cursor...) }
	err = m.call(r, body, func(r *reply) {
		head := r.body.take(8)
		if r.body.broken {
			return
		}
		counts := cursor{rest: head}
		n, nextBytes := counts.u32(), counts.u32()
		for i := uint32(0); i < n && !r.body.broken; i++ {
			page.Entries = append(page.Entries, listEntry(&r.body, o.Values))
		}
		page.Next = string(r.body.take(nextBytes))
	})
	return page, err
}

// listEntry reads an entry of a page.
func listEntry(c *cursor, values bool) (e state.ListEntry) {
	keyBytes, valueBytes := c.u32(), c.u32()
	e.Version, e.ExpiresAt, e.Size = c.u64(), int64(c.u64()), int(valueBytes)
	e.Key = string(c.take(keyBytes))
	if values {
		e.Value = append([]byte{}, c.take(valueBytes)...)
	}
	return e
}

// Set implements state.Manager.
func (m *Manager) Set(_ context.Context, key string, value []byte, o state.SetOptions) (version uint64, err error) {
	if err := check(key); err != nil {
		return 0, err
	}
	r := request{op: opSet, a: uint32(len(key)), b: uint32(len(value))}
	r.c = r.conditions(o.TTL, o.KeepTTL, o.IfVersion, o.IfAbsent)
	err = m.call(r, store(key, value), func(r *reply) { version = r.r0 })
	return version, named(err, key)
}

// Delete implements state.Manager.
func (m *Manager) Delete(_ context.Context, key string, o state.DeleteOptions) (version uint64, deleted bool, err error) {
	if err := check(key); err != nil {
		return 0, false, err
	}
	r := request{op: opDelete, a: uint32(len(key))}
	r.b = r.conditions(0, false, o.IfVersion, false)
	err = m.call(r, about(key), func(r *reply) {
		if deleted = r.result == 1; deleted {
			version = r.r0
		}
	})
	return version, deleted, named(err, key)
}

// CompareAndSwap implements state.Manager.
func (m *Manager) CompareAndSwap(_ context.Context, key string, version uint64, value []byte) (current uint64, swapped bool, err error) {
	if err := check(key); err != nil {
		return 0, false, err
	}
	r := request{op: opSwap, r0: version, a: uint32(len(key)), b: uint32(len(value))}
	err = m.call(r, store(key, value), func(r *reply) { current, swapped = r.r0, r.result == 1 })
	return current, swapped, err
}

// Increment implements state.Manager.
func (m *Manager) Increment(ctx context.Context, key string, o state.IncrementOptions) (sum int64, version uint64, err error) {
	if err := check(key); err != nil {
		return 0, 0, err
	}
	if o.TTL != 0 {
		results, err := m.Batch(ctx, []state.Op{{Kind: state.OpIncrement, Key: key, Delta: o.Delta, TTL: o.TTL}})
		if err != nil {
			return 0, 0, err
		}
		return results[0].Number, results[0].Version, nil
	}
	r := request{op: opIncrement, r0: uint64(o.Delta), a: uint32(len(key))}
	err = m.call(r, about(key), func(r *reply) { sum, version = int64(r.r1), r.r0 })
	return sum, version, err
}

// Expire implements state.Manager.
func (m *Manager) Expire(_ context.Context, key string, ttl time.Duration) (version uint64, err error) {
	if err := check(key); err != nil {
		return 0, err
	}
	r := request{op: opExpire, r1: millis(ttl), a: uint32(len(key))}
	err = m.call(r, about(key), func(r *reply) { version = r.r0 })
	if err == nil && version == 0 {
		err = state.ErrNotFound
	}
	return version, err
}

// SetMany implements state.Manager.
func (m *Manager) SetMany(_ context.Context, items []state.Item) (versions []uint64, err error) {
	body := func(out []byte) []byte {
		for i := range items {
			item := &items[i]
			out = appendU32(appendU32(out, uint32(len(item.Key))), uint32(len(item.Value)))
			out = appendU64(out, millis(item.TTL))
			out = append(append(out, item.Key...), item.Value...)
		}
		return out
	}
	err = m.call(request{op: opSetMany}, body, func(r *reply) {
		for range items {
			versions = append(versions, r.body.u64())
		}
	})
	return versions, err
}

// Batch implements state.Manager.
func (m *Manager) Batch(_ context.Context, ops []state.Op) (results []state.OpResult, err error) {
	body := func(out []byte) []byte {
		for i := range ops {
			out = appendOp(out, &ops[i])
		}
		return out
	}
	err = m.call(request{op: opBatch}, body, func(r *reply) {
		for range ops {
			results = append(results, state.OpResult{Version: r.body.u64(), Number: int64(r.body.u64()), Existed: r.body.u32() == 1})
		}
	})
	if c, ok := errors.AsType[*state.ConflictError](err); ok && c.Index >= 0 && c.Index < len(ops) {
		c.Key = ops[c.Index].Key
	}
	return results, err
}

// Clear implements state.Manager.
func (m *Manager) Clear(_ context.Context, prefix string) (deleted int, err error) {
	err = m.call(request{op: opClear, a: uint32(len(prefix))}, about(prefix), func(r *reply) { deleted = int(r.result) })
	return deleted, err
}

// Stats implements state.Manager.
func (m *Manager) Stats(context.Context) (s state.Stats, err error) {
	err = m.call(request{op: opStats}, nil, func(r *reply) {
		c := &r.body
		s = state.Stats{Backend: state.BackendMemory, Keys: int64(c.u64()), Bytes: int64(c.u64()), BytesMax: int64(c.u64()), Version: c.u64()}
		c.take(4 * 8) // sets, deletes, expired, conflicts
		s.Watchers = int(c.u64())
	})
	return s, err
}

// Now implements state.Manager.
func (m *Manager) Now() int64 { return m.host.Now() }

// Close implements state.Manager. The host's store stays open.
func (m *Manager) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	close(m.changed) // watchers end
	m.changed = make(chan struct{})
	return nil
}
