package hoststate_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/wasm/mcp/hoststate"
)

// canned answers everything with the same bytes.
type canned []byte

func (c canned) Call(_, reply []byte) []byte { return append(reply, c...) }
func (canned) Now() int64                    { return 1 }

// operations are all that ask the host.
var operations = map[string]func(m *hoststate.Manager) error{
	"get":    func(m *hoststate.Manager) error { _, err := m.Get(context.Background(), "k"); return err },
	"exists": func(m *hoststate.Manager) error { _, err := m.Exists(context.Background(), "k"); return err },
	"get many": func(m *hoststate.Manager) error {
		_, err := m.GetMany(context.Background(), []string{"k", "l"})
		return err
	},
	"list": func(m *hoststate.Manager) error {
		_, err := m.List(context.Background(), state.ListOptions{Values: true})
		return err
	},
	"set": func(m *hoststate.Manager) error {
		_, err := m.Set(context.Background(), "k", nil, state.SetOptions{})
		return err
	},
	"delete": func(m *hoststate.Manager) error {
		_, _, err := m.Delete(context.Background(), "k", state.DeleteOptions{})
		return err
	},
	"swap": func(m *hoststate.Manager) error {
		_, _, err := m.CompareAndSwap(context.Background(), "k", 1, nil)
		return err
	},
	"increment": func(m *hoststate.Manager) error {
		_, _, err := m.Increment(context.Background(), "k", state.IncrementOptions{})
		return err
	},
	"window": func(m *hoststate.Manager) error {
		_, _, err := m.Increment(context.Background(), "k", state.IncrementOptions{TTL: 1})
		return err
	},
	"expire": func(m *hoststate.Manager) error { _, err := m.Expire(context.Background(), "k", 0); return err },
	"set many": func(m *hoststate.Manager) error {
		_, err := m.SetMany(context.Background(), make([]state.Item, 3))
		return err
	},
	"batch": func(m *hoststate.Manager) error {
		_, err := m.Batch(context.Background(), make([]state.Op, 3))
		return err
	},
	"clear": func(m *hoststate.Manager) error { _, err := m.Clear(context.Background(), ""); return err },
	"stats": func(m *hoststate.Manager) error { _, err := m.Stats(context.Background()); return err },
	"watch": func(m *hoststate.Manager) error {
		w, err := m.Watch(context.Background(), state.WatchOptions{})
		if err == nil {
			w.Close()
		}
		return err
	},
}

// A host that does not keep to the ABI gets errors, never a panic.
func TestHostThatAnswersNonsense(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, operation := range operations {
		require.ErrorContains(t, operation(hoststate.New(canned(nil), false)), "does not fit its encoding", name)
		require.ErrorContains(t, operation(hoststate.New(make(canned, 19), false)), "does not fit its encoding", name)
		for range 2000 {
			reply := make(canned, 20+random.IntN(100))
			for i := 4; i < len(reply); i++ {
				reply[i] = byte(random.Uint32() & random.Uint32() & random.Uint32()) // small counts, often
			}
			binary.LittleEndian.PutUint32(reply, uint32(random.IntN(60)-30))
			_ = operation(hoststate.New(reply, false)) // any error, or none, but it returns
		}
	}
}

func TestReadOnly(t *testing.T) {
	store, err := engine.Open(engine.Options{})
	require.NoError(t, err)
	version, err := store.Set("k", []byte("v"), engine.SetOptions{})
	require.NoError(t, err)
	m := hoststate.New(&host{store: store}, true)
	writes := 0
	for name, operation := range operations {
		switch name {
		case "get", "exists", "get many", "list", "stats", "watch":
			require.NoError(t, operation(m), name)
		default:
			require.ErrorIs(t, operation(m), state.ErrReadOnly, name)
			writes++
		}
	}
	require.Equal(t, 9, writes)
	require.Equal(t, version, store.Stats().Version)
}
