package enginetest

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// testModel runs random operations on a store and on a plain map and compares
// every answer, every event and, in between, the whole contents.
func testModel(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, open)
		defer m.store.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"clock":     m.moveClock,
			"get":       m.get,
			"set":       m.set,
			"delete":    m.delete,
			"increment": m.increment,
			"swap":      m.swap,
			"expire":    m.expire,
			"batch":     m.batch,
			"list":      m.list,
			"clear":     m.clear,
			"tick":      func(*rapid.T) { m.store.Tick(1) },
			"restore":   m.restore,
		})
	})
}

// modelEntry is an entry of the map beside the store.
type modelEntry struct {
	value   string
	version uint64
	ends    int64
}

type model struct {
	store   *engine.Store
	clock   *clock
	latest  int64 // the store's time: it never goes back
	entries map[string]modelEntry
	version uint64 // the largest version seen
	watcher *engine.Watcher
	mirror  map[string]modelEntry // the contents as the events tell them
}

func newModel(rt *rapid.T, open Opener) *model {
	m := &model{clock: newClock(), entries: map[string]modelEntry{}, mirror: map[string]modelEntry{}}
	m.latest = m.clock.millis
	var err error
	m.store, err = open(engine.Options{Now: m.clock.now})
	require.NoError(rt, err)
	m.watcher, err = m.store.Watch(engine.WatchOptions{Values: true, Buffer: engine.WatchBufferMax})
	require.NoError(rt, err)
	return m
}

var (
	keyGen   = rapid.SampledFrom([]string{"a", "a/", "a/b", "a/c", "b", "\x00", "\xff", "long" + strings.Repeat("k", 300)})
	valueGen = rapid.OneOf(rapid.SampledFrom([]string{"", "0", "7", "-3", "9223372036854775807"}), rapid.StringN(0, 40, 120))
	ttlGen   = rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 3 * time.Millisecond, time.Second})
)

// live is the model's entry of key at the store's time.
func (m *model) live(key string) (modelEntry, bool) {
	e, ok := m.entries[key]
	return e, ok && (e.ends == 0 || e.ends > m.latest)
}

func (m *model) ends(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return m.latest + ttl.Milliseconds()
}

// wrote notes a write of the store: versions only grow.
func (m *model) wrote(rt *rapid.T, key, value string, version uint64, ends int64) {
	require.Greater(rt, version, m.version)
	m.version = version
	m.entries[key] = modelEntry{value: value, version: version, ends: ends}
}

func (m *model) moveClock(rt *rapid.T) {
	m.clock.millis += rapid.SampledFrom([]int64{1, 1, 2, 500, -700}).Draw(rt, "millis")
	m.latest = max(m.latest, m.clock.millis)
	m.store.Tick(1) // shows the store the new time even when nothing can expire
}

func (m *model) get(rt *rapid.T) {
	key := keyGen.Draw(rt, "key")
	want, ok := m.live(key)
	got, err := m.store.Get(key)
	require.NoError(rt, err)
	require.Equal(rt, ok, got.Found())
	require.Equal(rt, ok, mustExist(rt, m.store, key))
	if ok {
		require.Equal(rt, want, modelEntry{string(got.Value), got.Version, got.ExpiresAt})
	}
}

func mustExist(rt *rapid.T, s *engine.Store, key string) bool {
	exists, err := s.Exists(key)
	require.NoError(rt, err)
	return exists
}

// condition draws a precondition and says whether it holds.
func (m *model) condition(rt *rapid.T, key string) (version uint64, absent, holds bool) {
	cur, ok := m.live(key)
	switch rapid.IntRange(0, 4).Draw(rt, "condition") {
	case 0:
		return 0, true, !ok
	case 1:
		wrong := m.version + 1
		return wrong, false, false
	case 2:
		if ok {
			return cur.version, false, true
		}
	}
	return 0, false, true
}

func (m *model) set(rt *rapid.T) {
	key, value, ttl := keyGen.Draw(rt, "key"), valueGen.Draw(rt, "value"), ttlGen.Draw(rt, "ttl")
	ifVersion, ifAbsent, holds := m.condition(rt, key)
	keep := ttl == 0 && rapid.Bool().Draw(rt, "keep")
	cur, ok := m.live(key)
	version, err := m.store.Set(key, []byte(value), engine.SetOptions{TTL: ttl, KeepTTL: keep, IfVersion: ifVersion, IfAbsent: ifAbsent})
	if !holds {
		m.conflict(rt, err, key)
		return
	}
	require.NoError(rt, err)
	ends := m.ends(ttl)
	if keep && ok {
		ends = cur.ends
	}
	m.wrote(rt, key, value, version, ends)
}

// conflict checks that err tells the version that the model has.
func (m *model) conflict(rt *rapid.T, err error, key string) {
	var conflict *engine.ConflictError
	require.True(rt, errors.As(err, &conflict), "%v", err)
	cur, ok := m.live(key)
	if !ok {
		cur.version = 0
	}
	require.Equal(rt, cur.version, conflict.Version)
}

func (m *model) delete(rt *rapid.T) {
	key := keyGen.Draw(rt, "key")
	_, ok := m.live(key)
	version, deleted, err := m.store.Delete(key, engine.DeleteOptions{})
	require.NoError(rt, err)
	require.Equal(rt, ok, deleted)
	if ok {
		require.Greater(rt, version, m.version)
		m.version = version
	}
	delete(m.entries, key)
}

// sum is what Increment must answer: the new number or the error.
func (m *model) sum(key string, delta int64) (int64, error) {
	cur, ok := m.live(key)
	if !ok {
		return delta, nil
	}
	n, err := strconv.ParseInt(cur.value, 10, 64)
	switch {
	case err != nil:
		return 0, engine.ErrNotNumber
	case delta > 0 && n > math.MaxInt64-delta, delta < 0 && n < math.MinInt64-delta:
		return 0, engine.ErrOverflow
	}
	return n + delta, nil
}

func (m *model) increment(rt *rapid.T) {
	key, delta := keyGen.Draw(rt, "key"), rapid.Int64Range(-5, 5).Draw(rt, "delta")
	want, wantErr := m.sum(key, delta)
	cur, ok := m.live(key)
	got, version, err := m.store.Increment(key, delta)
	if wantErr != nil {
		require.ErrorIs(rt, err, wantErr)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, want, got)
	if !ok {
		cur.ends = 0
	}
	m.wrote(rt, key, strconv.FormatInt(want, 10), version, cur.ends)
}

func (m *model) swap(rt *rapid.T) {
	key, value := keyGen.Draw(rt, "key"), valueGen.Draw(rt, "value")
	cur, ok := m.live(key)
	if !ok {
		cur = modelEntry{}
	}
	at := cur.version
	if rapid.Bool().Draw(rt, "stale") {
		at = m.version + 1
	}
	version, swapped, err := m.store.CompareAndSwap(key, at, []byte(value))
	require.NoError(rt, err)
	require.Equal(rt, at == cur.version, swapped)
	if swapped {
		m.wrote(rt, key, value, version, cur.ends)
	} else {
		require.Equal(rt, cur.version, version)
	}
}

func (m *model) expire(rt *rapid.T) {
	key, ttl := keyGen.Draw(rt, "key"), ttlGen.Draw(rt, "ttl")
	cur, ok := m.live(key)
	version, err := m.store.Expire(key, ttl)
	require.NoError(rt, err)
	if !ok {
		require.Zero(rt, version)
		return
	}
	m.wrote(rt, key, cur.value, version, m.ends(ttl))
}

// batch draws sets, deletes and checks on different keys; one failing condition
// must leave everything as it was.
func (m *model) batch(rt *rapid.T) {
	keys := rapid.SliceOfNDistinct(keyGen, 0, 4, rapid.ID).Draw(rt, "keys")
	var ops []engine.Op
	failing := -1
	for i, key := range keys {
		op := engine.Op{Key: key, Kind: rapid.SampledFrom([]engine.OpKind{engine.OpSet, engine.OpDelete, engine.OpCheck}).Draw(rt, "kind")}
		var holds bool
		op.IfVersion, op.IfAbsent, holds = m.condition(rt, key)
		if !holds && failing < 0 {
			failing = i
		}
		if op.Kind == engine.OpSet {
			op.Value = []byte(valueGen.Draw(rt, "value"))
			op.TTL = ttlGen.Draw(rt, "ttl")
		}
		ops = append(ops, op)
	}
	results, err := m.store.Batch(ops)
	if failing >= 0 {
		m.conflict(rt, err, keys[failing])
		return
	}
	require.NoError(rt, err)
	for i, op := range ops {
		_, ok := m.live(op.Key)
		require.Equal(rt, ok, results[i].Existed)
		switch {
		case op.Kind == engine.OpSet:
			m.wrote(rt, op.Key, string(op.Value), results[i].Version, m.ends(op.TTL))
		case op.Kind == engine.OpDelete && ok:
			require.Greater(rt, results[i].Version, m.version)
			m.version = results[i].Version
			delete(m.entries, op.Key)
		}
	}
}

func (m *model) list(rt *rapid.T) {
	o := engine.ListOptions{
		Prefix: rapid.SampledFrom([]string{"", "a", "a/", "\xff", "none"}).Draw(rt, "prefix"),
		After:  rapid.SampledFrom([]string{"", "a", "a/bb", "\xfe"}).Draw(rt, "after"),
		Limit:  rapid.IntRange(1, 4).Draw(rt, "limit"),
	}
	var want []string
	for _, key := range slices.Sorted(maps.Keys(m.entries)) {
		if _, ok := m.live(key); ok && key > o.After && strings.HasPrefix(key, o.Prefix) {
			want = append(want, key)
		}
	}
	page, err := m.store.List(o)
	require.NoError(rt, err)
	require.Equal(rt, len(want) > o.Limit, page.Next != "")
	if len(want) > o.Limit {
		want = want[:o.Limit]
		require.Equal(rt, want[len(want)-1], page.Next)
	}
	require.Len(rt, page.Entries, len(want))
	for i, e := range page.Entries {
		require.Equal(rt, want[i], e.Key)
		require.Equal(rt, len(m.entries[e.Key].value), e.Size)
	}
}

func (m *model) clear(rt *rapid.T) {
	prefix := rapid.SampledFrom([]string{"a/", "b", "none", ""}).Draw(rt, "prefix")
	want := 0
	for key := range maps.Clone(m.entries) {
		if strings.HasPrefix(key, prefix) {
			if _, ok := m.live(key); ok {
				want++
			}
			delete(m.entries, key)
		}
	}
	got, err := m.store.Clear(prefix)
	require.NoError(rt, err)
	require.Equal(rt, want, got)
	m.version = max(m.version, m.store.Stats().Version)
}

// restore puts the store's own snapshot back into it: nothing may change but
// the store's version.
func (m *model) restore(rt *rapid.T) {
	var b bytes.Buffer
	require.NoError(rt, m.store.Snapshot(&b))
	require.NoError(rt, m.store.Restore(&b))
	m.version = max(m.version, m.store.Stats().Version)
}

// check compares the contents, and what the events told, with the model.
func (m *model) check(rt *rapid.T) {
	for _, e := range m.watcher.Poll(nil, 0) {
		switch e.Kind {
		case engine.EventSet:
			m.mirror[e.Key] = modelEntry{string(e.Value), e.Version, e.ExpiresAt}
		case engine.EventDelete, engine.EventExpire:
			delete(m.mirror, e.Key)
		case engine.EventReset:
			// The snapshot held the live entries only.
			maps.DeleteFunc(m.mirror, func(key string, e modelEntry) bool { return e.ends != 0 && e.ends <= m.latest })
		default:
			rt.Fatalf("unexpected event %v", e)
		}
	}
	live := map[string]modelEntry{}
	for key := range m.entries {
		if e, ok := m.live(key); ok {
			live[key] = e
		}
	}
	told := maps.Clone(m.mirror)
	maps.DeleteFunc(told, func(key string, e modelEntry) bool { return e.ends != 0 && e.ends <= m.latest })
	require.Equal(rt, live, told, "what the events tell")
	page, err := m.store.List(engine.ListOptions{Values: true})
	require.NoError(rt, err)
	stored := map[string]modelEntry{}
	for _, e := range page.Entries {
		stored[e.Key] = modelEntry{string(e.Value), e.Version, e.ExpiresAt}
	}
	require.Equal(rt, live, stored)
}
