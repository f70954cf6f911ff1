package crashtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

// writer is one of several goroutines that write to a store. It owns its keys, so
// what it should find there after a crash depends on it alone.
type writer struct {
	id     int
	ops    []writerOp
	begun  atomic.Int64 // operations
	acked  atomic.Int64
	states []map[string]string // of its keys, after so many operations
}

// writerOp is an operation on the writer's keys: sets and deletes (nil) as one
// batch, or one by one where there is one; and what it adds to the counter of all.
type writerOp struct {
	values map[string]*string
	adds   int64
}

const counterKey = "counter of all"

// newWriter draws what a writer does.
func newWriter(id int, rng *rand.Rand, n int) *writer {
	w := &writer{id: id}
	for i := range n {
		op := writerOp{values: map[string]*string{}}
		if rng.IntN(4) == 0 {
			op.adds = 1
		}
		for range pick(rng, 1, 1, 1, 4) {
			key := fmt.Sprintf("%d/%d", id, rng.IntN(4))
			value := fmt.Sprintf("%d %s", i, strings.Repeat("v", pick(rng, 0, 30, 600)))
			op.values[key] = &value
			if rng.IntN(5) == 0 {
				op.values[key] = nil
			}
		}
		w.ops = append(w.ops, op)
	}
	return w
}

// startFrom finds the states, from what the writer's keys hold at first.
func (w *writer) startFrom(first map[string]string) {
	if first == nil {
		first = map[string]string{}
	}
	w.states = []map[string]string{first}
	for i, op := range w.ops {
		next := maps.Clone(w.states[i])
		for key, value := range op.values {
			if value == nil {
				delete(next, key)
			} else {
				next[key] = *value
			}
		}
		w.states = append(w.states, next)
	}
}

// run does the operations.
func (w *writer) run(s *engine.Store) error {
	for i, op := range w.ops {
		w.begun.Store(int64(i + 1))
		if err := op.do(s); err != nil {
			return fmt.Errorf("writer %d, operation %d: %w", w.id, i, err)
		}
		w.acked.Store(int64(i + 1))
	}
	return nil
}

func (op *writerOp) do(s *engine.Store) error {
	if op.adds == 0 && len(op.values) == 1 {
		for key, value := range op.values {
			if value == nil {
				_, _, err := s.Delete(key, engine.DeleteOptions{})
				return err
			}
			_, err := s.Set(key, []byte(*value), engine.SetOptions{})
			return err
		}
	}
	var ops []engine.Op
	if op.adds != 0 {
		ops = append(ops, engine.Op{Kind: engine.OpIncrement, Key: counterKey, Delta: op.adds})
	}
	for key, value := range op.values {
		if value == nil {
			ops = append(ops, engine.Op{Kind: engine.OpDelete, Key: key})
		} else {
			ops = append(ops, engine.Op{Kind: engine.OpSet, Key: key, Value: []byte(*value)})
		}
	}
	_, err := s.Batch(ops)
	return err
}

// crowdCut is a disk after a power failure, and how far each writer was.
type crowdCut struct {
	disk         *simdir.Dir
	at           string
	acked, begun []int64
}

// TestPowerFailuresWithManyWriters cuts stores that several goroutines write to,
// who share syncs, while another compacts.
func TestPowerFailuresWithManyWriters(t *testing.T) {
	workloads, cuts, operations := 0, 0, 0
	for seed := range seeds(t, 30, 1000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		workloads++
		var writers []*writer
		for i := range 2 + rng.IntN(6) {
			w := newWriter(i, rng, 30)
			w.startFrom(nil)
			writers = append(writers, w)
			operations += 30
		}
		o := engine.Options{SegmentBytes: pick(rng, int64(1<<10), 4<<10, 32<<10)}
		for _, c := range crowd(t, seed, o, writers) {
			cuts++
			c.look(t, seed, o, writers)
		}
	}
	t.Logf("%d workloads, %d operations, %d cuts", workloads, operations, cuts)
	require.Positive(t, cuts)
}

// crowd runs the writers and returns the cuts.
func crowd(t *testing.T, seed uint64, o engine.Options, writers []*writer) (cuts []crowdCut) {
	disk := simdir.New(seed)
	disk.SetStale(seed%2 == 0)
	o.Dir = disk
	s, err := engine.Open(o)
	require.NoError(t, err)
	luck := rand.New(rand.NewPCG(seed, 4)) // calls come one at a time
	disk.Before(func(e simdir.Event) {
		if !e.Op.Changes() || luck.IntN(3) > 0 {
			return
		}
		c := crowdCut{at: e.String()}
		for _, w := range writers {
			c.acked = append(c.acked, w.acked.Load())
		}
		c.disk = disk.Crash(luck)
		for _, w := range writers {
			c.begun = append(c.begun, w.begun.Load())
		}
		cuts = append(cuts, c)
	})
	var wait sync.WaitGroup
	failures := make(chan error, len(writers)+1)
	for _, w := range writers {
		wait.Go(func() { failures <- w.run(s) })
	}
	wait.Go(func() { failures <- s.Compact() })
	wait.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err, "INGOT_TEST_SEED=%d", seed)
	}
	disk.Before(nil)
	require.NoError(t, s.Close())
	return cuts
}

// look opens the disk of a cut and compares it with what the writers did.
func (c *crowdCut) look(t *testing.T, seed uint64, o engine.Options, writers []*writer) {
	t.Helper()
	what := fmt.Sprintf("INGOT_TEST_SEED=%d, a cut at %s", seed, c.at)
	o.Dir = c.disk
	s, err := engine.Open(o)
	require.NoError(t, err, what)
	defer func() { require.NoError(t, s.Close()) }()
	all, err := contents(s)
	require.NoError(t, err)
	addsMin, addsMax := int64(0), int64(0)
	for i, w := range writers {
		got := map[string]string{}
		for key, e := range all {
			if strings.HasPrefix(key, strconv.Itoa(i)+"/") {
				got[key] = e.value
			}
		}
		found := false
		for n := c.acked[i]; n <= c.begun[i]; n++ {
			found = found || maps.Equal(got, w.states[n])
		}
		require.True(t, found, "%s: writer %d had %d operations acknowledged and %d begun, and the store has %v", what, i, c.acked[i], c.begun[i], got)
		for n, op := range w.ops[:c.begun[i]] {
			addsMax += op.adds
			if int64(n) < c.acked[i] {
				addsMin += op.adds
			}
		}
	}
	sum := int64(0)
	if e, ok := all[counterKey]; ok {
		sum, err = strconv.ParseInt(e.value, 10, 64)
		require.NoError(t, err)
	}
	require.True(t, addsMin <= sum && sum <= addsMax, "%s: the counter is %d and should be %d to %d", what, sum, addsMin, addsMax)
}
