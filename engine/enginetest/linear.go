package enginetest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// linearKeys are few, so that the goroutines meet on them all the time.
var linearKeys = [...]string{"a", "b", "c"}

// linearState is the whole store as the specification sees it.
type linearState [len(linearKeys)]linearCell

type linearCell struct {
	value   string
	version uint64 // 0: absent
}

// linearCall is one call, on one key or (a batch) on two.
type linearCall struct {
	kind    string
	key     int
	other   int    // batch: the second key
	value   string // what is stored
	version uint64 // the condition of a swap
}

type linearReply struct {
	value   string
	version uint64
	second  uint64 // batch: the version on the other key
	ok      bool
}

// linearModel says which reply a call may get in which state. A version is
// whatever the store chose, as long as it grows.
var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(linearState), input.(linearCall), output.(linearReply)
		cell := s[in.key]
		switch in.kind {
		case "get":
			return out.value == cell.value && out.version == cell.version, s
		case "set":
			s[in.key] = linearCell{in.value, out.version}
			return out.version > cell.version, s
		case "delete":
			s[in.key] = linearCell{}
			return out.ok == (cell.version != 0), s
		case "swap":
			if !out.ok {
				return cell.version != in.version && out.version == cell.version, s
			}
			s[in.key] = linearCell{in.value, out.version}
			return cell.version == in.version && out.version > cell.version, s
		case "increment":
			n, _ := strconv.Atoi(cell.value)
			s[in.key] = linearCell{strconv.Itoa(n + 1), out.version}
			return out.value == strconv.Itoa(n+1) && out.version > cell.version, s
		default: // batch: sets both keys if the first is at the version
			if !out.ok {
				return cell.version != in.version && out.version == cell.version, s
			}
			holds := cell.version == in.version && out.version > cell.version && out.second > s[in.other].version
			s[in.key], s[in.other] = linearCell{in.value, out.version}, linearCell{in.value, out.second}
			return holds, s
		}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// testLinearizable runs goroutines on three keys and asks whether the replies
// could have come from one call after another.
func testLinearizable(t *testing.T, open Opener) {
	const rounds, clients, calls = 40, 4, 40
	rng := seeded(t)
	for round := range rounds {
		s, _ := opened(t, open, engine.Options{})
		var tick atomic.Int64
		histories := make([][]porcupine.Operation, clients)
		var wg sync.WaitGroup
		for client := range clients {
			plan := make([]linearCall, calls)
			for i := range plan {
				kinds := []string{"get", "get", "get", "set", "delete", "swap", "swap", "increment", "batch"}
				key := rng.IntN(len(linearKeys))
				plan[i] = linearCall{
					kind: kinds[rng.IntN(len(kinds))], key: key, other: (key + 1 + rng.IntN(len(linearKeys)-1)) % len(linearKeys),
					value: strconv.Itoa(client*1000 + i),
				}
			}
			wg.Go(func() { histories[client] = runClient(s, client, plan, &tick) })
		}
		wg.Wait()
		var history []porcupine.Operation
		for _, h := range histories {
			history = append(history, h...)
		}
		if !porcupine.CheckOperations(linearModel, history) {
			t.Fatalf("round %d is not linearizable; its calls are drawn in %s", round, drawn(t, history))
		}
	}
}

// drawn writes the history as a page that shows which calls contradict, and
// returns the page's path.
func drawn(t *testing.T, history []porcupine.Operation) string {
	t.Helper()
	_, info := porcupine.CheckOperationsVerbose(linearModel, history, 0)
	f, err := os.CreateTemp("", "ingot-history-*.html")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, porcupine.Visualize(linearModel, info, f))
	return f.Name()
}

// runClient makes the planned calls one after another; a condition is the
// version that this client saw last.
func runClient(s *engine.Store, client int, plan []linearCall, tick *atomic.Int64) (history []porcupine.Operation) {
	var seen [len(linearKeys)]uint64
	for _, in := range plan {
		in.version = seen[in.key]
		begin := tick.Add(1)
		out := call(s, in)
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: begin, Return: tick.Add(1)})
		if in.kind == "delete" {
			seen[in.key] = 0
		} else {
			seen[in.key] = out.version
		}
	}
	return history
}

// call makes one call; an error that the plan cannot cause becomes a reply that
// the model refuses.
func call(s *engine.Store, in linearCall) (out linearReply) {
	key := linearKeys[in.key]
	var err error
	switch in.kind {
	case "get":
		var e engine.Entry
		e, err = s.Get(key)
		out.value, out.version = string(e.Value), e.Version
	case "set":
		out.version, err = s.Set(key, []byte(in.value), engine.SetOptions{})
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
