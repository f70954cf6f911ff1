package engine_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// A reader that breaks behind the end block has not said that the snapshot is
// whole: a host that gives up a restore ends it like this.
func TestRestoreRefusesAReaderThatBreaksAtTheEnd(t *testing.T) {
	from, err := engine.Open(engine.Options{})
	require.NoError(t, err)
	_, err = from.Set("theirs", []byte("v"), engine.SetOptions{})
	require.NoError(t, err)
	var snapshot bytes.Buffer
	require.NoError(t, from.Snapshot(&snapshot))

	to, err := engine.Open(engine.Options{})
	require.NoError(t, err)
	_, err = to.Set("mine", []byte("v"), engine.SetOptions{})
	require.NoError(t, err)
	broken := errors.New("the wire is cut")
	err = to.Restore(io.MultiReader(&snapshot, iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	found, err := to.Exists("mine")
	require.NoError(t, err)
	require.True(t, found)
}
