package state_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/state"
)

// A second Scope of a prefix may leave the budget of the first as it is.
func TestBudgetKept(t *testing.T) {
	m, err := state.Open(state.Options{Backend: state.BackendMemory})
	require.NoError(t, err)
	defer m.Close()
	first, err := state.Scope(m, state.Namespace{Prefix: "a/", BytesMax: 4096})
	require.NoError(t, err)
	second, err := state.Scope(m, state.Namespace{Prefix: "a/", BudgetKept: true})
	require.NoError(t, err)
	for _, s := range []*state.Scoped{first, second} {
		_, err = s.Set(t.Context(), "k", make([]byte, 8192), state.SetOptions{})
		require.ErrorIs(t, err, state.ErrFull)
	}
	_, err = second.Set(t.Context(), "k", []byte("x"), state.SetOptions{})
	require.NoError(t, err)
	_, err = state.Scope(m, state.Namespace{Prefix: "a/", BudgetKept: true, BytesMax: 1})
	require.ErrorIs(t, err, state.ErrOptions)
	_, err = state.Scope(m, state.Namespace{Prefix: "a/"})
	require.NoError(t, err)
	_, err = second.Set(t.Context(), "k", make([]byte, 8192), state.SetOptions{})
	require.NoError(t, err, "without the field the budget is taken away")
}
