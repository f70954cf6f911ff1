package middleware_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
)

// buckets count what is taken of each key, and give no more than room.
type buckets struct {
	taken  map[string]int
	room   int
	broken error
}

func (b *buckets) Take(_ context.Context, key string, interval, depth time.Duration) (time.Duration, error) {
	if b.broken != nil {
		return 0, b.broken
	}
	if b.taken[key]++; b.taken[key] > b.room {
		return interval, nil
	}
	return 0, nil
}

// Where servers share their buckets, a limit is theirs together: two servers of one file
// ask for the same bucket, and each limit of a chain for its own. Without an answer a
// server counts alone.
func TestRateLimitOfSeveralServers(t *testing.T) {
	shared := &buckets{taken: map[string]int{}, room: 3}
	limits := []config.Middleware{
		limitOf(config.RateLimit{Requests: 100, Per: time.Hour, Burst: 100, By: "tool"}), limitOf(config.RateLimit{Requests: 100, Per: time.Hour, Burst: 100, By: "tool"}),
	}
	server := func() (*middleware.Shared, func() error) {
		s := middleware.NewShared(middleware.Options{Buckets: shared}, nil)
		h := wrap(t, ok, own(limits...), s)
		return s, func() error { _, err := call(h, `{}`); return err }
	}
	a, callA := server()
	_, callB := server()
	require.NoError(t, callA())
	require.NoError(t, callB())
	require.Len(t, shared.taken, 2, "one for each limit, whichever server asks")
	require.NoError(t, callA())
	err := callB()
	require.Equal(t, fault.Unavailable, fault.ClassOf(err))
	require.ErrorContains(t, err, "called too often")

	shared.broken = errors.New("no way to the store")
	require.NoError(t, callA(), "this server has let in none of its own")
	require.EqualValues(t, 1, counts(a, config.MiddlewareRateLimit)["alone"])
}
