package mcp

import (
	"context"
	"errors"
	"sync"
	"time"
)

// TaskStore keeps the records of tasks, so that they may outlive the process.
// A record is small JSON that only this package reads. All methods are safe for
// concurrent use.
type TaskStore interface {
	// Put stores a record, in place of an earlier one, for at least ttl.
	Put(ctx context.Context, id string, record []byte, ttl time.Duration) error
	// Get returns the record, or ErrNoTask.
	Get(ctx context.Context, id string) ([]byte, error)
}

// ErrNoTask is what a [TaskStore] returns for a task that it does not know, or
// no longer.
var ErrNoTask = errors.New("mcp: there is no such task")

// memoryTasks is the TaskStore of a server that is given none. What has ended
// is dropped when something is stored.
type memoryTasks struct {
	max int

	mu      sync.Mutex
	records map[string]memoryTask
}

type memoryTask struct {
	record []byte
	ends   time.Time
}

var _ TaskStore = (*memoryTasks)(nil)

// Put implements TaskStore. It fails when the store is full of tasks that have
// not ended.
func (m *memoryTasks) Put(_ context.Context, id string, record []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if _, known := m.records[id]; !known && len(m.records) >= m.max {
		for other, r := range m.records {
			if !now.Before(r.ends) {
				delete(m.records, other)
			}
		}
		if len(m.records) >= m.max {
			return errTooManyTasks
		}
	}
	if m.records == nil {
		m.records = make(map[string]memoryTask)
	}
	m.records[id] = memoryTask{append([]byte(nil), record...), now.Add(ttl)}
	return nil
}

// Get implements TaskStore.
func (m *memoryTasks) Get(_ context.Context, id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[id]
	if !ok || !time.Now().Before(r.ends) {
		return nil, ErrNoTask
	}
	return r.record, nil
}

var errTooManyTasks = errors.New("mcp: too many tasks are kept; try again when some have ended")
