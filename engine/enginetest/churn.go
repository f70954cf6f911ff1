package enginetest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// testChurn overwrites and deletes keys with values of ever other sizes, and
// checks that the contents are exact and that the memory follows them.
func testChurn(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	rng := seeded(t)
	const keys, steps = 20_000, 150_000
	want := map[string][]byte{}
	for _, phase := range []struct {
		name               string
		sizeMin, sizeRange int
		deletes            int // of 100 steps
	}{
		{"small values", 1, 100, 10}, {"larger ones in their place", 200, 300, 10},
		{"small again", 1, 60, 40}, {"nearly nothing", 1, 20, 90}, {"a few huge ones", 1, 20_000, 95},
	} {
		for range steps {
			key := fmt.Sprint("key", rng.IntN(keys))
			if rng.IntN(100) < phase.deletes {
				delete(want, key)
				_, _, err := s.Delete(key, engine.DeleteOptions{})
				require.NoError(t, err)
				continue
			}
			v := bytes.Repeat([]byte{byte(rng.IntN(256))}, phase.sizeMin+rng.IntN(phase.sizeRange))
			want[key] = v
			_, err := s.Set(key, v, engine.SetOptions{})
			require.NoError(t, err)
		}
		var bytes int64
		for key, v := range want {
			e, err := s.Get(key)
			require.NoError(t, err)
			require.Equal(t, v, e.Value, "%s: %s", phase.name, key)
			bytes += int64(len(key) + len(v) + 32)
		}
		stats := s.Stats()
		require.EqualValues(t, len(want), stats.Keys, phase.name)
		t.Logf("%s: %d entries, %d bytes, %d resident", phase.name, stats.Keys, bytes, stats.ResidentBytes)
		// Half of a slab may be free, a cell be padded by an eighth, and each shard
		// keeps a table and a small chunk for some sizes.
		require.Less(t, stats.ResidentBytes, 5*bytes/2+4<<20, phase.name)
	}
	_, err := s.Clear("")
	require.NoError(t, err)
	require.Empty(t, contents(t, s))
}

// testSnapshotUnderWrites takes snapshots while writers go on: each writer keeps
// two keys equal by batches, and so must every snapshot.
func testSnapshotUnderWrites(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	const writers, rounds = 3, 20
	stop := make(chan struct{})
	errs := make([]error, writers)
	pair := func(w, i int) []engine.Item {
		v := []byte(fmt.Sprint(i))
		return []engine.Item{{Key: fmt.Sprint("left", w), Value: v}, {Key: fmt.Sprint("right", w), Value: v}}
	}
	var wg sync.WaitGroup
	for w := range writers {
		_, err := s.SetMany(pair(w, 0))
		require.NoError(t, err)
		wg.Go(func() {
			for i := 1; errs[w] == nil; i++ {
				select {
				case <-stop:
					return
				default:
					_, errs[w] = s.SetMany(pair(w, i))
				}
			}
		})
	}
	for range rounds {
		copied, _ := opened(t, open, engine.Options{})
		require.NoError(t, copied.Restore(bytes.NewReader(snapshotOf(t, s))))
		for w := range writers {
			require.Equal(t, value(t, copied, fmt.Sprint("left", w)), value(t, copied, fmt.Sprint("right", w)))
		}
	}
	close(stop)
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}
