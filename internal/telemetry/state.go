package telemetry

import (
	"context"
	"errors"
	"time"

	"github.com/ingot-run/ingot/internal/trace"
	"github.com/ingot-run/ingot/state"
)

// State begins a span for each operation on m in a call that is traced. Keys and values
// are not in it. A nil tracer returns m.
func (t *Tracer) State(m state.Manager) state.Manager {
	if t == nil {
		return m
	}
	if b, ok := m.(state.Budgeter); ok {
		return &budgeted{traced{m}, b}
	}
	return &traced{m}
}

// traced is a Manager whose operations are spans.
type traced struct{ state.Manager }

// budgeted is one that can bound bytes.
type budgeted struct {
	traced
	state.Budgeter
}

var (
	_ state.Manager  = (*traced)(nil)
	_ state.Budgeter = (*budgeted)(nil)
)

// op begins the span of an operation; its partner is end. It is nil in a call that is not traced.
func op(ctx context.Context, name string) (context.Context, *trace.Span) {
	ctx, span := trace.Start(ctx, trace.Client, "state "+name)
	if span != nil {
		span.Set("db.system.name", "ingot")
		span.Set("db.operation.name", name)
	}
	return ctx, span
}

// end ends a span. That there is nothing under a key is no failure.
func end(span *trace.Span, err error) {
	if span == nil {
		return
	}
	class := ""
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		class = "state"
		for name, sentinel := range map[string]error{"full": state.ErrFull, "read_only": state.ErrReadOnly, "degraded": state.ErrDegraded} {
			if errors.Is(err, sentinel) {
				class = name
			}
		}
		if _, ok := errors.AsType[*state.ConflictError](err); ok {
			class = "conflict"
		}
	}
	span.End(class)
}

// Get implements state.Manager.
func (m *traced) Get(ctx context.Context, key string) (state.Entry, error) {
	ctx, span := op(ctx, "get")
	e, err := m.Manager.Get(ctx, key)
	end(span, err)
	return e, err
}

// AppendGet implements state.Manager.
func (m *traced) AppendGet(ctx context.Context, dst []byte, key string) ([]byte, state.Meta, error) {
	ctx, span := op(ctx, "get")
	out, meta, err := m.Manager.AppendGet(ctx, dst, key)
	end(span, err)
	return out, meta, err
}

// Exists implements state.Manager.
func (m *traced) Exists(ctx context.Context, key string) (bool, error) {
	ctx, span := op(ctx, "exists")
	found, err := m.Manager.Exists(ctx, key)
	end(span, err)
	return found, err
}

// GetMany implements state.Manager.
func (m *traced) GetMany(ctx context.Context, keys []string) ([]state.Entry, error) {
	ctx, span := op(ctx, "get_many")
	span.Set("db.operation.batch.size", int64(len(keys)))
	entries, err := m.Manager.GetMany(ctx, keys)
	end(span, err)
	return entries, err
}

// List implements state.Manager.
func (m *traced) List(ctx context.Context, o state.ListOptions) (state.Page, error) {
	ctx, span := op(ctx, "list")
	page, err := m.Manager.List(ctx, o)
	end(span, err)
	return page, err
}

// Set implements state.Manager.
func (m *traced) Set(ctx context.Context, key string, value []byte, o state.SetOptions) (uint64, error) {
	ctx, span := op(ctx, "set")
	version, err := m.Manager.Set(ctx, key, value, o)
	end(span, err)
	return version, err
}

// Delete implements state.Manager.
func (m *traced) Delete(ctx context.Context, key string, o state.DeleteOptions) (uint64, bool, error) {
	ctx, span := op(ctx, "delete")
	version, deleted, err := m.Manager.Delete(ctx, key, o)
	end(span, err)
	return version, deleted, err
}

// CompareAndSwap implements state.Manager.
func (m *traced) CompareAndSwap(ctx context.Context, key string, version uint64, value []byte) (uint64, bool, error) {
	ctx, span := op(ctx, "compare_and_swap")
	current, swapped, err := m.Manager.CompareAndSwap(ctx, key, version, value)
	end(span, err)
	return current, swapped, err
}

// Increment implements state.Manager.
func (m *traced) Increment(ctx context.Context, key string, o state.IncrementOptions) (int64, uint64, error) {
	ctx, span := op(ctx, "increment")
	sum, version, err := m.Manager.Increment(ctx, key, o)
	end(span, err)
	return sum, version, err
}

// Expire implements state.Manager.
func (m *traced) Expire(ctx context.Context, key string, ttl time.Duration) (uint64, error) {
	ctx, span := op(ctx, "expire")
	version, err := m.Manager.Expire(ctx, key, ttl)
	end(span, err)
	return version, err
}

// SetMany implements state.Manager.
func (m *traced) SetMany(ctx context.Context, items []state.Item) ([]uint64, error) {
	ctx, span := op(ctx, "set_many")
	span.Set("db.operation.batch.size", int64(len(items)))
	versions, err := m.Manager.SetMany(ctx, items)
	end(span, err)
	return versions, err
}

// Batch implements state.Manager.
func (m *traced) Batch(ctx context.Context, ops []state.Op) ([]state.OpResult, error) {
	ctx, span := op(ctx, "batch")
	span.Set("db.operation.batch.size", int64(len(ops)))
	results, err := m.Manager.Batch(ctx, ops)
	end(span, err)
	return results, err
}

// Clear implements state.Manager.
func (m *traced) Clear(ctx context.Context, prefix string) (int, error) {
	ctx, span := op(ctx, "clear")
	deleted, err := m.Manager.Clear(ctx, prefix)
	end(span, err)
	return deleted, err
}
