package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ingot-run/ingot/state"
)

const (
	retryPauseMin = 5 * time.Millisecond
	retryPauseMax = 250 * time.Millisecond
)

// attempt runs one exchange with the servers of a bucket. Reads are tried again until
// Timeout is over, writes only while it is sure that none was done.
func (m *Manager) attempt(ctx context.Context, b *bucket, write bool, send func() error) error {
	if m.closed.Load() {
		return state.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if ok, since, cause := b.breaker.admit(); !ok {
		return m.unavailable(since, cause)
	}
	err := send()
	if judge(ctx, err) == answered {
		b.breaker.succeeded()
		return m.meaning(err)
	}
	return m.again(ctx, b, write, send, err)
}

// again goes on after a first failure.
func (m *Manager) again(ctx context.Context, b *bucket, write bool, send func() error, err error) error {
	begun, pause := time.Now(), retryPauseMin
	for {
		fate := judge(ctx, err)
		switch {
		case fate == answered:
			b.breaker.succeeded()
			return m.meaning(err)
		case fate == ended:
			return m.ending(ctx, write)
		case fate == lost && write:
			b.breaker.failed(err)
			return m.uncertain(err)
		}
		since := b.breaker.failed(err)
		if time.Since(begun)+pause > m.o.retryFor {
			if means := m.meaning(err); errors.Is(means, state.ErrReadOnly) {
				return means
			}
			return m.unavailable(since, err)
		}
		if err := m.pause(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, retryPauseMax)
		err = send()
	}
}

// ending is the error of a call whose context, or whose Manager, ended.
func (m *Manager) ending(ctx context.Context, write bool) error {
	err := ctx.Err()
	if err == nil {
		err = state.ErrClosed
	}
	if write {
		return m.uncertain(err)
	}
	return err
}

// pause waits about as long as it is told.
func (m *Manager) pause(ctx context.Context, about time.Duration) error {
	timer := time.NewTimer(about/2 + rand.N(about))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return state.ErrClosed
	case <-timer.C:
		return nil
	}
}
