package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fuzzSeed keys the hash of the stores of FuzzIndex, so that its keys meet in
// every run.
const fuzzSeed = 42

// fuzzKeys are keys that meet in the index: of one shard and one home slot, some
// with all the bits that a slot keeps in common, of several lengths.
var fuzzKeys = map[bool]func() []string{
	false: sync.OnceValue(func() []string { return meetingKeys(fuzzStore(false), 1<<20) }),
	true:  sync.OnceValue(func() []string { return meetingKeys(fuzzStore(true), 1<<17) }),
}

// fuzzStore is a store for FuzzIndex: with 256 shards, or with one, which counts
// hits but never has to evict.
func fuzzStore(oneShard bool) *Store {
	o := Options{Seed: fuzzSeed}
	if oneShard {
		o.Evict, o.BytesMax = true, evictShardBytes
	}
	s, err := Open(o)
	if err != nil {
		panic(err)
	}
	if oneShard {
		s.budget.bytesMax.Store(1 << 40)
	}
	return s
}

// meetingKeys looks through so many keys for some that meet.
func meetingKeys(s *Store, candidates int) (keys []string) {
	key := func(i int) string { return strings.Repeat("k", i%5*4) + fmt.Sprintf("%05x", i) }
	type hashed struct {
		hash uint64
		i    int
	}
	all := make([]hashed, candidates)
	for i := range all {
		h := s.hash(key(i))
		all[i] = hashed{uint64(s.shardIndex(h))<<32 | hashBits(h), i}
	}
	slices.SortFunc(all, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })
	var pair uint64
	for i := 1; i < len(all) && len(keys) < 8; i++ {
		if all[i].hash == all[i-1].hash {
			pair = all[i].hash
			keys = append(keys, key(all[i-1].i), key(all[i].i))
		}
	}
	const shardAndHome = 0xffffffff_0000003f
	for _, k := range all {
		if k.hash&shardAndHome == pair&shardAndHome && k.hash != pair && len(keys) < 40 {
			keys = append(keys, key(k.i))
		}
	}
	return append(keys, "x", strings.Repeat("long", 300))
}

// TestFuzzKeysMeet asks that the keys of FuzzIndex are what it needs.
func TestFuzzKeysMeet(t *testing.T) {
	for oneShard, keys := range fuzzKeys {
		s := fuzzStore(oneShard)
		bits, shards := map[uint64]int{}, map[int]int{}
		for _, key := range keys() {
			h := s.hash(key)
			bits[uint64(s.shardIndex(h))<<32|hashBits(h)]++
			shards[s.shardIndex(h)]++
		}
		require.GreaterOrEqual(t, slices.Max(slices.Collect(maps.Values(bits))), 2)
		require.GreaterOrEqual(t, slices.Max(slices.Collect(maps.Values(shards))), 20)
		require.NoError(t, s.Close())
	}
}

// fuzzed is a store under FuzzIndex and the map beside it.
type fuzzed struct {
	t     *testing.T
	store *Store
	now   int64
	keys  []string
	want  map[string]fuzzEntry
}

type fuzzEntry struct {
	value string
	ends  int64
}

// FuzzIndex reads bytes as operations on keys that meet in one tiny table, and
// compares every answer with a map, and the index with itself at the end. A byte
// chooses the store, then three bytes are an operation, a key, and a size.
func FuzzIndex(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 1, 2, 2, 0, 0, 5, 0, 0})
	f.Add([]byte{1, 0, 0, 1, 0, 1, 1, 1, 2, 9, 3, 0, 0, 5, 1, 1, 6, 9, 200})
	grow := []byte{2}
	for i := range 40 {
		grow = append(grow, 0, byte(i), byte(i))
	}
	for i := range 40 {
		grow = append(grow, 2, byte(i), 0, 0, byte(i/2), 200)
	}
	f.Add(grow)
	f.Add(append(append(grow, 10, 0, 0), grow[1:60]...))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) < 4 || len(program) > 3000 {
			return
		}
		z := newFuzzed(t, program[0])
		defer z.store.Close()
		for step := program[1:]; len(step) >= 3; step = step[3:] {
			z.step(step[0], z.keys[int(step[1])%len(z.keys)], int(step[2]))
		}
		z.check()
	})
}

func newFuzzed(t *testing.T, flags byte) *fuzzed {
	z := &fuzzed{t: t, store: fuzzStore(flags&1 != 0), now: 1_700_000_000_000, want: map[string]fuzzEntry{}}
	z.store.clock = func() int64 { return z.now }
	z.store.lastTime.Store(z.now)
	z.keys = fuzzKeys[flags&1 != 0]()
	if flags&2 != 0 { // keep the order from the start
		_, err := z.store.List(ListOptions{})
		require.NoError(t, err)
	}
	return z
}

// live is the map's entry of a key that has not ended.
func (z *fuzzed) live(key string) (fuzzEntry, bool) {
	e, ok := z.want[key]
	return e, ok && (e.ends == 0 || e.ends > z.now)
}

// value is of n bytes up to 255, or of some larger size above 240.
func (z *fuzzed) value(n int) []byte {
	if n > 240 {
		n = (n - 240) * 3000
	}
	return bytes.Repeat([]byte{byte(n)}, n)
}

func (z *fuzzed) step(op byte, key string, n int) {
	s, t := z.store, z.t
	_, had := z.live(key)
	switch op % 12 {
	case 0, 1:
		z.set(key, n, time.Duration(op%2)*time.Duration(n)*time.Millisecond)
	case 2, 3:
		_, deleted, err := s.Delete(key, DeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, had, deleted)
		delete(z.want, key)
	case 4:
		z.get(key)
	case 5:
		keys := append(slices.Clone(z.keys[:n%len(z.keys)]), key)
		entries, err := s.GetMany(keys)
		require.NoError(t, err)
		for i, e := range entries {
			want, ok := z.live(keys[i])
			require.Equal(t, ok, e.Found(), keys[i])
			require.Equal(t, want.valueIf(ok), string(e.Value))
		}
	case 6:
		z.batch(key, n)
	case 7:
		z.now += int64(n)
		s.Tick(n % 5)
	case 8:
		_, err := s.Clear(key[:min(len(key), n)])
		require.NoError(t, err)
		maps.DeleteFunc(z.want, func(k string, _ fuzzEntry) bool { return strings.HasPrefix(k, key[:min(len(key), n)]) })
	case 9:
		var b bytes.Buffer
		require.NoError(t, s.Snapshot(&b))
		require.NoError(t, s.Restore(&b))
		maps.DeleteFunc(z.want, func(_ string, e fuzzEntry) bool { return e.ends != 0 && e.ends <= z.now })
	case 10:
		z.list(key, n)
	case 11:
		version, err := s.Expire(key, time.Duration(n)*time.Millisecond)
		require.NoError(t, err)
		require.Equal(t, had, version != 0)
		if had {
			z.want[key] = fuzzEntry{z.want[key].value, z.ends(n)}
		}
	}
}

func (e fuzzEntry) valueIf(ok bool) string {
	if ok {
		return e.value
	}
	return ""
}

func (z *fuzzed) ends(millis int) int64 {
	if millis == 0 {
		return 0
	}
	return z.now + int64(millis)
}

func (z *fuzzed) set(key string, n int, ttl time.Duration) {
	value := z.value(n)
	_, err := z.store.Set(key, value, SetOptions{TTL: ttl})
	require.NoError(z.t, err)
	z.want[key] = fuzzEntry{string(value), z.ends(int(ttl / time.Millisecond))}
	z.get(key)
}

func (z *fuzzed) get(key string) {
	want, ok := z.live(key)
	got, meta, err := z.store.AppendGet(nil, key)
	require.NoError(z.t, err)
	require.Equal(z.t, ok, meta.Found(), key)
	require.Equal(z.t, want.valueIf(ok), string(got))
	if ok {
		require.Equal(z.t, want.ends, meta.ExpiresAt)
	}
}

// batch sets or deletes a key and those behind it.
func (z *fuzzed) batch(key string, n int) {
	at := slices.Index(z.keys, key)
	var ops []Op
	for i, key := range z.keys[at:min(at+n%8, len(z.keys))] {
		if (n>>3+i)%3 == 0 {
			ops = append(ops, Op{Kind: OpDelete, Key: key})
			delete(z.want, key)
			continue
		}
		value := z.value((n + i) % 256)
		ops = append(ops, Op{Kind: OpSet, Key: key, Value: value})
		z.want[key] = fuzzEntry{value: string(value)}
	}
	_, err := z.store.Batch(ops)
	require.NoError(z.t, err)
}

// list compares a page behind key with the map.
func (z *fuzzed) list(key string, n int) {
	var want []string
	for _, k := range slices.Sorted(maps.Keys(z.want)) {
		if _, ok := z.live(k); ok && k > key && len(want) < n%9+1 {
			want = append(want, k)
		}
	}
	page, err := z.store.List(ListOptions{After: key, Limit: n%9 + 1})
	require.NoError(z.t, err)
	var got []string
	for _, e := range page.Entries {
		got = append(got, e.Key)
	}
	require.Equal(z.t, want, got)
}

// check compares the whole contents, and looks at the index from inside.
func (z *fuzzed) check() {
	found := 0
	for _, key := range z.keys {
		z.get(key)
		if _, ok := z.live(key); ok {
			found++
		}
	}
	z.store.Tick(0)
	require.EqualValues(z.t, found, z.store.Stats().Keys)
	checkIndex(z.t, z.store)
}

// checkIndex looks at a store from inside: its table, its cells, its free lists,
// its queues, its wheel, its books and its order must tell of the same entries.
func checkIndex(t *testing.T, s *Store) {
	t.Helper()
	var bytes int64
	keys := map[string]bool{}
	for i := range s.shards {
		sh := &s.shards[i]
		bytes += checkShard(t, s, sh, keys)
		if sh.queues != nil {
			checkQueues(t, sh)
		}
	}
	require.Equal(t, bytes, s.budget.used.Load())
	if s.order.built.Load() == s.order.epoch.Load() {
		checkOrder(t, &s.order, keys)
	}
}

// checkShard adds the shard's keys to keys and returns what its entries are charged.
func checkShard(t *testing.T, s *Store, sh *shard, keys map[string]bool) (bytes int64) {
	t.Helper()
	a, live, dead, timed := &sh.arena, 0, 0, 0
	perChunk := make([]int, len(a.chunks))
	for slot, word := range sh.table.slots() {
		r := ref(word & refMask)
		if r == 0 || r == refTombstone {
			dead += int(r)
			continue
		}
		live++
		perChunk[r.chunk()]++
		key, e := strings.Clone(a.at(r).key(*a.at(r).info())), sh.entry(slot, r)
		require.Equal(t, word>>refBits, hashBits(s.hash(key)))
		require.Same(t, sh, &s.shards[s.shardIndex(s.hash(key))])
		require.True(t, alive(*a.at(r).head()))
		found, _ := sh.find(s.hash(key), key)
		require.Equal(t, slot, found)
		require.False(t, keys[key])
		keys[key] = true
		bytes += s.rate().of(key, &e)
		if e.ExpiresAt != 0 {
			timed++
		}
	}
	require.Equal(t, []int{live, dead}, []int{sh.table.live, sh.table.tombstones})
	require.Equal(t, bytes, sh.bytes)
	require.Equal(t, len(sh.expiry.items)-sh.expiry.stale, timed, "items of entries that end")
	checkArena(t, a, perChunk)
	return bytes
}

// checkArena compares the books of an arena with its chunks, of which perChunk
// says how many cells the table names.
func checkArena(t *testing.T, a *arena, perChunk []int) {
	t.Helper()
	var resident int64
	cells, live := make([]int, len(a.slabs)), make([]int, len(a.slabs))
	for number, c := range a.chunks {
		require.Equal(t, perChunk[number], c.live)
		if c.cells == 0 {
			continue
		}
		resident += int64(c.cells*c.words+chunkTailWords) * 8
		cells[c.slab] += c.cells
		live[c.slab] += c.live
		free := 0
		for at := c.free; at >= 0; at = int(int64(*a.at(makeRef(number, at)).info())) {
			require.Equal(t, headDead, *a.at(makeRef(number, at)).head())
			free++
		}
		require.Equal(t, c.used-c.live, free)
	}
	require.Equal(t, resident, a.resident)
	for i, sl := range a.slabs {
		require.Equal(t, []int{cells[i], live[i]}, []int{sl.cells, sl.live})
	}
}

// checkOrder settles the order and compares it with the keys.
func checkOrder(t *testing.T, o *order, keys map[string]bool) {
	t.Helper()
	count := 0
	for i := range o.parts {
		p := &o.parts[i]
		for last, r := "", (orderRead{keys: 100}); ; r.from, r.behind = last, true {
			got, _, more := p.read(nil, nil, r)
			for _, key := range got {
				require.Greater(t, key, last)
				require.True(t, keys[key], "%q is in the order only", key)
				last = key
				count++
			}
			if !more {
				break
			}
		}
		checkLeaves(t, p)
	}
	require.Len(t, keys, count)
}
