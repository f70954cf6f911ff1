package crashtest

import (
	"math/rand/v2"
	"testing"

	"github.com/ingot-run/ingot/engine"
)

// TestPowerFailures cuts workloads before every call that changes the disk, under
// the policy that promises most: each acknowledged write is there, the one under
// way is there whole or not at all.
func TestPowerFailures(t *testing.T) {
	var c tally
	for seed := range seeds(t, 40, 5000) {
		newWorld(t, seed, &c, engine.SyncAlways).run(3, 20)
	}
	t.Log(c.String())
}

// TestPowerFailuresWithoutSync does the same under the policies that promise less:
// the contents are those of one moment since the last sync.
func TestPowerFailuresWithoutSync(t *testing.T) {
	var c tally
	for seed := range seeds(t, 30, 2000) {
		policy := engine.SyncNever
		if seed%2 == 0 {
			policy = engine.SyncInterval
		}
		newWorld(t, seed, &c, policy).run(3, 20)
	}
	t.Log(c.String())
}

// TestPowerFailuresInLargeBatches cuts batches that take several blocks of the log,
// of which a crash keeps some.
func TestPowerFailuresInLargeBatches(t *testing.T) {
	var c tally
	for seed := range seeds(t, 6, 300) {
		w := newWorld(t, seed, &c, pick(rand.New(rand.NewPCG(seed, 5)), engine.SyncAlways, engine.SyncNever))
		for range 2 {
			w.step()
			w.operation, w.syncDraws = "large batch", 25
			w.largeBatch()
			w.syncDraws = 1
			w.next()
		}
		w.must(w.store.Close(), "closing")
	}
	t.Log(c.String())
}
