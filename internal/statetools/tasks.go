package statetools

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// tasksBytesMax bounds what tasks take of the store, in bytes: their records are
// some hundred bytes each, and results are small too.
const tasksBytesMax = 64 << 20

// Tasks keeps the tasks of a server in its state, where clients do not reach them,
// so that they outlive the process: mcp.Options.Tasks. What is over its time to live
// is gone.
type Tasks struct {
	open func() (state.Manager, error)
}

var _ mcp.TaskStore = (*Tasks)(nil)

// NewTasks keeps tasks in m. It costs nothing until there is one.
func NewTasks(m state.Manager) *Tasks {
	return &Tasks{sync.OnceValues(func() (state.Manager, error) { // a budget costs each writer a look
		system, err := state.System(m, "tasks")
		if err != nil {
			return nil, err
		}
		return state.Scope(system, state.Namespace{Prefix: "records/", BytesMax: tasksBytesMax})
	})}
}

// Put implements mcp.TaskStore.
func (t *Tasks) Put(ctx context.Context, id string, record []byte, ttl time.Duration) error {
	kept, err := t.open()
	if err != nil {
		return err
	}
	_, err = kept.Set(ctx, id, record, state.SetOptions{TTL: ttl})
	return err
}

// Get implements mcp.TaskStore.
func (t *Tasks) Get(ctx context.Context, id string) ([]byte, error) {
	if id == "" {
		return nil, mcp.ErrNoTask
	}
	kept, err := t.open()
	if err != nil {
		return nil, err
	}
	e, err := kept.Get(ctx, id)
	if errors.Is(err, state.ErrNotFound) {
		return nil, mcp.ErrNoTask
	}
	return e.Value, err
}
