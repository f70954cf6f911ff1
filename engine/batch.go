package engine

import (
	"math/bits"
	"time"

	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/message"
)

// OpKind says what an Op does.
type OpKind uint8

// The kinds of operation in a batch.
const (
	OpSet       OpKind = iota + 1 // store Value
	OpDelete                      // remove the key
	OpIncrement                   // add Delta to the decimal number
	OpExpire                      // give a new TTL; 0 is for ever
	OpCheck                       // only check the condition
)

// Op is one operation of a batch. IfVersion and IfAbsent are conditions on the
// key before the batch; TTL and KeepTTL are as in SetOptions. A counter keeps its
// end: TTL is for one that an OpIncrement creates.
type Op struct {
	Kind      OpKind
	Key       string
	Value     []byte
	Delta     int64
	TTL       time.Duration
	KeepTTL   bool
	IfVersion uint64
	IfAbsent  bool
}

// OpResult tells what an Op did.
type OpResult struct {
	// Version is the version of the write or the removal. For an operation
	// that changed nothing it is the version found; 0 means absent.
	Version uint64
	// Existed reports whether the key was there before.
	Existed bool
	// Number is the sum after OpIncrement.
	Number int64
}

// Item is a key and its value, for SetMany.
type Item struct {
	Key   string
	Value []byte
	TTL   time.Duration // 0 means for ever
}

// Batch runs all operations as one: other writers see all of it or nothing, and
// when any condition, limit or budget fails, nothing changes. Conditions look
// at the store before the batch. A key may be named once (ErrDuplicateKey).
// The errors are those of Set, Delete, Increment and Expire; a *ConflictError
// carries the index of the operation.
func (s *Store) Batch(ops []Op) ([]OpResult, error) {
	set, hashes, err := s.checkBatch(ops)
	if err != nil {
		return nil, err
	}
	if s.log != nil {
		if err := s.log.admit(); err != nil {
			return nil, err
		}
	}
	for try := 0; ; try++ {
		results, logged, err := s.batchOnce(ops, set, hashes)
		if full, ok := err.(*fullError); ok && s.canEvict(full, try) {
			continue
		}
		if logged != nil {
			err = s.log.commit(logged)
		}
		return results, err
	}
}

// batchOnce runs a batch unless there is no room for it.
func (s *Store) batchOnce(ops []Op, set shardSet, hashes []uint64) (results []OpResult, logged *commitGroup, err error) {
	s.lock(set)
	defer s.unlock(set)
	if s.closed.Load() {
		return nil, nil, ErrClosed
	}
	plans, err := s.planBatchLocked(ops, hashes)
	if err != nil {
		return nil, nil, err
	}
	results = make([]OpResult, len(ops))
	var changes logBuffer
	for i := range ops {
		sh := &s.shards[s.shardIndex(hashes[i])]
		// What was planned on may have moved for an operation before this one.
		cur := sh.present(hashes[i], ops[i].Key)
		s.commitLocked(sh, hashes[i], ops[i].Key, &cur, &plans[i], &results[i])
		if s.log != nil {
			changes.addOutcome(ops[i].Key, &plans[i], results[i].Version)
		}
	}
	if s.log != nil {
		logged = s.log.appendBatch(&changes)
	}
	return results, logged, nil
}

// SetMany stores all items as one batch and returns their versions.
func (s *Store) SetMany(items []Item) ([]uint64, error) {
	ops := make([]Op, len(items))
	for i, it := range items {
		ops[i] = Op{Kind: OpSet, Key: it.Key, Value: it.Value, TTL: it.TTL}
	}
	results, err := s.Batch(ops)
	if err != nil {
		return nil, err
	}
	versions := make([]uint64, len(results))
	for i, r := range results {
		versions[i] = r.Version
	}
	return versions, nil
}

// DeleteMany removes all keys as one batch and returns how many were present.
func (s *Store) DeleteMany(keys []string) (deleted int, err error) {
	ops := make([]Op, len(keys))
	for i, key := range keys {
		ops[i] = Op{Kind: OpDelete, Key: key}
	}
	results, err := s.Batch(ops)
	for _, r := range results {
		if r.Existed {
			deleted++
		}
	}
	return deleted, err
}

// checkBatch checks each operation on its own and finds the hashes and the
// shards involved.
func (s *Store) checkBatch(ops []Op) (set shardSet, hashes []uint64, err error) {
	if s.closed.Load() {
		return set, nil, ErrClosed
	}
	if len(ops) > BatchOpsMax {
		return set, nil, message.Errorf("%w, not %d", ErrBatchSize, len(ops))
	}
	for i := range ops {
		if err := s.checkOp(&ops[i]); err != nil {
			return set, nil, message.Errorf("operation %d of the batch: %w", i, err)
		}
	}
	hashes = s.hashOps(ops)
	for _, h := range hashes {
		set.add(s.shardIndex(h))
	}
	if i := duplicate(ops, hashes); i >= 0 {
		return set, nil, message.Errorf("%w: %q stands again at operation %d", ErrDuplicateKey, clip(ops[i].Key), i)
	}
	return set, hashes, nil
}

// hashOps is the hash of every key, many at a time.
func (s *Store) hashOps(ops []Op) []uint64 {
	hashes := make([]uint64, len(ops))
	var window [batchWindow]string
	for at := 0; at < len(ops); at += batchWindow {
		keys := window[:min(batchWindow, len(ops)-at)]
		for i := range keys {
			keys[i] = ops[at+i].Key
		}
		prefetchKeys(keys)
		hash.BatchSeeded(hashes[at:], keys, s.seed.Value())
	}
	return hashes
}

// duplicate is the first operation whose key stands at an earlier one, or -1.
func duplicate(ops []Op, hashes []uint64) int {
	size := 1 << bits.Len(uint(2*len(ops)))
	seen := make([]uint32, size) // 1 + the number of an operation
	for i, h := range hashes {
		at := int(h) & (size - 1)
		for ; seen[at] != 0; at = (at + 1) & (size - 1) {
			if j := seen[at] - 1; hashes[j] == h && ops[j].Key == ops[i].Key {
				return i
			}
		}
		seen[at] = uint32(i) + 1
	}
	return -1
}

// planBatchLocked plans every operation and reserves the bytes of all.
func (s *Store) planBatchLocked(ops []Op, hashes []uint64) ([]outcome, error) {
	plans := make([]outcome, len(ops))
	changes := make([]budgetChange, len(ops))
	for i := range ops {
		if i%batchWindow == 0 {
			s.warm(hashes[i:min(i+batchWindow, len(hashes))])
		}
		op := &ops[i]
		sh := &s.shards[s.shardIndex(hashes[i])]
		var cur entry
		s.liveLocked(sh, hashes[i], op.Key, &cur)
		err := s.plan(sh, op, &cur, &plans[i])
		if conflict, ok := err.(*ConflictError); ok {
			conflict.Index = i
			return nil, conflict
		}
		if err != nil {
			return nil, message.Errorf("operation %d of the batch: %w", i, err)
		}
		changes[i] = plans[i].budgetChange(s.rate(), op.Key, &cur)
	}
	return plans, s.budget.reserveAll(changes)
}

// shardSet is a set of shard numbers.
type shardSet [shardCountMax / 64]uint64

func (b *shardSet) add(i int) { b[i/64] |= 1 << (i % 64) }

func (b *shardSet) remove(i int) { b[i/64] &^= 1 << (i % 64) }

// each calls f for every shard of the set, in rising order: all who lock
// several shards lock them in this order, so that no two wait for each other.
func (b *shardSet) each(f func(i int)) {
	for w, word := range b {
		for ; word != 0; word &= word - 1 {
			f(w*64 + bits.TrailingZeros64(word))
		}
	}
}

// lock locks the shards of the set for writing, and keeps readers from seeing a
// part of what is then changed: a reader that saw a new value must find batch
// unset afterwards, and it is unset when all is done. unlock is its partner.
func (s *Store) lock(set shardSet) {
	set.each(func(i int) {
		s.shards[i].mu.Lock()
		s.shards[i].batch.Store(true)
	})
}

func (s *Store) unlock(set shardSet) {
	set.each(func(i int) { s.shards[i].batch.Store(s.closed.Load()) })
	set.each(func(i int) { s.shards[i].mu.Unlock() })
}

// allShards is the set of every shard.
func (s *Store) allShards() (set shardSet) {
	for i := range s.shards {
		set.add(i)
	}
	return set
}
