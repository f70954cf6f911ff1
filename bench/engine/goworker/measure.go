package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/ingot-run/ingot/bench/engine/workload"
	"github.com/ingot-run/ingot/bench/worker"
)

// threads is how many goroutines share the store in the mixed operations.
const threads = 2

// slowInsert is the pause that the engine's target forbids.
const slowInsert = time.Millisecond

// tally is what one measurement found.
type tally struct {
	ops   int
	took  time.Duration
	hits  int    // reads that found the key
	sum   uint64 // of what was read, see package workload
	worst time.Duration
	slow  int // inserts that took longer than slowInsert
}

// session is a store that was loaded, and the lists of keys to ask it for.
type session struct {
	impl       implementation
	sizing     sizing
	store      store
	value      []byte
	probes     []string
	absent     []string
	zipf       []string
	base       int64 // resident bytes before the load
	loaded     int64 // right after it
	rest       int64 // after everything that can be given back was
	loadedTime time.Duration
}

// load makes the store and fills it. The key lists come first: they are not part
// of what the store weighs.
func load(impl implementation, size sizing, zipfPath string) (*session, error) {
	if size.keys < 1 || size.valueBytes < workload.ValueBytesMin {
		return nil, fmt.Errorf("want at least one key and values of %d bytes", workload.ValueBytesMin)
	}
	b := &session{impl: impl, sizing: size, value: workload.NewValue(size.valueBytes)}
	n := uint64(size.keys)
	b.probes = workload.Keys(workload.Probes(size.keys), func(j uint64) uint64 { return workload.Draw(1, j, n) })
	b.absent = workload.Keys(workload.Probes(size.keys), func(j uint64) uint64 { return workload.AbsentBase + j })
	if err := b.readZipf(zipfPath); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	b.base = worker.ResidentBytes(os.Getpid())
	started := time.Now()
	s, err := impl.open(size)
	if err != nil {
		return nil, err
	}
	b.store = s
	fill(s, size, b.value, func(insert func()) { insert() })
	b.loadedTime = time.Since(started)
	b.loaded = worker.ResidentBytes(os.Getpid())
	debug.FreeOSMemory()
	b.rest = worker.ResidentBytes(os.Getpid())
	return b, nil
}

// readZipf reads the indexes that the driver drew.
func (b *session) readZipf(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(raw) == 0 || len(raw)%4 != 0 {
		return fmt.Errorf("%s: %d bytes are no list of uint32", path, len(raw))
	}
	b.zipf = workload.Keys(len(raw)/4, func(j uint64) uint64 {
		return uint64(binary.LittleEndian.Uint32(raw[4*j:]))
	})
	return nil
}

// fill inserts all keys. Each insert is handed to around, which runs it; a key
// lives in one buffer only until then.
func fill(s store, size sizing, value []byte, around func(insert func())) {
	var buffer [64]byte
	var key string
	insert := func() { s.Insert(key, value) }
	salt := workload.Mix(0)
	for i := range size.keys {
		text := workload.AppendKey(buffer[:0], uint64(i))
		key = unsafe.String(unsafe.SliceData(text), len(text))
		workload.SetStamp(value, workload.Stamp(key, salt))
		around(insert)
		if settles, ok := s.(settler); ok && i%256 == 255 {
			settles.Settle()
		}
	}
	settle(s)
}

func settle(s store) {
	if settles, ok := s.(settler); ok {
		settles.Settle()
	}
}

// measure runs one operation; those that make garbage start on a collected heap. It
// reports false where the store does not have it.
func (b *session) measure(op string, arg, ops int, seed uint64) (tally, bool, error) {
	salt := workload.Mix(seed)
	switch op {
	case "get":
		t, ok := b.get(b.ring(b.probes, seed), ops)
		return t, ok, nil
	case "copy":
		return b.copy(b.ring(b.probes, seed), ops), true, nil
	case "miss":
		return b.copy(b.ring(b.absent, seed), ops), true, nil
	case "clone":
		runtime.GC()
		t, ok := b.clone(b.ring(b.probes, seed), ops)
		return t, ok, nil
	case "set":
		runtime.GC()
		return b.set(b.ring(b.probes, seed), ops, salt), true, nil
	case "insert":
		runtime.GC()
		return b.segments(ops, seed, true), true, nil
	case "delete":
		runtime.GC()
		return b.segments(ops, seed, false), true, nil
	case "batch", "batchclone":
		if arg < 1 || arg > len(b.probes) {
			return tally{}, false, fmt.Errorf("a batch of %d keys: want 1 to %d", arg, len(b.probes))
		}
		runtime.GC()
		t, ok := b.batches(b.ring(b.probes, seed), arg, ops, op == "batchclone")
		return t, ok, nil
	case "mixed":
		runtime.GC()
		t, ok := b.mixed(b.probes, ops, seed)
		return t, ok, nil
	case "mixedzipf":
		runtime.GC()
		t, ok := b.mixed(b.zipf, ops, seed)
		return t, ok, nil
	case "grow":
		t, err := b.grow()
		return t, true, err
	case "gc":
		return collect(), true, nil
	case "inplace":
		return tally{}, false, nil // nothing in Go lends a value to be written
	}
	return tally{}, false, fmt.Errorf("no operation %q", op)
}

// ring walks a list of keys round and round.
type ring struct {
	keys []string
	at   int
}

// ring starts where seed says.
func (b *session) ring(keys []string, seed uint64) *ring {
	return &ring{keys, int(workload.Draw(seed, 0, uint64(len(keys))))}
}

func (r *ring) next() string {
	key := r.keys[r.at]
	if r.at++; r.at == len(r.keys) {
		r.at = 0
	}
	return key
}

// run returns the next count keys side by side; it skips the rest of the list
// where that is shorter.
func (r *ring) run(count int) []string {
	if r.at+count > len(r.keys) {
		r.at = 0
	}
	r.at += count
	return r.keys[r.at-count : r.at]
}

func (b *session) get(keys *ring, ops int) (tally, bool) {
	s, ok := b.store.(borrower)
	if !ok {
		return tally{}, false
	}
	t := tally{ops: ops}
	started := time.Now()
	for range ops {
		if value, ok := s.Borrow(keys.next()); ok {
			t.hits++
			t.sum += workload.SumBorrowed(value)
		}
	}
	t.took = time.Since(started)
	return t, true
}

func (b *session) copy(keys *ring, ops int) tally {
	buffer := make([]byte, 0, b.sizing.valueBytes)
	t := tally{ops: ops}
	started := time.Now()
	switch s := b.store.(type) {
	case borrower:
		for range ops {
			if value, ok := s.Borrow(keys.next()); ok {
				buffer = append(buffer[:0], value...)
				t.hits++
				t.sum += workload.SumCopied(buffer)
			}
		}
	case copier:
		for range ops {
			var ok bool
			if buffer, ok = s.AppendGet(buffer[:0], keys.next()); ok {
				t.hits++
				t.sum += workload.SumCopied(buffer)
			}
		}
	}
	t.took = time.Since(started)
	return t
}

func (b *session) clone(keys *ring, ops int) (tally, bool) {
	t := tally{ops: ops}
	started := time.Now()
	switch s := b.store.(type) {
	case cloner:
		for range ops {
			if value, ok := s.Clone(keys.next()); ok {
				t.hits++
				t.sum += workload.SumCopied(value)
			}
		}
	case borrower:
		for range ops {
			if value, ok := s.Borrow(keys.next()); ok {
				value = bytes.Clone(value)
				t.hits++
				t.sum += workload.SumCopied(value)
			}
		}
	default:
		return tally{}, false
	}
	t.took = time.Since(started)
	return t, true
}

func (b *session) set(keys *ring, ops int, salt uint64) tally {
	started := time.Now()
	for range ops {
		key := keys.next()
		workload.SetStamp(b.value, workload.Stamp(key, salt))
		b.store.Set(key, b.value)
	}
	settle(b.store)
	return tally{ops: ops, took: time.Since(started)}
}

// segments inserts keys that were never there and deletes them again, or deletes
// some that are there and puts them back; the first half is what is timed.
func (b *session) segments(ops int, seed uint64, inserts bool) tally {
	size := workload.Segment(b.sizing.keys)
	keys := b.segmentKeys(size, seed, inserts)
	var t tally
	for t.ops < ops {
		count := min(size, ops-t.ops)
		started := time.Now()
		if inserts {
			b.insert(keys[:count])
		} else {
			b.delete(keys[:count])
		}
		t.took += time.Since(started)
		if inserts {
			b.delete(keys[:count])
		} else {
			b.insert(keys[:count])
		}
		t.ops += count
	}
	return t
}

func (b *session) segmentKeys(size int, seed uint64, fresh bool) []string {
	n := uint64(b.sizing.keys)
	offset := workload.Draw(seed, 0, n)
	return workload.Keys(size, func(j uint64) uint64 {
		if fresh {
			return workload.FreshBase + seed<<24 + j
		}
		return workload.Scatter(j, n, offset)
	})
}

func (b *session) insert(keys []string) {
	salt := workload.Mix(0)
	for _, key := range keys {
		workload.SetStamp(b.value, workload.Stamp(key, salt))
		b.store.Insert(key, b.value)
	}
	settle(b.store)
}

func (b *session) delete(keys []string) {
	for _, key := range keys {
		b.store.Delete(key)
	}
	settle(b.store)
}

// grow times each insert on its own, from an empty store to a full one.
func (b *session) grow() (tally, error) {
	runtime.GC()
	s, err := b.impl.open(b.sizing)
	if err != nil {
		return tally{}, err
	}
	t := tally{ops: b.sizing.keys}
	fill(s, b.sizing, b.value, func(insert func()) {
		started := time.Now()
		insert()
		took := time.Since(started)
		t.took += took
		t.worst = max(t.worst, took)
		if took > slowInsert {
			t.slow++
		}
	})
	if closes, ok := s.(closer); ok {
		closes.Close()
	}
	debug.FreeOSMemory()
	return t, nil
}

// collect times one garbage collection of a heap that was collected just before.
func collect() tally {
	runtime.GC()
	started := time.Now()
	runtime.GC()
	return tally{ops: 1, took: time.Since(started)}
}
