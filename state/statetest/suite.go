// Package statetest is the suite that every backend of state.Manager passes, and
// every Manager that stands on another: the rules of each operation, a model test
// against a plain map, a check of concurrent histories for linearizability, lists
// and watchers under changes, and namespaces that nobody leaves.
//
// Run takes a function that opens a Manager and runs everything as subtests. What a
// backend on other machines does otherwise, its Manager says: see Grouper and Settler.
//
//	func TestMemory(t *testing.T) {
//		statetest.Run(t, func(t testing.TB, o statetest.Options) state.Manager { … })
//	}
//
// # Caveats
//
// Random tests use pgregory.net/rapid: a failure prints the seed, and -rapid.seed
// takes it back. The others draw their own seeds, print them, and take them back
// from the environment variable INGOT_TEST_SEED.
package statetest

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

// Options are what a test asks of a Manager.
type Options struct {
	Now      func() int64 // the time in Unix milliseconds
	BytesMax int64        // a byte budget; 0 is none
}

// Opener opens an empty Manager. The test closes it.
type Opener func(t testing.TB, o Options) state.Manager

// Grouper is a Manager that changes several keys as one only where they are alike:
// Together makes such keys, for the tests of batches and of an order between keys.
type Grouper interface {
	Together(key string) string
}

// Settler is a Manager whose watchers hear of a change after the write has returned:
// Settle returns when they have heard of all changes.
type Settler interface {
	Settle(t testing.TB)
}

// together is a key that m changes as one with others of this function.
func together(m state.Manager, key string) string {
	if g, ok := m.(Grouper); ok {
		return g.Together(key)
	}
	return key
}

// settle waits until the watchers of m have heard of all changes.
func settle(t testing.TB, m state.Manager) {
	t.Helper()
	if s, ok := m.(Settler); ok {
		s.Settle(t)
	}
}

// Run runs the whole suite on the Managers that open makes.
func Run(t *testing.T, open Opener) {
	t.Run("rules", func(t *testing.T) { testRules(t, open) })
	t.Run("batch", func(t *testing.T) { testBatch(t, open) })
	t.Run("limits", func(t *testing.T) { testLimits(t, open) })
	t.Run("expiry", func(t *testing.T) { testExpiry(t, open) })
	t.Run("budget", func(t *testing.T) { testBudget(t, open) })
	t.Run("list", func(t *testing.T) { testList(t, open) })
	t.Run("watch", func(t *testing.T) { testWatch(t, open) })
	t.Run("namespaces", func(t *testing.T) { testNamespaces(t, open) })
	t.Run("model", func(t *testing.T) { testModel(t, open) })
	t.Run("linearizable", func(t *testing.T) { testLinearizable(t, open) })
	t.Run("closed", func(t *testing.T) { testClosed(t, open) })
}

// clock is a time that the test moves by hand.
type clock struct{ millis atomic.Int64 }

func (c *clock) pass(millis int64) { c.millis.Add(millis) }

// opened is a Manager on a clock, closed at the end of the test.
func opened(t testing.TB, open Opener, o Options) (state.Manager, *clock) {
	t.Helper()
	c := &clock{}
	c.millis.Store(1_700_000_000_000)
	o.Now = c.millis.Load
	m := open(t, o)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, c
}

var background = context.Background()

// set stores and returns the version.
func set(t testing.TB, m state.Manager, key, value string, o state.SetOptions) uint64 {
	t.Helper()
	version, err := m.Set(background, key, []byte(value), o)
	require.NoError(t, err)
	require.NotZero(t, version)
	return version
}

// value reads a key that must be there.
func value(t testing.TB, m state.Manager, key string) string {
	t.Helper()
	e, err := m.Get(background, key)
	require.NoError(t, err, "key %q", key)
	require.True(t, e.Found())
	return string(e.Value)
}

// absent asserts by every kind of read that key is not there.
func absent(t testing.TB, m state.Manager, key string) {
	t.Helper()
	e, err := m.Get(background, key)
	require.ErrorIs(t, err, state.ErrNotFound)
	require.Zero(t, e)
	exists, err := m.Exists(background, key)
	require.NoError(t, err)
	require.False(t, exists)
	many, err := m.GetMany(background, []string{key})
	require.NoError(t, err)
	require.False(t, many[0].Found())
	out, meta, err := m.AppendGet(background, []byte("x"), key)
	require.ErrorIs(t, err, state.ErrNotFound)
	require.Equal(t, "x", string(out))
	require.Zero(t, meta)
	_, err = m.Expire(background, key, 0)
	require.ErrorIs(t, err, state.ErrNotFound)
}

// keys are those of all pages.
func keys(t testing.TB, m state.Manager, o state.ListOptions) (all []string) {
	t.Helper()
	for {
		page, err := m.List(background, o)
		require.NoError(t, err)
		for _, e := range page.Entries {
			all = append(all, e.Key)
		}
		if page.Next == "" {
			return all
		}
		require.NotEmpty(t, page.Entries, "a page with a next one has entries")
		o.Cursor = page.Next
	}
}

// seeded is a random source whose seed is printed and can be set from outside.
func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if text := os.Getenv("INGOT_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "INGOT_TEST_SEED")
	}
	t.Logf("INGOT_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
