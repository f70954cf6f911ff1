package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/ingot-run/ingot/state"
)

const (
	sweepInterval = time.Second
	sweepMax      = 200 // entries of one script
	clockInterval = 10  // sweeps between two looks at the server's clock
)

// background removes what has ended, and keeps what this process knows of the servers
// fresh, until Close.
func (m *Manager) background() {
	for round := 1; m.pause(m.ctx, sweepInterval) == nil; round++ {
		if m.sweep(m.ctx) != nil {
			continue // the calls of others say so too
		}
		if m.usage.set.Load() || m.o.BytesMax > 0 && len(m.buckets) > 1 {
			_ = m.readBudgets(m.ctx)
		}
		if round%clockInterval == 0 {
			m.readClock(m.ctx)
		}
	}
}

// sweep takes the entries that have ended out of the indexes, and tells the watchers.
// All processes do so; the script finds what is left to do.
func (m *Manager) sweep(ctx context.Context) error {
	return each(m.buckets, func(b *bucket) error {
		for {
			var keys []string
			err := m.attempt(ctx, b, false, func() (err error) {
				due := strconv.FormatInt(m.Now(), 10)
				keys, err = m.client.Do(ctx, m.client.B().Zrangebyscore().Key(b.ends).Min("-inf").Max(due).Limit(0, sweepMax).Build()).AsStrSlice()
				return err
			})
			if err != nil || len(keys) == 0 {
				return err
			}
			ops := make([]state.Op, len(keys))
			for i, key := range keys {
				ops[i] = state.Op{Kind: opSweep, Key: key}
			}
			if _, err := m.apply(ctx, b, ops, false); err != nil || len(keys) < sweepMax {
				return err
			}
		}
	})
}
