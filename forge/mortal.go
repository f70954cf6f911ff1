package forge

import (
	"context"
	"errors"
	"time"

	"github.com/ingot-run/ingot/state"
)

// mortal is a state whose entries live for a time where the writer says none.
type mortal struct {
	state.Manager
	ttl time.Duration
}

func (m *mortal) life(ttl time.Duration) time.Duration {
	if ttl == 0 {
		return m.ttl
	}
	return ttl
}

// Set implements state.Manager.
func (m *mortal) Set(ctx context.Context, key string, value []byte, o state.SetOptions) (uint64, error) {
	if !o.KeepTTL {
		o.TTL = m.life(o.TTL)
	}
	return m.Manager.Set(ctx, key, value, o)
}

// Increment implements state.Manager: a counter lives from its first step on.
func (m *mortal) Increment(ctx context.Context, key string, o state.IncrementOptions) (int64, uint64, error) {
	o.TTL = m.life(o.TTL)
	return m.Manager.Increment(ctx, key, o)
}

// CompareAndSwap implements state.Manager.
func (m *mortal) CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	if version != 0 {
		return m.Manager.CompareAndSwap(ctx, key, version, value)
	}
	current, err := m.Manager.Set(ctx, key, value, state.SetOptions{IfAbsent: true, TTL: m.ttl})
	if c, ok := errors.AsType[*state.ConflictError](err); ok {
		return c.Version, false, nil
	}
	return current, err == nil, err
}

// SetMany implements state.Manager.
func (m *mortal) SetMany(ctx context.Context, items []state.Item) ([]uint64, error) {
	all := make([]state.Item, len(items))
	for i, item := range items {
		item.TTL = m.life(item.TTL)
		all[i] = item
	}
	return m.Manager.SetMany(ctx, all)
}

// Batch implements state.Manager.
func (m *mortal) Batch(ctx context.Context, ops []state.Op) ([]state.OpResult, error) {
	all := make([]state.Op, len(ops))
	for i, op := range ops {
		if op.Kind == state.OpIncrement || op.Kind == state.OpSet && !op.KeepTTL {
			op.TTL = m.life(op.TTL)
		}
		all[i] = op
	}
	return m.Manager.Batch(ctx, all)
}
