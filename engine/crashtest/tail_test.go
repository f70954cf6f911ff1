package crashtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

// beginAt is where a segment says how long the one before is: behind its header and
// that of its first block (docs/FORMAT.md).
const beginAt = 96 + 32

// segmentsEnd fails when the log goes on in a segment behind the place where the next
// one says that it ends: what a crash tore must be cut before anything is written
// behind it, or it would wait there to be read one day.
func (w *world) segmentsEnd(c cut) {
	w.t.Helper()
	names, err := c.disk.List()
	w.must(err, "listing")
	var before []byte // of the segment before
	for _, name := range names {
		if !strings.HasPrefix(name, "log-") || !strings.HasSuffix(name, ".ingot") {
			continue
		}
		data := c.disk.Bytes(name)
		if before != nil && len(data) > beginAt {
			end, n := binary.Uvarint(data[beginAt:])
			if n > 0 && end > 0 && len(bytes.Trim(before[min(end, uint64(len(before))):], "\x00")) > 0 {
				w.fatalf("a cut at %s: after the recovery %s says that the segment before ends at %d, and something is left behind that: %s",
					c.at, name, end, files(c.disk))
			}
		}
		before = data
	}
}

// What a crash tore at the end of the log is cut off, counted and told, once, also when
// the recovery is cut short in its turn; and what is written behind it is there after
// the next crash.
func TestTornTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for _, torn := range []int64{1, 40, 200} {
		disk := tornDisk(t, torn)
		var told []string
		o := engine.Options{Dir: disk, SegmentBytes: 8 << 10, BackgroundDisabled: true, Log: func(text string) { told = append(told, text) }}
		var during []*simdir.Dir
		disk.Before(func(e simdir.Event) {
			if e.Op.Changes() {
				during = append(during, disk.Crash(rng), disk.Kill())
			}
		})
		s, err := engine.Open(o)
		require.NoError(t, err)
		disk.Before(nil)
		require.EqualValues(t, torn, s.LogStats().Recovered.TornBytes)
		require.Len(t, told, 1)
		require.Contains(t, told[0], "log-0000000000000001.ingot")
		goesOn(t, s, disk)
		require.Greater(t, len(during), 10)
		for _, again := range during {
			o.Dir = again
			s, err := engine.Open(o)
			require.NoError(t, err)
			goesOn(t, s, again)
		}
	}
}

// tornDisk is a disk on which a power failure left so many bytes of a change behind
// ten whole ones.
func tornDisk(t *testing.T, torn int64) *simdir.Dir {
	disk := simdir.New(1)
	s, err := engine.Open(engine.Options{Dir: disk, SegmentBytes: 8 << 10, BackgroundDisabled: true})
	require.NoError(t, err)
	for i := range 11 {
		require.NoError(t, setString(s, fmt.Sprint(i), strings.Repeat("v", 400)))
	}
	var last simdir.Event
	for _, e := range disk.Trace() {
		if e.Op == simdir.OpWrite {
			last = e
		}
	}
	left := disk.Kill()
	data := left.Bytes(last.Name)
	clear(data[last.Offset+torn:])
	data[last.Offset+torn-1] |= 1
	left.Put(last.Name, data)
	disk.CrashAt(1)
	_ = s.Close() // its disk is gone
	return left
}

// goesOn writes to a store that was recovered from a torn tail, and opens what the
// next failure leaves.
func goesOn(t *testing.T, s *engine.Store, disk *simdir.Dir) {
	t.Helper()
	all, err := contents(s)
	require.NoError(t, err)
	require.Len(t, all, 10)
	require.NoError(t, setString(s, "behind", "the torn tail"))
	left := disk.Kill()
	require.NoError(t, s.Close())
	again, err := engine.Open(engine.Options{Dir: left, SegmentBytes: 8 << 10, BackgroundDisabled: true})
	require.NoError(t, err)
	require.Zero(t, again.LogStats().Recovered.TornBytes, "it was cut off before")
	all, err = contents(again)
	require.NoError(t, err)
	require.Len(t, all, 11)
	require.Equal(t, "the torn tail", getString(t, again, "behind"))
	require.NoError(t, again.Close())
}
