package redis

import (
	"context"
	"fmt"
	"sync"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

// manyMax is how many keys one command names.
const manyMax = 512

// checkKey refuses what cannot be a key.
func checkKey(key string) error {
	if key == "" || len(key) > state.KeyBytesMax {
		return fmt.Errorf("%w: a key has 1 to %d bytes, not %d", state.ErrKey, state.KeyBytesMax, len(key))
	}
	return nil
}

// over reports whether an entry has ended by the clock of a test; the server itself
// hands out none that has ended by its own.
func (m *Manager) over(meta state.Meta) bool {
	return m.o.now != nil && meta.ExpiresAt != 0 && meta.ExpiresAt <= m.o.now()
}

// fetch reads the entry of a key with its value, which is the caller's.
func (m *Manager) fetch(ctx context.Context, key string) (entry state.Entry, err error) {
	b := m.bucketOf(key)
	name := b.entries + key
	var ticket ticket
	if m.cache != nil {
		if raw, meta, ok := m.cache.get(name, m.Now()); ok && !m.closed.Load() {
			return state.Entry{Value: []byte(raw), Meta: meta}, nil
		}
		ticket = m.cache.begin(name)
	}
	var raw string
	err = m.attempt(ctx, b, false, func() (err error) {
		raw, err = m.reader.Do(ctx, m.reader.B().Get().Key(name).Build()).ToString()
		return err
	})
	if rueidis.IsRedisNil(err) {
		m.learn(name, 0)
		return entry, state.ErrNotFound
	}
	if err != nil {
		return entry, err
	}
	if entry, err = m.parse(key, raw); err != nil {
		m.learn(name, 0)
		return entry, err
	}
	if m.cache != nil {
		m.cache.fill(name, ticket, entry.Meta, raw[headBytes:])
	}
	return entry, nil
}

// uncached reads an entry from the server, whatever this process keeps.
func (m *Manager) uncached(ctx context.Context, key string) (entry state.Entry, err error) {
	b := m.bucketOf(key)
	var raw string
	err = m.attempt(ctx, b, false, func() (err error) {
		raw, err = m.client.Do(ctx, m.client.B().Get().Key(b.entries+key).Build()).ToString()
		return err
	})
	if rueidis.IsRedisNil(err) {
		return entry, state.ErrNotFound
	}
	if err != nil {
		return entry, err
	}
	return m.parse(key, raw)
}

// parse reads an entry. Its value is a copy.
func (m *Manager) parse(key, raw string) (state.Entry, error) {
	meta, err := parseHead(key, raw)
	if err != nil {
		return state.Entry{}, err
	}
	m.saw(meta.Version)
	if m.over(meta) {
		return state.Entry{}, state.ErrNotFound
	}
	return state.Entry{Value: []byte(raw[headBytes:]), Meta: meta}, nil
}

// learn tells the cache of the version of an entry that was seen elsewhere.
func (m *Manager) learn(name string, version uint64) {
	if m.cache != nil {
		m.cache.learn(name, version)
	}
}

// saw notes a version, so that those of later writes are larger.
func (m *Manager) saw(version uint64) {
	for {
		now := m.seen.Load()
		if version <= now || m.seen.CompareAndSwap(now, version) {
			return
		}
	}
}

// Get implements state.Manager.
func (m *Manager) Get(ctx context.Context, key string) (state.Entry, error) {
	if err := checkKey(key); err != nil {
		return state.Entry{}, err
	}
	return m.fetch(ctx, key)
}

// AppendGet implements state.Manager.
func (m *Manager) AppendGet(ctx context.Context, dst []byte, key string) ([]byte, state.Meta, error) {
	if err := checkKey(key); err != nil {
		return dst, state.Meta{}, err
	}
	entry, err := m.fetch(ctx, key)
	return append(dst, entry.Value...), entry.Meta, err
}

// Exists implements state.Manager.
func (m *Manager) Exists(ctx context.Context, key string) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	b := m.bucketOf(key)
	var raw string
	err := m.attempt(ctx, b, false, func() (err error) {
		raw, err = m.client.Do(ctx, m.client.B().Getrange().Key(b.entries+key).Start(0).End(headBytes-1).Build()).ToString()
		return err
	})
	if err != nil {
		return false, err
	}
	if raw == "" {
		m.learn(b.entries+key, 0)
		return false, nil
	}
	meta, err := parseHead(key, raw)
	m.learn(b.entries+key, meta.Version)
	return err == nil && !m.over(meta), err
}

// GetMany implements state.Manager. It sends one command for each part of the store,
// all at once.
func (m *Manager) GetMany(ctx context.Context, keys []string) ([]state.Entry, error) {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	if m.closed.Load() {
		return nil, state.ErrClosed
	}
	entries := make([]state.Entry, len(keys))
	missing := make([][]int, len(m.buckets))
	tickets := make([]ticket, len(keys))
	for i, key := range keys {
		b := m.bucketOf(key)
		if m.cache != nil {
			name := b.entries + key
			if raw, meta, ok := m.cache.get(name, m.Now()); ok {
				entries[i] = state.Entry{Value: []byte(raw), Meta: meta}
				continue
			}
			tickets[i] = m.cache.begin(name)
		}
		missing[b.number] = append(missing[b.number], i)
	}
	var asked []*bucket
	for i, b := range m.buckets {
		if len(missing[i]) > 0 {
			asked = append(asked, b)
		}
	}
	return entries, each(asked, func(b *bucket) error {
		for at := 0; at < len(missing[b.number]); at += manyMax {
			wanted := missing[b.number][at:min(at+manyMax, len(missing[b.number]))]
			if err := m.fetchMany(ctx, b, keys, wanted, tickets, entries); err != nil {
				return err
			}
		}
		return nil
	})
}

// fetchMany reads the entries of some keys of a bucket.
func (m *Manager) fetchMany(ctx context.Context, b *bucket, keys []string, wanted []int, tickets []ticket, entries []state.Entry) error {
	names := make([]string, len(wanted))
	for i, n := range wanted {
		names[i] = b.entries + keys[n]
	}
	var found []rueidis.RedisMessage
	err := m.attempt(ctx, b, false, func() (err error) {
		found, err = m.reader.Do(ctx, m.reader.B().Mget().Key(names...).Build()).ToArray()
		return err
	})
	if err != nil {
		return err
	}
	for i, n := range wanted {
		raw, err := found[i].ToString()
		if err != nil {
			m.learn(names[i], 0) // nil: absent
			continue
		}
		entry, err := m.parse(keys[n], raw)
		if err == state.ErrNotFound {
			m.learn(names[i], 0)
			continue
		}
		if err != nil {
			return err
		}
		entries[n] = entry
		if m.cache != nil {
			m.cache.fill(names[i], tickets[n], entry.Meta, raw[headBytes:])
		}
	}
	return nil
}

// each calls f for all buckets at once, and joins what goes wrong.
func each(buckets []*bucket, f func(b *bucket) error) error {
	if len(buckets) == 1 {
		return f(buckets[0])
	}
	errs := make([]error, len(buckets))
	var wg sync.WaitGroup
	for i, b := range buckets {
		wg.Go(func() { errs[i] = f(b) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // the others tell the same
		}
	}
	return nil
}
