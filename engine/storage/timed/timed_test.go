package timed

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage/simdir"
)

// A store on it does what it does without, and its syncs are counted.
func TestSyncsAreCounted(t *testing.T) {
	disk := simdir.New(1)
	dir := Wrap(disk)
	store, err := engine.Open(engine.Options{Dir: dir})
	require.NoError(t, err)
	before := dir.Syncs().Count
	for range 3 {
		_, err = store.Set("a", []byte("b"), engine.SetOptions{})
		require.NoError(t, err)
	}
	syncs := dir.Syncs()
	require.GreaterOrEqual(t, syncs.Count-before, uint64(3), "one a write, and those of new segments")
	sum := uint64(0)
	for _, n := range syncs.Buckets {
		sum += n
	}
	require.Equal(t, syncs.Count, sum)
	require.Equal(t, disk.String(), store.LogStats().Dir)
	require.NoError(t, store.Close())
	again, err := engine.Open(engine.Options{Dir: dir})
	require.NoError(t, err)
	entry, err := again.Get("a")
	require.NoError(t, err)
	require.Equal(t, "b", string(entry.Value))
	require.NoError(t, again.Close())
}

func TestFailuresPassThrough(t *testing.T) {
	disk := simdir.New(1)
	dir := Wrap(disk)
	f, err := dir.Create("x")
	require.NoError(t, err)
	broken := errors.New("broken")
	disk.FailAt(1, simdir.OpSync, broken)
	require.ErrorIs(t, f.Sync(), broken)
	require.EqualValues(t, 1, dir.Syncs().Count)
	_, err = dir.OpenWrite("gone")
	require.Error(t, err)

}

// Each duration is counted in the first bucket that is long enough.
func TestBuckets(t *testing.T) {
	d := Wrap(simdir.New(1))
	for _, took := range []time.Duration{100 * time.Microsecond, 101 * time.Microsecond, time.Hour} {
		d.count(took)
	}
	s := d.Syncs()
	require.EqualValues(t, 1, s.Buckets[0])
	require.EqualValues(t, 1, s.Buckets[1])
	require.EqualValues(t, 1, s.Buckets[len(Bounds)])
	require.InDelta(t, 3600.000201, s.Seconds, 1e-9)
}
