package conformance

import (
	"errors"
	"io"
	"time"

	"github.com/ingot-run/ingot/engine"
)

// store is what the scripts drive: the operations of engine.Store.
type store interface {
	Get(key string) (engine.Entry, error)
	Stat(key string) (engine.Meta, int, error)
	Exists(key string) (bool, error)
	GetMany(keys []string) ([]engine.Entry, error)
	Set(key string, value []byte, o engine.SetOptions) (uint64, error)
	Delete(key string, o engine.DeleteOptions) (uint64, bool, error)
	Increment(key string, delta int64) (int64, uint64, error)
	CompareAndSwap(key string, version uint64, value []byte) (uint64, bool, error)
	Expire(key string, ttl time.Duration) (uint64, error)
	SetMany(items []engine.Item) ([]uint64, error)
	DeleteMany(keys []string) (int, error)
	Batch(ops []engine.Op) ([]engine.OpResult, error)
	List(o engine.ListOptions) (engine.Page, error)
	Clear(prefix string) (int, error)
	Watch(o engine.WatchOptions) (watcher, error)
	Snapshot(w io.Writer) error
	Restore(r io.Reader) error
	SetBudget(prefix string, bytesMax int64) error
	Tick(max int) int
	Stats() engine.Stats
	Close() error
}

// watcher is what the scripts ask of a watcher.
type watcher interface {
	Poll(dst []engine.Event, max int) []engine.Event
	Close()
}

// opener opens a store whose clock is now, in Unix milliseconds.
type opener func(o engine.Options) (store, error)

// native is the engine itself; only the type of its watchers differs.
type native struct{ *engine.Store }

func (n native) Watch(o engine.WatchOptions) (watcher, error) {
	w, err := n.Store.Watch(o)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func openNative(o engine.Options) (store, error) {
	s, err := engine.Open(o)
	if err != nil {
		return nil, err
	}
	return native{s}, nil
}

// errorNames are the errors with their number in the ABI and the name that
// scripts and JavaScript use. js/errors.js holds the same table.
var errorNames = []struct {
	err    error
	number int32
	name   string
}{
	{engine.ErrConflict, -10, "ERR_CONFLICT"},
	{engine.ErrClosed, -11, "ERR_CLOSED"},
	{engine.ErrKeySize, -12, "ERR_KEY_SIZE"},
	{engine.ErrValueSize, -13, "ERR_VALUE_SIZE"},
	{engine.ErrTTL, -14, "ERR_TTL"},
	{engine.ErrFull, -15, "ERR_FULL"},
	{engine.ErrNotNumber, -16, "ERR_NOT_NUMBER"},
	{engine.ErrOverflow, -17, "ERR_OVERFLOW"},
	{engine.ErrOptions, -18, "ERR_OPTIONS"},
	{engine.ErrDuplicateKey, -19, "ERR_DUPLICATE_KEY"},
	{engine.ErrBatchSize, -20, "ERR_BATCH_SIZE"},
	{engine.ErrSnapshot, -21, "ERR_SNAPSHOT"},
	{engine.ErrWatcherClosed, -22, "ERR_WATCHER_CLOSED"},
}

// errorName is the stable name of an error.
func errorName(err error) string {
	for _, known := range errorNames {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "an error without a name: " + err.Error()
}
