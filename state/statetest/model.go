package statetest

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// testModel runs random operations on a Manager and on a plain map and compares
// every answer and, in between, the whole contents.
func testModel(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{entries: map[string]modelEntry{}, batchMax: 4}
		m.clock.millis.Store(1_700_000_000_000)
		m.state = open(t, Options{Now: m.clock.millis.Load})
		if _, ok := m.state.(Grouper); ok {
			m.batchMax = 1 // the keys are no group
		}
		defer m.state.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"clock":     func(rt *rapid.T) { m.clock.pass(rapid.Int64Range(0, 30).Draw(rt, "millis")) },
			"get":       m.get,
			"set":       m.set,
			"delete":    m.delete,
			"increment": m.increment,
			"swap":      m.swap,
			"expire":    m.expire,
			"batch":     m.batch,
			"clear":     m.clear,
		})
	})
}

// modelEntry is an entry of the map beside the Manager.
type modelEntry struct {
	value   string
	version uint64
	ends    int64
}

type model struct {
	state   state.Manager
	clock   clock
	entries map[string]modelEntry
	version uint64 // the largest version seen

	batchMax int // keys of a batch
}

var (
	keyGen   = rapid.SampledFrom([]string{"a", "b", "a/b", "a/c", "\x00", "\xff"})
	valueGen = rapid.SampledFrom([]string{"", "1", "-7", "text", strings.Repeat("long", 100)})
	ttlGen   = rapid.Custom(func(rt *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(0, 20).Draw(rt, "ttl")) * time.Millisecond
	})
)

// live is the entry of key, if it has not ended.
func (m *model) live(key string) modelEntry {
	e := m.entries[key]
	if e.ends != 0 && e.ends <= m.clock.millis.Load() {
		delete(m.entries, key)
		return modelEntry{}
	}
	return e
}

// ends is when an entry ends that is written now.
func (m *model) ends(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return m.clock.millis.Load() + ttl.Milliseconds()
}

// wrote notes a write, whose version must be new.
func (m *model) wrote(rt *rapid.T, key, value string, version uint64, ends int64) {
	require.Greater(rt, version, m.version)
	m.version = version
	m.entries[key] = modelEntry{value, version, ends}
}

// condition draws one: none, the version there is, or another.
func (m *model) condition(rt *rapid.T, key string) (ifVersion uint64, ifAbsent, holds bool) {
	now := m.live(key).version
	switch rapid.IntRange(0, 4).Draw(rt, "condition") {
	case 0:
		return now, false, true // 0 is no condition
	case 1:
		return m.version + 1000, false, false
	case 2:
		return 0, true, now == 0
	}
	return 0, false, true
}

// refused asserts a conflict that tells what is there.
func (m *model) refused(rt *rapid.T, err error, key string) {
	var c *state.ConflictError
	require.ErrorAs(rt, err, &c)
	require.Equal(rt, m.live(key).version, c.Version)
	require.Equal(rt, key, c.Key)
}

func (m *model) get(rt *rapid.T) {
	key := keyGen.Draw(rt, "key")
	want := m.live(key)
	e, err := m.state.Get(background, key)
	if want.version == 0 {
		require.ErrorIs(rt, err, state.ErrNotFound)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, want, modelEntry{string(e.Value), e.Version, e.ExpiresAt})
}

func (m *model) set(rt *rapid.T) {
	key, value, ttl := keyGen.Draw(rt, "key"), valueGen.Draw(rt, "value"), ttlGen.Draw(rt, "ttl")
	keep := ttl == 0 && rapid.Bool().Draw(rt, "keep")
	ifVersion, ifAbsent, holds := m.condition(rt, key)
	ends := m.ends(ttl)
	if keep {
		ends = m.live(key).ends
	}
	version, err := m.state.Set(background, key, []byte(value), state.SetOptions{TTL: ttl, KeepTTL: keep, IfVersion: ifVersion, IfAbsent: ifAbsent})
	if !holds {
		m.refused(rt, err, key)
		return
	}
	require.NoError(rt, err)
	m.wrote(rt, key, value, version, ends)
}

func (m *model) delete(rt *rapid.T) {
	key := keyGen.Draw(rt, "key")
	was := m.live(key).version
	version, deleted, err := m.state.Delete(background, key, state.DeleteOptions{})
	require.NoError(rt, err)
	require.Equal(rt, was != 0, deleted)
	if deleted {
		require.Greater(rt, version, m.version)
		m.version = version
	}
	delete(m.entries, key)
}

func (m *model) increment(rt *rapid.T) {
	key, delta, ttl := keyGen.Draw(rt, "key"), rapid.Int64Range(-3, 3).Draw(rt, "delta"), ttlGen.Draw(rt, "ttl")
	was := m.live(key)
	n, numberErr := strconv.ParseInt(was.value, 10, 64)
	ends := was.ends
	if was.version == 0 {
		n, numberErr, ends = 0, nil, m.ends(ttl)
	}
	sum, version, err := m.state.Increment(background, key, state.IncrementOptions{Delta: delta, TTL: ttl})
	if numberErr != nil {
		require.ErrorIs(rt, err, state.ErrNotNumber)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, n+delta, sum)
	m.wrote(rt, key, strconv.FormatInt(sum, 10), version, ends)
}

func (m *model) swap(rt *rapid.T) {
	key, value := keyGen.Draw(rt, "key"), valueGen.Draw(rt, "value")
	was := m.live(key)
	from := was.version + uint64(rapid.IntRange(0, 1).Draw(rt, "off"))
	current, swapped, err := m.state.CompareAndSwap(background, key, from, []byte(value))
	require.NoError(rt, err)
	require.Equal(rt, from == was.version, swapped)
	if swapped {
		m.wrote(rt, key, value, current, was.ends)
		return
	}
	require.Equal(rt, was.version, current)
}

func (m *model) expire(rt *rapid.T) {
	key, ttl := keyGen.Draw(rt, "key"), ttlGen.Draw(rt, "ttl")
	was := m.live(key)
	version, err := m.state.Expire(background, key, ttl)
	if was.version == 0 {
		require.ErrorIs(rt, err, state.ErrNotFound)
		return
	}
	require.NoError(rt, err)
	m.wrote(rt, key, was.value, version, m.ends(ttl))
}

// batch sets some keys and deletes others, on a condition that may not hold.
func (m *model) batch(rt *rapid.T) {
	var ops []state.Op
	failing := -1
	for i, key := range rapid.SliceOfNDistinct(keyGen, 1, m.batchMax, rapid.ID[string]).Draw(rt, "keys") {
		op := state.Op{Kind: state.OpSet, Key: key, Value: []byte(valueGen.Draw(rt, "value")), TTL: ttlGen.Draw(rt, "ttl")}
		if rapid.Bool().Draw(rt, "delete") {
			op = state.Op{Kind: state.OpDelete, Key: key}
		}
		var holds bool
		op.IfVersion, op.IfAbsent, holds = m.condition(rt, key)
		if !holds && failing < 0 {
			failing = i
		}
		ops = append(ops, op)
	}
	results, err := m.state.Batch(background, ops)
	if failing >= 0 {
		m.refused(rt, err, ops[failing].Key)
		var c *state.ConflictError
		require.True(rt, errors.As(err, &c) && c.Index == failing)
		return
	}
	require.NoError(rt, err)
	for i, op := range ops {
		was := m.live(op.Key)
		require.Equal(rt, was.version != 0, results[i].Existed)
		switch {
		case op.Kind == state.OpSet:
			m.wrote(rt, op.Key, string(op.Value), results[i].Version, m.ends(op.TTL))
		case was.version != 0:
			require.Greater(rt, results[i].Version, m.version)
			m.version = results[i].Version
			delete(m.entries, op.Key)
		}
	}
}

func (m *model) clear(rt *rapid.T) {
	prefix := rapid.SampledFrom([]string{"a/", "a", "none", ""}).Draw(rt, "prefix")
	want := 0
	for key := range maps.Clone(m.entries) {
		if m.live(key).version != 0 && strings.HasPrefix(key, prefix) {
			want++
			delete(m.entries, key)
		}
	}
	deleted, err := m.state.Clear(background, prefix)
	require.NoError(rt, err)
	require.Equal(rt, want, deleted)
}

// check compares the contents, as a list and as many gets see them.
func (m *model) check(rt *rapid.T) {
	for key := range maps.Clone(m.entries) {
		m.live(key)
	}
	want := slices.Sorted(maps.Keys(m.entries))
	var got []string
	for o := (state.ListOptions{Limit: 2, Values: true}); ; {
		page, err := m.state.List(background, o)
		require.NoError(rt, err)
		for _, e := range page.Entries {
			got = append(got, e.Key)
			require.Equal(rt, m.entries[e.Key], modelEntry{string(e.Value), e.Version, e.ExpiresAt})
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			break
		}
	}
	require.Equal(rt, want, got)
	many, err := m.state.GetMany(background, want)
	require.NoError(rt, err)
	for i, key := range want {
		require.Equal(rt, m.entries[key].version, many[i].Version)
	}
}
