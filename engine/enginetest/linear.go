package enginetest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// linearKeys are few, so that the goroutines meet on them all the time.
var linearKeys = [...]string{"a", "b", "c"}

// linearState is the whole store, and the time, as the specification sees them.
type linearState struct {
	cells [len(linearKeys)]linearCell
	now   int64
}

type linearCell struct {
	value   string
	version uint64 // 0: absent
	ends    int64  // 0: never
}

// linearCall is one call, on one key or (a batch) on two.
type linearCall struct {
	kind    string
	key     int
	other   int    // batch: the second key
	value   string // what is stored
	version uint64 // the condition of a swap
	from    int64  // expire, and set with an end: the time before the call
	ttl     int64  // milliseconds
}

type linearReply struct {
	value   string
	version uint64
	ends    int64
	second  uint64 // batch: the version on the other key
	ok      bool
	to      int64 // the time after the call
}

// live is the cell at the state's time.
func (s linearState) live(key int) linearCell {
	if c := s.cells[key]; c.ends == 0 || c.ends > s.now {
		return c
	}
	return linearCell{}
}

// with is the state with another cell.
func (s linearState) with(key int, c linearCell) linearState {
	s.cells[key] = c
	return s
}

// when is the states that a step leads to: one if it may happen.
func (s linearState) when(may bool) []any {
	if !may {
		return nil
	}
	return []any{s}
}

// linearModel says which reply a call may get in which state. A version is
// whatever the store chose, as long as it grows, and an end may count from any
// time during the call.
var linearModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{linearState{}} },
	Step: func(state, input, output any) []any {
		s, in, out := state.(linearState), input.(linearCall), output.(linearReply)
		cell := s.live(in.key)
		switch in.kind {
		case "pass":
			s.now++
			return s.when(out.ends == s.now)
		case "get":
			return s.when(out.value == cell.value && out.version == cell.version && out.ends == cell.ends)
		case "set":
			return s.ending(in, out, in.value, out.version > cell.version)
		case "expire":
			if cell.version == 0 {
				return s.when(out.version == 0)
			}
			return s.ending(in, out, cell.value, out.version > cell.version)
		case "delete":
			return s.with(in.key, linearCell{}).when(out.ok == (cell.version != 0))
		case "swap":
			if !out.ok {
				return s.when(cell.version != in.version && out.version == cell.version)
			}
			return s.with(in.key, linearCell{in.value, out.version, cell.ends}).when(cell.version == in.version && out.version > cell.version)
		case "increment":
			n, _ := strconv.Atoi(cell.value)
			sum := strconv.Itoa(n + 1)
			return s.with(in.key, linearCell{sum, out.version, cell.ends}).when(out.value == sum && out.version > cell.version)
		default: // batch: sets both keys if the first is at the version
			if !out.ok {
				return s.when(cell.version != in.version && out.version == cell.version)
			}
			holds := cell.version == in.version && out.version > cell.version && out.second > s.live(in.other).version
			return s.with(in.key, linearCell{in.value, out.version, 0}).with(in.other, linearCell{in.value, out.second, 0}).when(holds)
		}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}).ToModel()

// ending is the states after a write of an entry that may end.
func (s linearState) ending(in linearCall, out linearReply, value string, may bool) (states []any) {
	if in.ttl == 0 {
		return s.with(in.key, linearCell{value, out.version, 0}).when(may)
	}
	for from := in.from; may && from <= out.to; from++ {
		states = append(states, s.with(in.key, linearCell{value, out.version, from + in.ttl}))
	}
	return states
}

// linearClock is a time that passes by calls. To look at it lets others run, so
// that much happens between what a call reads and when.
type linearClock struct{ millis atomic.Int64 }

func (c *linearClock) now() int64 {
	runtime.Gosched()
	t := c.millis.Load()
	runtime.Gosched()
	return t
}

// testLinearizable runs goroutines on three keys and asks whether the replies
// could have come from one call after another.
func testLinearizable(t *testing.T, open Opener) {
	const rounds, clients, calls = 40, 4, 40
	rng := seeded(t)
	for round := range rounds {
		var clock linearClock
		s, err := open(engine.Options{Now: clock.now})
		require.NoError(t, err)
		var tick atomic.Int64
		histories := make([][]porcupine.Operation, clients)
		var wg sync.WaitGroup
		for client := range clients {
			plan := make([]linearCall, calls)
			for i := range plan {
				kinds := []string{"get", "get", "get", "get", "set", "delete", "swap", "swap", "increment", "batch", "set", "expire", "pass"}
				key := rng.IntN(len(linearKeys))
				plan[i] = linearCall{
					kind: kinds[rng.IntN(len(kinds))], key: key, other: (key + 1 + rng.IntN(len(linearKeys)-1)) % len(linearKeys),
					value: strconv.Itoa(client*1000 + i), ttl: rng.Int64N(4),
				}
			}
			wg.Go(func() { histories[client] = runClient(s, &clock, client, plan, &tick) })
		}
		wg.Wait()
		require.NoError(t, s.Close())
		var history []porcupine.Operation
		for _, h := range histories {
			history = append(history, h...)
		}
		if !porcupine.CheckOperations(linearModel, history) {
			t.Fatalf("round %d is not linearizable; its calls are drawn in %s", round, drawn(t, linearModel, history))
		}
	}
}

// drawn writes the history as a page that shows which calls contradict, and
// returns the page's path.
func drawn(t *testing.T, model porcupine.Model, history []porcupine.Operation) string {
	t.Helper()
	_, info := porcupine.CheckOperationsVerbose(model, history, 0)
	f, err := os.CreateTemp("", "ingot-history-*.html")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, porcupine.Visualize(model, info, f))
	return f.Name()
}

// runClient makes the planned calls one after another; a condition is the
// version that this client saw last.
func runClient(s *engine.Store, clock *linearClock, client int, plan []linearCall, tick *atomic.Int64) (history []porcupine.Operation) {
	var seen [len(linearKeys)]uint64
	for _, in := range plan {
		in.version = seen[in.key]
		begin := tick.Add(1)
		in.from = clock.millis.Load()
		out := call(s, clock, in)
		out.to = clock.millis.Load()
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: begin, Return: tick.Add(1)})
		if in.kind == "delete" || in.kind == "pass" {
			seen[in.key] = 0
		} else {
			seen[in.key] = out.version
		}
	}
	return history
}

// call makes one call; an error that the plan cannot cause becomes a reply that
// the model refuses.
func call(s *engine.Store, clock *linearClock, in linearCall) (out linearReply) {
	key := linearKeys[in.key]
	var err error
	switch in.kind {
	case "get":
		var e engine.Entry
		e, err = s.Get(key)
		out.value, out.version, out.ends = string(e.Value), e.Version, e.ExpiresAt
	case "pass":
		out.ends = clock.millis.Add(1)
	case "expire":
		out.version, err = s.Expire(key, time.Duration(in.ttl)*time.Millisecond)
	case "set":
		out.version, err = s.Set(key, []byte(in.value), engine.SetOptions{TTL: time.Duration(in.ttl) * time.Millisecond})
	case "delete":
		_, out.ok, err = s.Delete(key, engine.DeleteOptions{})
	case "swap":
		out.version, out.ok, err = s.CompareAndSwap(key, in.version, []byte(in.value))
	case "increment":
		var n int64
		n, out.version, err = s.Increment(key, 1)
		out.value = strconv.FormatInt(n, 10)
	default:
		first := engine.Op{Kind: engine.OpSet, Key: key, Value: []byte(in.value), IfVersion: in.version, IfAbsent: in.version == 0}
		second := engine.Op{Kind: engine.OpSet, Key: linearKeys[in.other], Value: []byte(in.value)}
		var results []engine.OpResult
		results, err = s.Batch([]engine.Op{first, second})
		var conflict *engine.ConflictError
		if errors.As(err, &conflict) {
			return linearReply{version: conflict.Version}
		}
		if err == nil {
			out = linearReply{version: results[0].Version, second: results[1].Version, ok: true}
		}
	}
	if err != nil {
		return linearReply{value: "unexpected error: " + err.Error(), ok: true}
	}
	return out
}
