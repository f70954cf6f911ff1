package backoff_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/backoff"
)

var policy = backoff.Policy{Attempts: 3, Initial: 100 * time.Millisecond, Max: 30 * time.Second, Multiplier: 2}

func TestDelayGrowsUpToMax(t *testing.T) {
	for attempt, want := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 5: 1600 * time.Millisecond, 9: 25600 * time.Millisecond, 10: 30 * time.Second, 1_000_000: 30 * time.Second} {
		require.Equal(t, want, policy.Delay(attempt, 0), attempt)
	}
	require.Equal(t, time.Second, policy.Delay(1, time.Second), "what the other side asks for")
	require.Equal(t, 30*time.Second, policy.Delay(1, time.Hour), "within reason")
	require.Equal(t, time.Duration(0), backoff.Policy{}.Delay(3, time.Hour))
}

func TestJitterStaysInItsHalf(t *testing.T) {
	p := policy
	p.Jitter = true
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := p.Delay(2, 0)
		require.GreaterOrEqual(t, d, 100*time.Millisecond)
		require.LessOrEqual(t, d, 200*time.Millisecond)
		seen[d] = true
	}
	require.Greater(t, len(seen), 100)
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		require.NoError(t, policy.Wait(t.Context(), 2, 0))
		require.Equal(t, 200*time.Millisecond, time.Since(begun))

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		require.ErrorIs(t, policy.Wait(ctx, 1, 0), context.Canceled)

		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begun = time.Now()
		require.ErrorIs(t, policy.Wait(ctx, 1, 0), context.DeadlineExceeded)
		require.Zero(t, time.Since(begun), "it does not wait for what cannot be")
	})
}

func ExamplePolicy_Delay() {
	p := backoff.Policy{Initial: 100 * time.Millisecond, Max: time.Second, Multiplier: 2}
	fmt.Println(p.Delay(1, 0), p.Delay(2, 0), p.Delay(10, 0))
	// Output: 100ms 200ms 1s
}
