// Package enginetest is the suite that every build of the engine passes: the
// rules of each operation, a model test against a plain map, a check of
// concurrent histories for linearizability, and stress tests of what must never
// be lost.
//
// Run takes a function that opens a store and runs everything as subtests:
//
//	func TestSuite(t *testing.T) { enginetest.Run(t, engine.Open) }
//
// # Caveats
//
// Random tests use pgregory.net/rapid: a failure prints the seed, and
// -rapid.seed takes it back. The stress tests draw their own seeds, print them,
// and take them back from the environment variable INGOT_TEST_SEED.
package enginetest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// Opener opens the store under test.
type Opener func(engine.Options) (*engine.Store, error)

// Run runs the whole suite on the stores that open makes.
func Run(t *testing.T, open Opener) {
	t.Run("rules", func(t *testing.T) { testRules(t, open) })
	t.Run("limits", func(t *testing.T) { testLimits(t, open) })
	t.Run("expiry", func(t *testing.T) { testExpiry(t, open) })
	t.Run("budget", func(t *testing.T) { testBudget(t, open) })
	t.Run("eviction", func(t *testing.T) { testEviction(t, open) })
	t.Run("list", func(t *testing.T) { testListBoth(t, open) })
	t.Run("watch", func(t *testing.T) { testWatch(t, open) })
	t.Run("snapshot", func(t *testing.T) { testSnapshot(t, open) })
	t.Run("model", func(t *testing.T) { testModel(t, open) })
	t.Run("model without order", func(t *testing.T) { testModel(t, withoutOrder(open)) })
	t.Run("linearizable", func(t *testing.T) { testLinearizable(t, open) })
	t.Run("linearizable watch", func(t *testing.T) { testWatchLinearizable(t, open) })
	t.Run("stress", func(t *testing.T) { testStress(t, open) })
	t.Run("churn", func(t *testing.T) { testChurn(t, open) })
	t.Run("soak", func(t *testing.T) { testSoak(t, open) })
}

// clock is a time that the test moves by hand, in Unix milliseconds.
type clock struct{ millis int64 }

func newClock() *clock { return &clock{millis: 1_700_000_000_000} }

func (c *clock) now() int64 { return c.millis }

// opened is a store on a clock, closed at the end of the test.
func opened(t testing.TB, open Opener, o engine.Options) (*engine.Store, *clock) {
	t.Helper()
	c := newClock()
	o.Now = c.now
	s, err := open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, c
}

// set stores without conditions and returns the version.
func set(t testing.TB, s *engine.Store, key, value string, o engine.SetOptions) uint64 {
	t.Helper()
	v, err := s.Set(key, []byte(value), o)
	require.NoError(t, err)
	require.NotZero(t, v)
	return v
}

// value reads a key that must be there.
func value(t testing.TB, s *engine.Store, key string) string {
	t.Helper()
	e, err := s.Get(key)
	require.NoError(t, err)
	require.True(t, e.Found(), "key %q is absent", key)
	return string(e.Value)
}

// absent asserts by every kind of read that key is not there.
func absent(t testing.TB, s *engine.Store, key string) {
	t.Helper()
	e, err := s.Get(key)
	require.NoError(t, err)
	require.False(t, e.Found(), "key %q has value %q", key, e.Value)
	exists, err := s.Exists(key)
	require.NoError(t, err)
	require.False(t, exists)
	many, err := s.GetMany([]string{key})
	require.NoError(t, err)
	require.False(t, many[0].Found())
	out, meta, err := s.AppendGet([]byte("x"), key)
	require.NoError(t, err)
	require.Equal(t, "x", string(out))
	require.Zero(t, meta)
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
