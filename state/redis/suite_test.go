package redis_test

import (
	"context"
	"flag"
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

// open opens an empty store. The test closes it.
func open(t testing.TB, o redis.Options) *redis.Manager {
	t.Helper()
	if o.Name == "" {
		o.Name = fmt.Sprintf("test%d", stores.Add(1))
	}
	m, err := redis.Open(background, o)
	require.NoError(t, err)
	return m
}

// opened is an empty store that ends with the test.
func opened(t testing.TB, o redis.Options) *redis.Manager {
	t.Helper()
	m := open(t, o)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// settling is a Manager that the suite can wait for.
type settling struct{ *redis.Manager }

func (s settling) Settle(t testing.TB) { require.NoError(t, s.Manager.Settle(background)) }

// spread is a Manager on a cluster, where keys go in groups.
type spread struct{ settling }

func (spread) Together(key string) string { return "{t}" + key }

// tagged is a namespace of a cluster all of whose keys are one group.
type tagged struct {
	*state.Scoped
	settling settling
}

func (s tagged) Settle(t testing.TB) { s.settling.Settle(t) }

func (s tagged) Close() error {
	s.Scoped.Close()
	return s.settling.Close()
}

// suite runs the suite of state on the servers of a URL.
func suite(t *testing.T, o redis.Options, wrap func(t testing.TB, m settling, o statetest.Options) state.Manager) {
	statetest.Run(t, func(t testing.TB, so statetest.Options) state.Manager {
		each := o
		each.BytesMax = so.BytesMax
		return wrap(t, settling{open(t, redis.WithClock(each, so.Now))}, so)
	})
}

func plain(_ testing.TB, m settling, _ statetest.Options) state.Manager { return m }

// fewer lets random tests make fewer tries, where each costs a connection to every
// node.
func fewer(t *testing.T) {
	const name = "rapid.checks"
	before := flag.Lookup(name).Value.String()
	require.NoError(t, flag.Set(name, "25"))
	t.Cleanup(func() { require.NoError(t, flag.Set(name, before)) })
}

func TestSingle(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	t.Run("plain", func(t *testing.T) { suite(t, redis.Options{URL: server.URL()}, plain) })
	t.Run("cached", func(t *testing.T) { suite(t, redis.Options{URL: server.URL(), CacheEntries: 100}, plain) })
}

func TestCluster(t *testing.T) {
	fewer(t)
	nodes := redistest.Cluster(t, 3, 0, "--appendonly", "no")
	t.Run("spread", func(t *testing.T) {
		suite(t, redis.Options{URL: nodes.URL()}, func(_ testing.TB, m settling, _ statetest.Options) state.Manager { return spread{m} })
	})
	t.Run("tagged", func(t *testing.T) {
		suite(t, redis.Options{URL: nodes.URL(), Buckets: 3}, func(t testing.TB, m settling, o statetest.Options) state.Manager {
			s, err := state.Scope(m, state.Namespace{Prefix: "{tag}/"})
			require.NoError(t, err)
			return tagged{s, m}
		})
	})
}
