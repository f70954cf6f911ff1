package redis_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ingot-run/ingot/internal/redistest"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
	"github.com/ingot-run/ingot/state/statetest"
	"github.com/stretchr/testify/require"
)

var background = context.Background()

// stores counts the stores that were made, each of which has a name of its own.
var stores atomic.Int64

// open opens an empty store.
func open(t testing.TB, o redis.Options) *redis.Manager {
	t.Helper()
	if o.Name == "" {
		o.Name = fmt.Sprintf("test%d", stores.Add(1))
	}
	m, err := redis.Open(background, o)
	require.NoError(t, err)
	return m
}

func TestSingle(t *testing.T) {
	server := redistest.Single(t)
	statetest.Run(t, func(t testing.TB, o statetest.Options) state.Manager {
		return open(t, redis.WithClock(redis.Options{URL: server.URL(), BytesMax: o.BytesMax}, o.Now))
	})
}
