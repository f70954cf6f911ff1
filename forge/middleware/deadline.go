package middleware

import (
	"context"
	"sync"
	"time"
)

// deadline is a context with a deadline that costs a timer only once somebody waits
// for its end. context.WithDeadline pays for it at once, which is more than all the
// rest of a chain: most calls are over before anybody has waited.
type deadline struct {
	parent context.Context
	at     time.Time // earlier than the parent's, if that has one

	mu     sync.Mutex
	err    error           // once it has been told
	inner  context.Context // made by the first Done
	cancel context.CancelFunc
}

var _ context.Context = (*deadline)(nil)

// Deadline is when the context ends.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done is closed at the end.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		d.inner, d.cancel = context.WithDeadline(d.parent, d.at)
		if d.err != nil {
			d.cancel()
		}
	}
	return d.inner.Done()
}

// Err says whether, and why, the context is over.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.err != nil:
	case d.inner != nil:
		d.err = d.inner.Err()
	default:
		if d.err = d.parent.Err(); d.err == nil && !time.Now().Before(d.at) {
			d.err = context.DeadlineExceeded
		}
	}
	return d.err
}

// Value is the parent's. Once there is an inner context it is asked, so that contexts
// made of this one find what to hang on to.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	inner := d.inner
	d.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	return d.parent.Value(key)
}

// end releases what the context holds. Its partner is the making.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = context.Canceled
	}
	if d.cancel != nil {
		d.cancel()
	}
}
