package statetest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/ingot-run/ingot/state"
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
	version uint64 // the condition of a swap or batch
}

type linearReply struct {
	value   string
	version uint64
	second  uint64 // batch: the version on the other key
	ok      bool
}

// linearModel says which reply a call may get in which state. A version is whatever
// the store chose, as long as it grows.
var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(before, input, output any) (bool, any) {
		s, in, out := before.(linearState), input.(linearCall), output.(linearReply)
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
		case "increment":
			n, _ := strconv.Atoi(cell.value)
			sum := strconv.Itoa(n + 1)
			s[in.key] = linearCell{sum, out.version}
			return out.value == sum && out.version > cell.version, s
		}
		// swap and batch: if the key is at the version
		if !out.ok {
			return cell.version != in.version && out.version == cell.version, s
		}
		holds := cell.version == in.version && out.version > cell.version
		s[in.key] = linearCell{in.value, out.version}
		if in.kind == "batch" {
			holds = holds && out.second > s[in.other].version
			s[in.other] = linearCell{in.value, out.second}
		}
		return holds, s
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// testLinearizable runs goroutines on three keys and asks whether the replies could
// have come from one call after another.
func testLinearizable(t *testing.T, open Opener) {
	const rounds, clients, calls = 20, 4, 40
	rng := seeded(t)
	for round := range rounds {
		m, _ := opened(t, open, Options{})
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
			wg.Go(func() { histories[client] = runClient(m, client, plan, &tick) })
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

// drawn writes the history as a page that shows which calls contradict, and returns
// the page's path.
func drawn(t *testing.T, history []porcupine.Operation) string {
	t.Helper()
	_, info := porcupine.CheckOperationsVerbose(linearModel, history, 0)
	f, err := os.CreateTemp("", "ingot-history-*.html")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, porcupine.Visualize(linearModel, info, f))
	return f.Name()
}

// runClient makes the planned calls one after another; a condition is the version
// that this client saw last.
func runClient(m state.Manager, client int, plan []linearCall, tick *atomic.Int64) (history []porcupine.Operation) {
	var seen [len(linearKeys)]uint64
	for _, in := range plan {
		in.version = seen[in.key]
		begin := tick.Add(1)
		out := call(m, in)
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: begin, Return: tick.Add(1)})
		seen[in.key] = out.version
	}
	return history
}

// call makes one call; an error that the plan cannot cause becomes a reply that the
// model refuses.
func call(m state.Manager, in linearCall) (out linearReply) {
	key := together(m, linearKeys[in.key])
	var err error
	switch in.kind {
	case "get":
		var e state.Entry
		if e, err = m.Get(background, key); errors.Is(err, state.ErrNotFound) {
			err = nil
		}
		out.value, out.version = string(e.Value), e.Version
	case "set":
		out.version, err = m.Set(background, key, []byte(in.value), state.SetOptions{})
	case "delete":
		_, out.ok, err = m.Delete(background, key, state.DeleteOptions{})
	case "swap":
		out.version, out.ok, err = m.CompareAndSwap(background, key, in.version, []byte(in.value))
	case "increment":
		var n int64
		n, out.version, err = m.Increment(background, key, state.IncrementOptions{Delta: 1})
		out.value = strconv.FormatInt(n, 10)
	default:
		first := state.Op{Kind: state.OpSet, Key: key, Value: []byte(in.value), IfVersion: in.version, IfAbsent: in.version == 0}
		second := state.Op{Kind: state.OpSet, Key: together(m, linearKeys[in.other]), Value: []byte(in.value)}
		var results []state.OpResult
		results, err = m.Batch(background, []state.Op{first, second})
		if c, ok := errors.AsType[*state.ConflictError](err); ok {
			return linearReply{version: c.Version}
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
