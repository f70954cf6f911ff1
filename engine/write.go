package engine

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// SetOptions are the conditions and the lifetime of a Set. The zero value
// stores without condition and without end.
type SetOptions struct {
	// TTL is how long the entry lives, in whole milliseconds (rounded up);
	// 0 means for ever.
	TTL time.Duration
	// KeepTTL leaves the end of the entry that is there as it is.
	KeepTTL bool
	// IfVersion stores only when the key is at this version. 0 is no condition.
	IfVersion uint64
	// IfAbsent stores only when the key is absent.
	IfAbsent bool
}

// DeleteOptions are the conditions of a Delete.
type DeleteOptions struct {
	// IfVersion deletes only when the key is at this version. 0 is no condition.
	IfVersion uint64
}

// Set stores a copy of value under key and returns its version. It returns
// ErrKeySize, ErrValueSize, ErrTTL, ErrOptions, ErrFull, ErrClosed, or a
// *ConflictError when a condition does not hold; then nothing has changed.
func (s *Store) Set(key string, value []byte, o SetOptions) (version uint64, err error) {
	r, err := s.apply(&Op{
		Kind: OpSet, Key: key, Value: value,
		TTL: o.TTL, KeepTTL: o.KeepTTL, IfVersion: o.IfVersion, IfAbsent: o.IfAbsent,
	})
	return r.Version, err
}

// Delete removes key. It returns the version of the removal and true, or 0 and
// false when the key was absent. It returns ErrKeySize, ErrClosed or, when
// IfVersion does not hold, a *ConflictError.
func (s *Store) Delete(key string, o DeleteOptions) (version uint64, deleted bool, err error) {
	r, err := s.apply(&Op{Kind: OpDelete, Key: key, IfVersion: o.IfVersion})
	return r.Version, r.Version != 0, err
}

// Increment adds delta to the decimal int64 under key and returns the sum and
// its version. An absent key counts as 0. The entry keeps its expiry. It
// returns ErrNotNumber or ErrOverflow beside the errors of Set.
func (s *Store) Increment(key string, delta int64) (sum int64, version uint64, err error) {
	r, err := s.apply(&Op{Kind: OpIncrement, Key: key, Delta: delta})
	return r.Number, r.Version, err
}

// CompareAndSwap stores value only while key is at version (0: absent), and
// keeps the entry's expiry. It returns the new version and true, or the
// version found (0: absent) and false. Errors are those of Set, without
// *ConflictError.
func (s *Store) CompareAndSwap(key string, version uint64, value []byte) (current uint64, swapped bool, err error) {
	op := &Op{Kind: OpSet, Key: key, Value: value, KeepTTL: true, IfVersion: version, IfAbsent: version == 0}
	r, err := s.apply(op)
	if conflict, ok := errors.AsType[*ConflictError](err); ok {
		return conflict.Version, false, nil
	}
	return r.Version, err == nil, err
}

// Expire gives key a new time to live from now; 0 lets it live for ever. It
// returns the new version, or 0 when the key is absent. Errors: ErrKeySize,
// ErrTTL, ErrClosed.
func (s *Store) Expire(key string, ttl time.Duration) (version uint64, err error) {
	r, err := s.apply(&Op{Kind: OpExpire, Key: key, TTL: ttl})
	return r.Version, err
}

// outcome is what one operation does to its key: put next, remove the key, or
// (neither) leave it.
type outcome struct {
	put, remove bool
	next        entry
	number      int64
}

// apply runs one operation under its shard's lock.
func (s *Store) apply(op *Op) (OpResult, error) {
	if err := s.checkOp(op); err != nil {
		return OpResult{}, err
	}
	if op.Kind == OpSet { // copied before the lock, so that a long copy delays nobody
		c := *op
		c.Value = append(make([]byte, 0, len(op.Value)), op.Value...)
		op = &c
	}
	sh := &s.shards[s.shardIndex(op.Key)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	cur := s.liveLocked(sh, op.Key)
	out, err := s.plan(op, cur)
	if err != nil {
		return OpResult{Number: out.number}, err
	}
	if err := s.budget.reserve(op.Key, out.chargeDelta(op.Key, cur)); err != nil {
		return OpResult{}, err
	}
	return s.commitLocked(sh, op, cur, out), nil
}

// checkOp refuses what is wrong whatever the store holds.
func (s *Store) checkOp(op *Op) error {
	if err := s.checkKey(op.Key); err != nil {
		return err
	}
	if len(op.Value) > s.valueBytesMax {
		return fmt.Errorf("%w: it has %d bytes and the limit is %d", ErrValueSize, len(op.Value), s.valueBytesMax)
	}
	if op.TTL < 0 || op.TTL > TTLMax {
		return fmt.Errorf("%w, not %v", ErrTTL, op.TTL)
	}
	if op.IfAbsent && op.IfVersion != 0 {
		return fmt.Errorf("%w: IfAbsent and IfVersion", ErrOptions)
	}
	if op.KeepTTL && op.TTL != 0 {
		return fmt.Errorf("%w: KeepTTL and TTL", ErrOptions)
	}
	return nil
}

// liveLocked returns the live entry of key, or the zero entry. An entry that
// has expired is removed on the way, so that no write can bring it back.
func (s *Store) liveLocked(sh *shard, key string) entry {
	if sh.m == nil { // closed after checkKey
		return entry{}
	}
	e, ok := sh.m[key]
	if ok && s.expired(e) {
		s.removeExpiredLocked(sh, key, e)
		return entry{}
	}
	return e
}

// plan decides what op does to cur, the live entry of its key, and changes
// nothing.
func (s *Store) plan(op *Op, cur entry) (outcome, error) {
	if (op.IfAbsent && cur.Found()) || (op.IfVersion != 0 && op.IfVersion != cur.Version) {
		s.counts.conflicts.Add(1)
		return outcome{}, &ConflictError{Key: op.Key, Version: cur.Version}
	}
	switch op.Kind {
	case OpSet:
		return outcome{put: true, next: entry{value: op.Value, Meta: Meta{ExpiresAt: s.endOf(op, cur)}}}, nil
	case OpDelete:
		return outcome{remove: cur.Found()}, nil
	case OpIncrement:
		return planIncrement(op, cur)
	case OpExpire:
		next := entry{value: cur.value, Meta: Meta{ExpiresAt: s.endOf(op, cur)}}
		return outcome{put: cur.Found(), next: next}, nil
	case OpCheck:
		return outcome{}, nil
	default:
		return outcome{}, fmt.Errorf("%w: unknown kind of operation %d", ErrOptions, op.Kind)
	}
}

// planIncrement reads, adds and writes the decimal number under the key.
func planIncrement(op *Op, cur entry) (outcome, error) {
	var n int64
	if cur.Found() {
		var err error
		if n, err = strconv.ParseInt(string(cur.value), 10, 64); err != nil {
			return outcome{}, fmt.Errorf("%w: key %q holds %d bytes of something else", ErrNotNumber, clip(op.Key), len(cur.value))
		}
	}
	if (op.Delta > 0 && n > math.MaxInt64-op.Delta) || (op.Delta < 0 && n < math.MinInt64-op.Delta) {
		return outcome{}, fmt.Errorf("%w: key %q is at %d and the step is %d", ErrOverflow, clip(op.Key), n, op.Delta)
	}
	n += op.Delta
	next := entry{value: strconv.AppendInt(nil, n, 10), Meta: Meta{ExpiresAt: cur.ExpiresAt}}
	return outcome{put: true, next: next, number: n}, nil
}

// endOf is when the entry that op writes ends, in Unix milliseconds.
func (s *Store) endOf(op *Op, cur entry) int64 {
	switch {
	case op.KeepTTL:
		return cur.ExpiresAt
	case op.TTL == 0:
		return 0
	default:
		millis := (op.TTL + time.Millisecond - 1) / time.Millisecond
		return s.now() + int64(millis)
	}
}

// commitLocked makes a planned outcome real: it takes the next version, changes
// the table and tells the watchers. The bytes were reserved before.
func (s *Store) commitLocked(sh *shard, op *Op, cur entry, out outcome) OpResult {
	result := OpResult{Existed: cur.Found(), Number: out.number, Version: cur.Version}
	switch {
	case sh.m == nil: // closed in between: nothing is kept
		return OpResult{}
	case out.put:
		out.next.Version = s.version.Add(1)
		result.Version = out.next.Version
		sh.m[op.Key] = out.next
		s.trackExpiryLocked(sh, op.Key, out.next)
		s.counts.written(cur.Found())
		s.watchers.emit(Event{Kind: EventSet, Key: op.Key, Value: out.next.value, Meta: out.next.Meta})
	case out.remove:
		result.Version = s.version.Add(1)
		delete(sh.m, op.Key)
		s.counts.removed()
		s.watchers.emit(Event{Kind: EventDelete, Key: op.Key, Meta: Meta{Version: result.Version}})
	}
	return result
}

// chargeDelta is by how many bytes the outcome changes what is resident.
func (o outcome) chargeDelta(key string, cur entry) int64 {
	var delta int64
	if cur.Found() && (o.put || o.remove) {
		delta -= charge(key, cur.value)
	}
	if o.put {
		delta += charge(key, o.next.value)
	}
	return delta
}

// charge is what an entry costs against a budget, in bytes.
func charge(key string, value []byte) int64 {
	return int64(len(key)) + int64(len(value)) + entryOverheadBytes
}
