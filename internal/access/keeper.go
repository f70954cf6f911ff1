package access

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Recorder keeps a record of requests; package audit has one.
type Recorder interface {
	// Ready returns why nothing can be recorded, where nothing may be done then.
	Ready() error
	// Record keeps the record of a request. Its error takes the answer's place.
	Record(who Caller, r *mcp.Record) error
	// Hold is Record for an answer that waits for Commit.
	Hold(who Caller, r *mcp.Record) error
	// Commit keeps what was held before it. Its error takes the place of the answers
	// that wait for it.
	Commit() error
	// Waits says whether Record may wait for a disk.
	Waits() bool
}

// Keeper is the guard of a server: the policy in force, and who records. Its methods are
// safe for concurrent use.
type Keeper struct {
	recorder Recorder // nil: nobody
	policy   atomic.Pointer[Policy]
	denied   atomic.Int64

	mu      sync.Mutex
	budgets map[string]int64 // those that are set, by their prefixes
}

var _ mcp.Committer = (*Keeper)(nil)

// NewKeeper returns a keeper. A nil policy allows everything, and a nil recorder keeps
// no records.
func NewKeeper(p *Policy, r Recorder) *Keeper {
	k := &Keeper{recorder: r, budgets: map[string]int64{}}
	k.policy.Store(p)
	return k
}

// Use puts another policy in force: requests that begin from then on are asked by it.
func (k *Keeper) Use(p *Policy) { k.policy.Store(p) }

// Denied is how many requests were refused since the start.
func (k *Keeper) Denied() int64 { return k.denied.Load() }

// Count is Denied for what has a keeper or none; false: there is none.
func (k *Keeper) Count() (denied int64, ok bool) {
	if k == nil {
		return 0, false
	}
	return k.Denied(), true
}

// Begin implements mcp.Guard.
func (k *Keeper) Begin(context.Context) (record bool, err error) {
	if k.recorder == nil {
		return false, nil
	}
	return true, k.recorder.Ready()
}

// Allow implements mcp.Guard.
func (k *Keeper) Allow(ctx context.Context, kind mcp.Kind, name string) error {
	err := k.policy.Load().Allow(ctx, kind, name)
	if err != nil {
		k.denied.Add(1)
	}
	return err
}

// Shows implements mcp.Guard.
func (k *Keeper) Shows(ctx context.Context, kind mcp.Kind, name string) bool {
	return k.policy.Load().Shows(ctx, kind, name)
}

// Record implements mcp.Guard.
func (k *Keeper) Record(ctx context.Context, r *mcp.Record) error {
	return k.recorder.Record(CallerOf(ctx), r)
}

// Hold implements mcp.Committer.
func (k *Keeper) Hold(ctx context.Context, r *mcp.Record) error {
	return k.recorder.Hold(CallerOf(ctx), r)
}

// Commit implements mcp.Committer.
func (k *Keeper) Commit() error { return k.recorder.Commit() }

// Waits implements mcp.Guard.
func (k *Keeper) Waits() bool { return k.recorder != nil && k.recorder.Waits() }

// budget sets a budget of a caller's keys, once.
func (k *Keeper) budget(m state.Manager, prefix string, bytesMax int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.budgets[prefix] == bytesMax {
		return nil
	}
	if _, err := state.Scope(m, state.Namespace{Prefix: prefix, BytesMax: bytesMax}); err != nil {
		return fmt.Errorf("setting the quota state_bytes of %.200q: %w", prefix, err)
	}
	k.budgets[prefix] = bytesMax
	return nil
}
