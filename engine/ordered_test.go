package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOrderHolds notes changes in a part that has many keys, and counts what each
// hold of its lock, which the holder of a shard waits for, has to do: it settles a
// step or sorts a log, never more.
func TestOrderHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var p orderPart
	settled := func() uint64 { return p.kept + uint64(p.done) }
	want := map[string]bool{}
	longest := 0
	for i := range 200_000 {
		key := fmt.Sprintf("key/%07d", rng.IntN(100_000))
		if i%5_000 == 0 { // it fills a log by its bytes
			key += strings.Repeat("k", KeyBytesMax-len(key))
		}
		before, sorted := settled(), p.noted-p.kept-uint64(len(p.log.ops))
		var shape uint32
		if want[key] = rng.IntN(4) > 0; !want[key] {
			shape = orderOpRemoves
		}
		p.note(key, shape)
		require.LessOrEqual(t, settled()-before, uint64(orderStepOps))
		longest = max(longest, len(p.log.ops), len(p.full.ops))
		if sorted == 0 && len(p.full.ops) > 0 {
			require.Equal(t, before, settled(), "a log is sorted and settled in one hold")
		}
	}
	require.Greater(t, longest, orderOpsMax/2)
	require.LessOrEqual(t, longest, orderOpsMax+orderOpsMax/orderStepOps+1)

	for key, there := range want {
		if !there {
			delete(want, key)
		}
	}
	var got []string
	for r := (orderRead{keys: 1000}); ; r.from, r.behind = got[len(got)-1], true {
		page, _, more := p.read(nil, nil, r)
		if got = append(got, page...); !more {
			break
		}
	}
	require.True(t, slices.IsSorted(got))
	require.Len(t, got, len(want))
	for _, key := range got {
		require.True(t, want[key], "%.40q", key)
	}
	checkLeaves(t, &p)
}

// checkLeaves compares what a part says of its leaves with the leaves.
func checkLeaves(t *testing.T, p *orderPart) {
	t.Helper()
	var bytes int64
	keys, last := 0, ""
	p.leaves.Scan(func(low string, l *leaf) bool {
		require.Equal(t, low, l.low)
		bytes += l.size()
		keys += len(l.dir)
		live := 0
		for i, d := range l.dir {
			key := l.key(i)
			require.True(t, key >= low && (l.next == nil || key < l.next.low) && (last == "" || key > last))
			require.True(t, strings.HasPrefix(key, l.shared))
			require.Equal(t, l.headIn(key), d>>32)
			last = key
			live += len(key)
		}
		require.Equal(t, live, l.live)
		return true
	})
	require.Equal(t, keys, p.keys)
	require.Equal(t, bytes, p.bytes)
}

// TestLeafHeads searches keys that differ before, in and behind their heads.
func TestLeafHeads(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	for range 300 {
		var l leaf
		var keys []string
		shared := strings.Repeat("s", rng.IntN(5))
		for range 60 {
			b := make([]byte, 1+rng.IntN(7))
			for i := range b {
				b[i] = []byte{0, 1, 's', 0xff}[rng.IntN(4)]
			}
			key := string(b)
			if rng.IntN(4) > 0 {
				key = shared + key
			}
			want, there := slices.BinarySearch(keys, key)
			at, found := l.search(0, key)
			require.Equal(t, want, at)
			require.Equal(t, there, found)
			switch {
			case found && rng.IntN(2) == 0:
				l.remove(at)
				keys = slices.Delete(keys, at, at+1)
			case !found:
				l.insert(at, key)
				keys = slices.Insert(keys, at, key)
			}
			if rng.IntN(20) == 0 && len(keys) > 0 {
				l.rewrite(nil)
			}
		}
		for i, key := range keys {
			require.Equal(t, key, l.key(i))
		}
	}
}

// BenchmarkOrderNote notes a million new keys in the parts of an order, and reports
// the medians of how long those notes take that sort a log or settle a step of it:
// whoever waits for the lock of the shard, or of the part, waits for that. The
// worst note tells of the machine too.
func BenchmarkOrderNote(b *testing.B) {
	const keys = 1_000_000
	var sorts, steps []time.Duration
	var worst time.Duration
	for b.Loop() {
		var o order
		o.open(shardCountMax, false)
		rng := rand.New(rand.NewPCG(3, 9))
		for i := range keys {
			key := fmt.Sprintf("key/%016x", rng.Uint64())
			p := &o.parts[rng.IntN(len(o.parts))]
			pending, settled := len(p.full.ops), p.kept+uint64(p.done)
			begin := time.Now()
			p.note(key, 0)
			took := time.Since(begin)
			if worst = max(worst, took); i < keys/2 {
				continue // the logs are short
			}
			switch {
			case p.kept+uint64(p.done) != settled:
				steps = append(steps, took)
			case len(p.full.ops) != pending:
				sorts = append(sorts, took)
			}
		}
	}
	slices.Sort(sorts)
	slices.Sort(steps)
	b.ReportMetric(float64(worst.Nanoseconds())/1e3, "worst-us")
	b.ReportMetric(float64(sorts[len(sorts)/2].Nanoseconds())/1e3, "sort-us")
	b.ReportMetric(float64(steps[len(steps)/2].Nanoseconds())/1e3, "step-us")
}
