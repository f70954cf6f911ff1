package state_test

import (
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/statetest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openMemory(t testing.TB, o statetest.Options) state.Manager {
	m, err := state.Open(state.Options{Backend: "memory", Now: o.Now, BytesMax: o.BytesMax})
	require.NoError(t, err)
	return m
}

func openFile(t testing.TB, o statetest.Options) state.Manager {
	m, err := state.Open(state.Options{Path: t.TempDir(), Sync: "never", Now: o.Now, BytesMax: o.BytesMax})
	require.NoError(t, err)
	return m
}

// scope is the Manager of a namespace, whose Close closes the store too.
type scope struct {
	*state.Scoped
	store state.Manager
}

func (s scope) Close() error {
	s.Scoped.Close()
	return s.store.Close()
}

func openScoped(t testing.TB, o statetest.Options) state.Manager {
	store := openMemory(t, statetest.Options{Now: o.Now})
	s, err := state.Scope(store, state.Namespace{Prefix: "a/name/", BytesMax: o.BytesMax})
	require.NoError(t, err)
	return scope{s, store}
}

func TestMemory(t *testing.T) { statetest.Run(t, openMemory) }
func TestFile(t *testing.T)   { statetest.Run(t, openFile) }
func TestScoped(t *testing.T) { statetest.Run(t, openScoped) }

func TestPublic(t *testing.T) {
	statetest.Run(t, func(t testing.TB, o statetest.Options) state.Manager { return state.Public(openMemory(t, o)) })
}

// A store that evicts, or is open already, is a Manager too.
func TestEmbedded(t *testing.T) {
	statetest.Run(t, func(t testing.TB, o statetest.Options) state.Manager {
		store, err := engine.Open(engine.Options{Now: o.Now, BytesMax: o.BytesMax, OrderDisabled: true})
		require.NoError(t, err)
		return state.Embed(store)
	})
}
