package enginetest

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// watchCall is what a call does to one key: a write, or a poll of its events. A
// batch is a call for each of its keys, since events are in order per key only.
type watchCall struct {
	key   int
	kind  string
	value string
}

// watchReply is the event that a write must cause, if any, or the events of a poll.
type watchReply struct {
	events  string
	version uint64
}

// watchState is a key's number and the events that nobody has polled yet.
type watchState struct {
	value, waiting string
	version        uint64
}

// watchModel says that a poll gives exactly the events of the writes before it.
var watchModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, len(linearKeys))
		for _, op := range history {
			key := op.Input.(watchCall).key
			parts[key] = append(parts[key], op)
		}
		return parts
	},
	Init: func() any { return watchState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(watchState), input.(watchCall), output.(watchReply)
		switch in.kind {
		case "poll":
			ok := out.events == s.waiting
			s.waiting = ""
			return ok, s
		case "delete":
			if s.version == 0 || out.version == 0 {
				return s.version == 0 && out.version == 0, s
			}
			ok := out.version > s.version
			return ok, watchState{waiting: s.waiting + eventText(engine.EventDelete, "", out.version)}
		case "increment":
			n, _ := strconv.Atoi(s.value)
			in.value = strconv.Itoa(n + 1)
		}
		ok := out.version > s.version
		return ok, watchState{in.value, s.waiting + eventText(engine.EventSet, in.value, out.version), out.version}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

func eventText(kind engine.EventKind, value string, version uint64) string {
	return fmt.Sprintf("%s %s at %d;", kind, value, version)
}

// testWatchLinearizable runs writers on three keys and polls their events, and asks
// whether each poll could have come between two writes.
func testWatchLinearizable(t *testing.T, open Opener) {
	const rounds, clients, calls, polls = 30, 3, 30, 25
	rng := seeded(t)
	heard := 0
	for round := range rounds {
		s, _ := opened(t, open, engine.Options{})
		w, err := s.Watch(engine.WatchOptions{Values: true})
		require.NoError(t, err)
		var tick atomic.Int64
		histories := make([][]porcupine.Operation, clients)
		var wg sync.WaitGroup
		for client := range clients {
			plan := make([]watchCall, calls)
			for i := range plan {
				kinds := []string{"set", "set", "delete", "increment", "batch"}
				plan[i] = watchCall{key: rng.IntN(len(linearKeys)), kind: kinds[rng.IntN(len(kinds))], value: strconv.Itoa(client*1000 + i)}
			}
			wg.Go(func() { histories[client] = runWatched(s, client, plan, &tick) })
		}
		var history []porcupine.Operation
		for range polls {
			history = append(history, pollOnce(w, clients, &tick)...)
			runtime.Gosched()
		}
		wg.Wait()
		history = append(history, pollOnce(w, clients, &tick)...)
		for _, h := range histories {
			history = append(history, h...)
		}
		for _, op := range history {
			if op.Input.(watchCall).kind == "poll" && op.Output.(watchReply).events != "" {
				heard++
			}
		}
		if !porcupine.CheckOperations(watchModel, history) {
			t.Fatalf("round %d is not linearizable; its calls are drawn in %s", round, drawn(t, watchModel, history))
		}
	}
	require.NotZero(t, heard)
}

// pollOnce takes the events that wait, as a call for each key.
func pollOnce(w *engine.Watcher, client int, tick *atomic.Int64) (history []porcupine.Operation) {
	begin := tick.Add(1)
	events := w.Poll(nil, 0)
	end := tick.Add(1)
	for key, name := range linearKeys {
		var out watchReply
		for _, e := range events {
			if e.Key == name {
				out.events += eventText(e.Kind, string(e.Value), e.Version)
			}
		}
		history = append(history, porcupine.Operation{ClientId: client + key, Input: watchCall{key: key, kind: "poll"}, Output: out, Call: begin, Return: end})
	}
	return history
}

// runWatched makes the planned calls one after another. An error, which no plan can
// cause, becomes version 0, which the model refuses.
func runWatched(s *engine.Store, client int, plan []watchCall, tick *atomic.Int64) (history []porcupine.Operation) {
	for _, in := range plan {
		note := func(in watchCall, begin, end int64, version uint64) {
			history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: watchReply{version: version}, Call: begin, Return: end})
		}
		key := linearKeys[in.key]
		var version uint64
		begin := tick.Add(1)
		switch in.kind {
		case "set":
			version, _ = s.Set(key, []byte(in.value), engine.SetOptions{})
		case "delete":
			version, _, _ = s.Delete(key, engine.DeleteOptions{})
		case "increment":
			_, version, _ = s.Increment(key, 1)
		default:
			other := watchCall{key: (in.key + 1) % len(linearKeys), kind: "set", value: in.value}
			versions, err := s.SetMany([]engine.Item{{Key: key, Value: []byte(in.value)}, {Key: linearKeys[other.key], Value: []byte(in.value)}})
			if err != nil {
				versions = []uint64{0, 0}
			}
			version = versions[0]
			note(other, begin, tick.Add(1), versions[1])
		}
		note(in, begin, tick.Add(1), version)
	}
	return history
}
