package state_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/ingot-run/ingot/state"
)

// A state is well as long as it can be written, and says so again when it can again.
func TestHealth(t *testing.T) {
	ctx := t.Context()
	disk := simdir.New(1)
	store, err := engine.Open(engine.Options{Dir: disk})
	require.NoError(t, err)
	m := state.Embed(store)
	require.Equal(t, disk.String(), m.Folder())
	require.NoError(t, m.Health(ctx))

	disk.SetSpace(disk.Used())
	value := []byte(strings.Repeat("x", 1<<20))
	for err = nil; err == nil; { // until what was set aside is full
		_, err = m.Set(ctx, "a", value, state.SetOptions{})
	}
	require.ErrorIs(t, err, state.ErrDegraded)
	require.ErrorIs(t, m.Health(ctx), state.ErrDegraded, "still no room")
	disk.SetSpace(1 << 30)
	require.NoError(t, m.Health(ctx), "without a write in between")

	broken := errors.New("a bad sector")
	disk.FailAt(1, simdir.OpSync, broken)
	_, err = m.Set(ctx, "b", value, state.SetOptions{})
	require.ErrorIs(t, err, state.ErrReadOnly)
	require.ErrorIs(t, m.Health(ctx), state.ErrReadOnly)
	require.ErrorIs(t, m.Health(ctx), broken)
	_ = m.Close() // it says again what is the matter
	require.ErrorIs(t, m.Health(ctx), state.ErrClosed)
}
