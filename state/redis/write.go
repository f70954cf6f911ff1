package redis

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

//go:embed apply.lua
var applySource string

var applyScript = newScript(applySource)

// opSweep removes an entry whose time is over; beside the kinds of package state.
const opSweep = state.OpCheck + 1

// Set implements state.Manager.
func (m *Manager) Set(ctx context.Context, key string, value []byte, o state.SetOptions) (uint64, error) {
	op := state.Op{Kind: state.OpSet, Key: key, Value: value, TTL: o.TTL, KeepTTL: o.KeepTTL, IfVersion: o.IfVersion, IfAbsent: o.IfAbsent}
	r, err := m.one(ctx, op)
	return r.Version, err
}

// Delete implements state.Manager.
func (m *Manager) Delete(ctx context.Context, key string, o state.DeleteOptions) (uint64, bool, error) {
	r, err := m.one(ctx, state.Op{Kind: state.OpDelete, Key: key, IfVersion: o.IfVersion})
	if err != nil || !r.Existed {
		return 0, false, err
	}
	return r.Version, true, nil
}

// CompareAndSwap implements state.Manager.
func (m *Manager) CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	op := state.Op{Kind: state.OpSet, Key: key, Value: value, KeepTTL: true, IfVersion: version, IfAbsent: version == 0}
	if version == 0 {
		op.KeepTTL = false // it makes an entry, which may have the TTL of the store
	}
	r, err := m.one(ctx, op)
	if c, ok := errors.AsType[*state.ConflictError](err); ok {
		return c.Version, false, nil
	}
	return r.Version, err == nil, err
}

// Increment implements state.Manager.
func (m *Manager) Increment(ctx context.Context, key string, o state.IncrementOptions) (int64, uint64, error) {
	r, err := m.one(ctx, state.Op{Kind: state.OpIncrement, Key: key, Delta: o.Delta, TTL: o.TTL})
	return r.Number, r.Version, err
}

// Expire implements state.Manager.
func (m *Manager) Expire(ctx context.Context, key string, ttl time.Duration) (uint64, error) {
	r, err := m.one(ctx, state.Op{Kind: state.OpExpire, Key: key, TTL: ttl})
	if err == nil && !r.Existed {
		return 0, state.ErrNotFound
	}
	return r.Version, err
}

// SetMany implements state.Manager. In a cluster the keys must share a hash tag, as
// those of a Batch must.
func (m *Manager) SetMany(ctx context.Context, items []state.Item) ([]uint64, error) {
	ops := make([]state.Op, len(items))
	for i, item := range items {
		ops[i] = state.Op{Kind: state.OpSet, Key: item.Key, Value: item.Value, TTL: item.TTL}
	}
	results, err := m.Batch(ctx, ops)
	if err != nil {
		return nil, err
	}
	versions := make([]uint64, len(results))
	for i := range results {
		versions[i] = results[i].Version
	}
	return versions, nil
}

// Batch implements state.Manager. In a cluster all keys must be in one part of the
// store, which is sure when they share a hash tag: user:{42}:name and user:{42}:age
// do. Otherwise it returns state.ErrBatch.
func (m *Manager) Batch(ctx context.Context, ops []state.Op) ([]state.OpResult, error) {
	if m.closed.Load() {
		return nil, state.ErrClosed
	}
	if len(ops) > state.BatchOpsMax {
		return nil, fmt.Errorf("%w: a batch has at most %d operations, not %d", state.ErrBatch, state.BatchOpsMax, len(ops))
	}
	if len(ops) == 0 {
		return []state.OpResult{}, nil
	}
	ops = slices.Clone(ops)
	seen := make(map[string]struct{}, len(ops))
	for i := range ops {
		op := &ops[i]
		if err := m.checkOp(op); err != nil {
			return nil, fmt.Errorf("operation %d of the batch: %w", i, err)
		}
		if _, again := seen[op.Key]; again {
			return nil, fmt.Errorf("%w: key %.80q stands again at operation %d", state.ErrBatch, op.Key, i)
		}
		seen[op.Key] = struct{}{}
	}
	b := m.bucketOf(ops[0].Key)
	for i := range ops {
		if m.bucketOf(ops[i].Key) != b {
			return nil, fmt.Errorf("%w: the keys %.80q and %.80q are in different slots of the cluster, where nothing changes both as one: give them a hash tag in common, like {a}/one and {a}/two, or write them apart",
				state.ErrBatch, ops[0].Key, ops[i].Key)
		}
	}
	return m.apply(ctx, b, ops, true)
}

// one runs a single operation.
func (m *Manager) one(ctx context.Context, op state.Op) (state.OpResult, error) {
	if err := m.checkOp(&op); err != nil {
		return state.OpResult{}, err
	}
	results, err := m.apply(ctx, m.bucketOf(op.Key), []state.Op{op}, false)
	if err != nil {
		return state.OpResult{}, err
	}
	return results[0], nil
}

// checkOp refuses what is wrong whatever the store holds, and gives what is made the
// store's TTL.
func (m *Manager) checkOp(op *state.Op) error {
	if err := checkKey(op.Key); err != nil {
		return err
	}
	switch {
	case op.Kind < state.OpSet || op.Kind > state.OpCheck:
		return fmt.Errorf("%w: unknown kind of operation %d", state.ErrOptions, op.Kind)
	case len(op.Value) > m.o.ValueBytesMax:
		return fmt.Errorf("%w: it has %d bytes and the limit is %d", state.ErrValueSize, len(op.Value), m.o.ValueBytesMax)
	case op.TTL < 0 || op.TTL > state.TTLMax:
		return fmt.Errorf("%w: it is 0 to 100 years, not %v", state.ErrTTL, op.TTL)
	case op.IfAbsent && op.IfVersion != 0:
		return fmt.Errorf("%w: IfAbsent and IfVersion", state.ErrOptions)
	case op.KeepTTL && op.TTL != 0:
		return fmt.Errorf("%w: KeepTTL and TTL", state.ErrOptions)
	}
	if (op.Kind == state.OpSet || op.Kind == state.OpIncrement) && !op.KeepTTL {
		op.TTL = cmp.Or(op.TTL, m.o.TTL)
	}
	return nil
}

// apply runs checked operations on keys of one bucket as one.
func (m *Manager) apply(ctx context.Context, b *bucket, ops []state.Op, batch bool) ([]state.OpResult, error) {
	keys := make([]string, 0, 6+len(ops))
	keys = append(keys, b.meta, b.index, b.ends, b.charges, b.stream, b.scratch)
	args := make([]string, 0, 6+4*len(ops))
	args = m.preamble(args, b)
	for i := range ops {
		keys = append(keys, b.entries+ops[i].Key)
		args = appendOp(args, &ops[i])
	}
	if m.cache != nil && len(ops) > 1 {
		m.cache.block(keys[6:])
		defer m.cache.unblock(keys[6:])
	}
	reply, err := m.run(ctx, applyScript, b, keys, args)
	if m.cache != nil && (err == nil || errors.Is(err, state.ErrUncertain)) {
		for _, name := range keys[6:] {
			m.cache.drop(name) // before the caller can read again
		}
	}
	if err != nil {
		return nil, err
	}
	return m.results(b, ops, reply, batch)
}

// preamble are the arguments before those of the operations.
func (m *Manager) preamble(args []string, b *bucket) []string {
	now := ""
	if m.o.now != nil {
		now = strconv.FormatInt(m.o.now(), 10)
	}
	args = append(args, now, strconv.FormatUint(m.seen.Load(), 10), strconv.Itoa(m.o.StreamEvents),
		strconv.Itoa(m.o.StreamValueBytes), strconv.Itoa(len(b.entries)))
	return m.usage.hints(args, b, m.o.BytesMax)
}

// appendOp appends the arguments of an operation.
func appendOp(args []string, op *state.Op) []string {
	value := ""
	switch op.Kind {
	case state.OpSet:
		value = string(op.Value) // a copy: the caller may go on while this is sent
	case state.OpIncrement:
		value = strconv.FormatInt(op.Delta, 10)
	}
	ttl := ""
	if !op.KeepTTL {
		ttl = strconv.FormatInt(int64((op.TTL+time.Millisecond-1)/time.Millisecond), 10)
	}
	condition := ""
	switch {
	case op.IfAbsent:
		condition = "0"
	case op.IfVersion != 0:
		condition = strconv.FormatUint(op.IfVersion, 10)
	}
	return append(args, strconv.Itoa(int(op.Kind)), value, ttl, condition)
}

// results reads what the script says.
func (m *Manager) results(b *bucket, ops []state.Op, reply []string, batch bool) ([]state.OpResult, error) {
	if len(reply) == 0 || reply[0] == "ok" && len(reply) != 2+3*len(ops) || reply[0] != "ok" && len(reply) < 3 {
		return nil, fmt.Errorf("%w: %s: a script answers %.80q", state.ErrForeign, m.target.shown, reply)
	}
	if reply[0] != "ok" {
		return nil, m.problem(ops, reply, batch)
	}
	used, _ := strconv.ParseInt(reply[1], 10, 64)
	m.usage.note(b, used)
	results := make([]state.OpResult, len(ops))
	for i := range results {
		at := reply[2+3*i:]
		r := &results[i]
		r.Version, _ = strconv.ParseUint(at[0], 10, 64)
		r.Existed = at[1] == "1"
		if at[2] != "" {
			r.Number, _ = strconv.ParseInt(at[2], 10, 64)
		}
		m.saw(r.Version)
	}
	return results, nil
}

// problem is the error that the script tells of: what, which operation, what it found.
func (m *Manager) problem(ops []state.Op, reply []string, batch bool) error {
	index, _ := strconv.Atoi(reply[1])
	index = min(max(index, 0), len(ops)-1)
	op, found := &ops[index], reply[2]
	var err error
	switch reply[0] {
	case "conflict":
		version, _ := strconv.ParseUint(found, 10, 64)
		m.saw(version)
		return &state.ConflictError{Key: op.Key, Index: index, Version: version}
	case "number":
		err = fmt.Errorf("%w: key %.80q holds something else", state.ErrNotNumber, op.Key)
	case "overflow":
		err = fmt.Errorf("%w: key %.80q is at %.20s and the step is %d", state.ErrOverflow, op.Key, found, op.Delta)
	case "full":
		return fmt.Errorf("%w: %s bytes of %s are charged", state.ErrFull, found, reply[len(reply)-1])
	case "foreign":
		err = foreign(op.Key, cmp.Or(found, "a string that is no entry"))
	default:
		return fmt.Errorf("%w: %s: a script answers %.80q", state.ErrForeign, m.target.shown, reply)
	}
	if batch {
		return fmt.Errorf("operation %d of the batch: %w", index, err)
	}
	return err
}

// run sends a script that writes, and waits for replicas where that is asked for.
func (m *Manager) run(ctx context.Context, s *script, b *bucket, keys, args []string) (reply []string, err error) {
	replicas := int64(-1)
	err = m.attempt(ctx, b, true, func() error {
		var err error
		reply, replicas, err = m.send(ctx, s, keys, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.o.WaitReplicas > 0 && reply[0] == "ok" && replicas < int64(m.o.WaitReplicas) {
		return nil, fmt.Errorf("%w: %s: it was done, but only %d of %d replicas said so within %v", state.ErrUncertain, m.target.shown, max(replicas, 0), m.o.WaitReplicas, m.o.WaitTimeout)
	}
	return reply, nil
}

// send sends a script by its hash, or whole where the server does not know it.
func (m *Manager) send(ctx context.Context, s *script, keys, args []string) (reply []string, replicas int64, err error) {
	build := func(whole bool) rueidis.Completed {
		if whole {
			return m.client.B().Eval().Script(s.source).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
		}
		return m.client.B().Evalsha().Sha1(s.hash).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
	}
	for _, whole := range []bool{false, true} {
		if m.o.WaitReplicas == 0 {
			reply, err = m.client.Do(ctx, build(whole)).AsStrSlice()
		} else {
			wait := m.client.B().Wait().Numreplicas(int64(m.o.WaitReplicas)).Timeout(m.o.WaitTimeout.Milliseconds()).Build()
			both := m.client.DoMulti(ctx, build(whole), wait)
			if reply, err = both[0].AsStrSlice(); err == nil {
				replicas, _ = both[1].AsInt64() // an error is 0 replicas
			}
		}
		if reply, ok := rueidis.IsRedisErr(err); !ok || !reply.IsNoScript() {
			break
		}
	}
	return reply, replicas, err
}
