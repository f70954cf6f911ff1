package engine

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/ingot-run/ingot/internal/message"
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
	if fetches && o == (SetOptions{}) && uint(len(key)-1) < KeyBytesMax && (s.log == nil || s.log.state.Load() == nil) {
		if version, logged := s.overwrite(key, value); version != 0 {
			if logged != nil {
				err = s.log.commit(logged)
			}
			return version, err
		}
	}
	r, err := s.apply(&Op{
		Kind: OpSet, Key: key, Value: value,
		TTL: o.TTL, KeepTTL: o.KeepTTL, IfVersion: o.IfVersion, IfAbsent: o.IfAbsent,
	})
	return r.Version, err
}

// overwrite is Set without options where the key has a value of the same length that
// does not end, and nobody wants to know: then only the value's bytes change. It
// returns 0 in every other case, with nothing done. The cell is found before the
// lock is taken: with its head as it was, in a table that still stands, it is the
// key's.
func (s *Store) overwrite(key string, value []byte) (version uint64, logged *commitGroup) {
	h := s.hash(key)
	f := s.front(h)
	slots := f.slots.Load()
	c, head, info := f.seek(h, key)
	if c.p == nil || info&infoExpiry != 0 || infoValueLen(info) != len(value) || len(value) > overwriteBytesMax {
		return 0, nil
	}
	sh := &s.shards[s.shardIndex(h)]
	sh.mu.Lock()
	if *c.head() == head && f.slots.Load() == slots && sh.capture == nil && s.watchers.list.Load() == nil {
		version = s.version.Add(1)
		c.overwrite(len(key), value, version)
		sh.counts.sets++
		if s.log != nil {
			logged = s.log.append(&logRecord{kind: recordSet, key: key, value: value, Meta: Meta{Version: version}})
		}
	}
	sh.mu.Unlock()
	return version, logged
}

// overwriteBytesMax is the longest value that overwrite copies.
const overwriteBytesMax = 4096

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
// ErrTTL, ErrClosed, ErrFull (an entry that ends is charged more).
func (s *Store) Expire(key string, ttl time.Duration) (version uint64, err error) {
	r, err := s.apply(&Op{Kind: OpExpire, Key: key, TTL: ttl})
	return r.Version, err
}

// outcome is what one operation does to its key: put value, remove the key, or
// (neither) leave it.
type outcome struct {
	put, remove bool
	sameValue   bool // put: the value that is there
	value       []byte
	expiresAt   int64
	number      int64
}

// apply runs one operation under its shard's lock.
func (s *Store) apply(op *Op) (OpResult, error) {
	if err := s.checkOp(op); err != nil {
		return OpResult{}, err
	}
	if s.log != nil {
		if err := s.log.admit(); err != nil {
			return OpResult{}, err
		}
	}
	h := s.hash(op.Key)
	for try := 0; ; try++ {
		result, logged, err := s.applyOnce(op, h)
		if full, ok := err.(*fullError); ok && s.canEvict(full, try) {
			continue
		}
		if logged != nil {
			err = s.log.commit(logged)
		}
		return result, err
	}
}

// applyOnce runs an operation unless its shard alone cannot make room for it.
func (s *Store) applyOnce(op *Op, h uint64) (result OpResult, logged *commitGroup, err error) {
	sh := &s.shards[s.shardIndex(h)]
	sh.mu.Lock()
	if s.closed.Load() {
		err = ErrClosed
	} else {
		logged, err = s.applyLocked(sh, op, h, &result)
	}
	sh.mu.Unlock()
	return result, logged, err
}

func (s *Store) applyLocked(sh *shard, op *Op, h uint64, result *OpResult) (logged *commitGroup, err error) {
	var cur entry
	var out outcome
	s.liveLocked(sh, h, op.Key, &cur)
	if err := s.plan(sh, op, &cur, &out); err != nil {
		result.Number = out.number
		return nil, err
	}
	if change := out.budgetChange(s.rate(), op.Key, &cur); change.delta != 0 {
		if s.evict && s.ownRoom(sh, change, cur) {
			cur = sh.present(h, op.Key) // its cell may have moved
		}
		if err := s.budget.reserve(change); err != nil {
			return nil, err
		}
	}
	s.commitLocked(sh, h, op.Key, &cur, &out, result)
	if s.log != nil {
		logged = s.logOutcome(op.Key, &out, result.Version)
	}
	return logged, nil
}

// checkOp refuses what is wrong whatever the store holds.
func (s *Store) checkOp(op *Op) error {
	if err := s.checkKey(op.Key); err != nil {
		return err
	}
	if len(op.Value) > s.valueBytesMax {
		return message.Errorf("%w: it has %d bytes and the limit is %d", ErrValueSize, len(op.Value), s.valueBytesMax)
	}
	if op.TTL < 0 || op.TTL > TTLMax {
		return message.Errorf("%w, not %v", ErrTTL, op.TTL.String())
	}
	if op.IfAbsent && op.IfVersion != 0 {
		return message.Errorf("%w: IfAbsent and IfVersion", ErrOptions)
	}
	if op.KeepTTL && op.TTL != 0 {
		return message.Errorf("%w: KeepTTL and TTL", ErrOptions)
	}
	return nil
}

// liveLocked makes e the live entry of key, or leaves it zero. Every change of a
// shard begins with it: it lets a snapshot take the shard as it was, and removes
// an entry that has expired, so that no write can bring it back.
func (s *Store) liveLocked(sh *shard, h uint64, key string, e *entry) {
	if sh.capture != nil {
		sh.captureNow()
	}
	slot, r := sh.find(h, key)
	if slot < 0 {
		return
	}
	*e = sh.entry(slot, r)
	if e.ExpiresAt != 0 && s.expired(e.Meta) {
		s.removeExpiredLocked(sh, key, *e)
		*e = entry{}
	}
}

// present is the entry of key, expired or not, or the zero entry.
func (sh *shard) present(h uint64, key string) entry {
	slot, r := sh.find(h, key)
	if slot < 0 {
		return entry{}
	}
	return sh.entry(slot, r)
}

// entry is the entry in a slot.
func (sh *shard) entry(slot int, r ref) entry {
	c := sh.arena.at(r)
	info := *c.info()
	return entry{value: c.value(info), Meta: c.meta(*c.head(), info), slot: slot, ref: r}
}

// plan decides what op does to the live entry of its key, and changes nothing.
func (s *Store) plan(sh *shard, op *Op, cur *entry, out *outcome) error {
	if (op.IfAbsent && cur.Found()) || (op.IfVersion != 0 && op.IfVersion != cur.Version) {
		sh.counts.conflicts++
		return &ConflictError{Key: op.Key, Version: cur.Version}
	}
	switch op.Kind {
	case OpSet:
		out.put, out.value, out.expiresAt = true, op.Value, s.endOf(op, cur.Meta)
	case OpDelete:
		out.remove = cur.Found()
	case OpIncrement:
		return s.planIncrement(op, cur, out)
	case OpExpire:
		out.put, out.sameValue, out.expiresAt = cur.Found(), true, s.endOf(op, cur.Meta)
	case OpCheck:
	default:
		return message.Errorf("%w: unknown kind of operation %d", ErrOptions, byte(op.Kind))
	}
	return nil
}

// planIncrement reads, adds and writes the decimal number under the key.
func (s *Store) planIncrement(op *Op, cur *entry, out *outcome) error {
	n, ends := int64(0), cur.ExpiresAt
	if !cur.Found() {
		ends = s.endOf(op, Meta{})
	} else {
		var err error
		if n, err = strconv.ParseInt(string(cur.value), 10, 64); err != nil {
			return message.Errorf("%w: key %q holds %d bytes of something else", ErrNotNumber, clip(op.Key), len(cur.value))
		}
	}
	if (op.Delta > 0 && n > math.MaxInt64-op.Delta) || (op.Delta < 0 && n < math.MinInt64-op.Delta) {
		return message.Errorf("%w: key %q is at %d and the step is %d", ErrOverflow, clip(op.Key), n, op.Delta)
	}
	n += op.Delta
	*out = outcome{put: true, value: strconv.AppendInt(nil, n, 10), expiresAt: ends, number: n}
	return nil
}

// endOf is when the entry that op writes ends, in Unix milliseconds.
func (s *Store) endOf(op *Op, cur Meta) int64 {
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
// the shard and tells the watchers. The bytes were reserved before.
func (s *Store) commitLocked(sh *shard, h uint64, key string, cur *entry, out *outcome, result *OpResult) {
	result.Existed, result.Number, result.Version = cur.Found(), out.number, cur.Version
	switch {
	case out.put:
		if out.sameValue {
			out.value = cur.value
			if s.log != nil { // who logs it looks when its cell may be another's
				out.value = bytes.Clone(cur.value)
			}
		}
		result.Version = s.version.Add(1)
		sh.bytes += out.chargeDelta(s.rate(), key, cur)
		s.put(sh, h, key, cur, out.value, Meta{Version: result.Version, ExpiresAt: out.expiresAt})
		sh.counts.sets++
	case out.remove:
		result.Version = s.version.Add(1)
		sh.bytes += out.chargeDelta(s.rate(), key, cur)
		sh.counts.deletes++
		s.remove(sh, cur, key, Event{Kind: EventDelete, Meta: Meta{Version: result.Version}})
	}
}

// put stores an entry over cur, in its cell where the size allows.
func (s *Store) put(sh *shard, h uint64, key string, cur *entry, value []byte, meta Meta) {
	expires := meta.ExpiresAt != 0
	n := cellBytes(len(key), len(value), expires)
	if cur.Found() {
		sh.forgetExpiry(cur.Meta)
		if s.putInPlace(sh, key, cur, n, value, meta) {
			if expires {
				s.trackExpiryLocked(sh, h, meta)
			}
			s.watchers.emitSet(key, value, meta)
			return
		}
	}
	r, grown := sh.arena.alloc(n)
	c := sh.arena.at(r)
	c.fill(key, value, meta.ExpiresAt)
	c.publish(meta.Version)
	if grown {
		sh.showDir()
	}
	if cur.Found() {
		sh.replace(cur.slot, r)
		sh.wrote(key, cur, len(value), expires)
		s.watchers.emitSet(key, value, meta) // while cur's bytes, which value may be, are still there
		s.releaseCell(sh, cur.ref)
	} else {
		slot := sh.insert(h, r)
		if sh.queues != nil {
			sh.queues.add(slot, hashBits(h), rateEvicting.charge(len(key), len(value), expires), sh.table.live)
		}
		if sh.order != nil {
			sh.order.note(key, 0)
		}
		s.watchers.emitSet(key, value, meta)
	}
	if expires {
		s.trackExpiryLocked(sh, h, meta)
	}
}

// putInPlace writes an entry of n bytes into the cell of the one that is there, if
// that is one of the same size.
func (s *Store) putInPlace(sh *shard, key string, cur *entry, n int, value []byte, meta Meta) bool {
	was := cellBytes(len(key), len(cur.value), cur.ExpiresAt != 0)
	if (n+7)/8 != (was+7)/8 {
		class, _ := classOf(n)
		if oldClass, _ := classOf(was); class != oldClass || class == classAlone {
			return false
		}
	} else if (n+7)/8 > sharedWordsMax {
		return false
	}
	c := sh.arena.at(cur.ref)
	c.beginWrite()
	*c.info() = makeInfo(len(key), len(value), meta.ExpiresAt != 0)
	c.fillValue(len(key), value, meta.ExpiresAt)
	c.publish(meta.Version)
	sh.wrote(key, cur, len(value), meta.ExpiresAt != 0)
	return true
}

// remove takes an entry out of the shard and tells why. key may alias the cell,
// which is why the event goes out before the cell is released.
func (s *Store) remove(sh *shard, cur *entry, key string, why Event) {
	sh.forgetExpiry(cur.Meta)
	if sh.queues != nil {
		sh.queues.drop(cur.slot, rateEvicting.of(key, cur))
	}
	sh.removeSlot(cur.slot)
	if sh.order != nil {
		sh.order.note(key, orderOpRemoves)
	}
	why.Key = key
	s.watchers.emit(why)
	s.releaseCell(sh, cur.ref)
}

// releaseCell gives a cell back that no slot names any more, and moves a few
// others when its slab has become sparse.
func (s *Store) releaseCell(sh *shard, r ref) {
	a := &sh.arena
	sl := &a.slabs[a.chunks[r.chunk()].slab]
	a.at(r).kill()
	a.release(r)
	if a.isEmptying(sl) {
		s.evacuate(sh, sl)
	}
}

// evacuate moves some entries out of the chunk that is being emptied. Each keeps
// its version: a reader finds it in the old cell or in the new one.
func (s *Store) evacuate(sh *shard, sl *slab) {
	const looksMax = 8 * evacuateStep
	a := &sh.arena
	moved := 0
	for looks := 0; sl.emptying != 0 && moved < evacuateStep && looks < looksMax; looks++ {
		number := sl.emptying
		ch := a.chunks[number]
		if sl.emptyNext >= ch.used {
			sl.emptying = 0 // cells that were being looked at twice: start over when it is sparse still
			return
		}
		from := makeRef(number, sl.emptyNext*ch.words)
		sl.emptyNext++
		old := a.at(from)
		head := *old.head()
		if !alive(head) {
			continue
		}
		h := s.hash(old.key(*old.info()))
		slot := sh.findRef(h, from)
		to, grown := a.alloc(ch.words * 8)
		c := a.at(to)
		*c.info() = *old.info()
		copy(c.bytes(cellHeadBytes, ch.words*8-cellHeadBytes), old.bytes(cellHeadBytes, ch.words*8-cellHeadBytes))
		c.publish(head >> 1)
		if grown {
			sh.showDir()
		}
		sh.replace(slot, to)
		old.kill()
		a.release(from)
		moved++
	}
}
