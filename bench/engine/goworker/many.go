package main

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/bench/engine/workload"
)

// batches reads size keys at a time and holds all values of a batch before it
// looks at them: in one buffer, or each in memory of its own.
func (b *session) batches(keys *ring, size, ops int, clones bool) (tally, bool) {
	read := b.batchReader(size, clones)
	if read == nil {
		return tally{}, false
	}
	var t tally
	visit := func(value []byte) {
		t.hits++
		t.sum += workload.SumCopied(value)
	}
	started := time.Now()
	for t.ops < ops {
		read(keys.run(size), visit)
		t.ops += size
	}
	t.took = time.Since(started)
	return t, true
}

// batchReader returns how this store reads a batch; nil where it cannot.
func (b *session) batchReader(size int, clones bool) func(keys []string, visit func([]byte)) {
	if s, ok := b.store.(batcher); ok && clones {
		return s.CloneBatch
	} else if ok {
		return s.Batch
	}
	switch s := b.store.(type) {
	case borrower:
		if clones {
			return cloneLoop(s, size)
		}
		return appendLoop(func(dst []byte, key string) ([]byte, bool) {
			value, ok := s.Borrow(key)
			return append(dst, value...), ok
		}, size, b.sizing.valueBytes)
	case copier:
		if !clones {
			return appendLoop(s.AppendGet, size, b.sizing.valueBytes)
		}
	}
	return nil
}

func appendLoop(get func([]byte, string) ([]byte, bool), size, valueBytes int) func([]string, func([]byte)) {
	buffer, ends := make([]byte, 0, size*valueBytes), make([]int, 0, size)
	return func(keys []string, visit func([]byte)) {
		buffer, ends = buffer[:0], ends[:0]
		for _, key := range keys {
			var ok bool
			if buffer, ok = get(buffer, key); ok {
				ends = append(ends, len(buffer))
			}
		}
		start := 0
		for _, end := range ends {
			visit(buffer[start:end])
			start = end
		}
	}
}

func cloneLoop(s borrower, size int) func([]string, func([]byte)) {
	return func(keys []string, visit func([]byte)) {
		values := make([][]byte, 0, size)
		for _, key := range keys {
			if value, ok := s.Borrow(key); ok {
				values = append(values, bytes.Clone(value))
			}
		}
		for _, value := range values {
			visit(value)
		}
	}
}

// mixed shares the store between goroutines: nine reads with copy, then a write.
// Each goroutine walks the list from a place of its own. The time is from the
// first one's start to the last one's end, as they see it themselves: the
// goroutine that waits for them may get no core meanwhile.
//
// A store for one goroutine gets the same writes, one part after the other, so
// that later reads find what they find in the other stores; it has no figure.
func (b *session) mixed(keys []string, ops int, seed uint64) (tally, bool) {
	walks := make([]*ring, threads)
	for i := range walks {
		walks[i] = b.ring(keys, seed)
		walks[i].at = (walks[i].at + i*len(keys)/threads) % len(keys)
	}
	salt := workload.Mix(seed)
	if b.impl.oneThread {
		for _, walk := range walks {
			b.mixedPart(walk, ops/threads, salt)
		}
		return tally{}, false
	}
	var ready, ends sync.WaitGroup
	ready.Add(threads)
	parts, begins := make([]tally, threads), make([]time.Time, threads)
	for i := range parts {
		ends.Go(func() {
			ready.Done()
			ready.Wait()
			begins[i] = time.Now()
			parts[i] = b.mixedPart(walks[i], ops/threads, salt)
			parts[i].took = time.Since(begins[i])
		})
	}
	ends.Wait()
	first := slices.MinFunc(begins, time.Time.Compare)
	var all tally
	for i, part := range parts {
		all.ops += part.ops
		all.hits += part.hits
		all.took = max(all.took, begins[i].Sub(first)+part.took)
	}
	return all, true
}

func (b *session) mixedPart(keys *ring, ops int, salt uint64) tally {
	value, buffer := workload.NewValue(b.sizing.valueBytes), make([]byte, 0, b.sizing.valueBytes)
	lends, lent := b.store.(borrower)
	copies, _ := b.store.(copier)
	t := tally{ops: ops}
	for i := range ops {
		key := keys.next()
		if i%10 == 9 {
			workload.SetStamp(value, workload.Stamp(key, salt))
			b.store.Set(key, value)
			continue
		}
		var ok bool
		if lent {
			var found []byte
			found, ok = lends.Borrow(key)
			buffer = append(buffer[:0], found...)
		} else {
			buffer, ok = copies.AppendGet(buffer[:0], key)
		}
		if ok {
			t.hits++
		}
	}
	return t
}
