package conformance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
)

// The codes that only a host can cause.
const (
	codeHandle  = -3
	codeRequest = -4
	codeBusy    = -5
)

func TestABIRefusesUnknownHandles(t *testing.T) {
	h := wazeroHosts(t)()
	_, err := h.open(engine.Options{})
	require.NoError(t, err)
	h.call("ingot_scratch", 100)
	for name, export := range h.module.ExportedFunctionDefinitions() {
		if len(export.ParamTypes()) == 0 || name == "ingot_scratch" || name == "ingot_open_dir" { // which take none
			continue
		}
		for _, handle := range []uint64{0, 2, 1 << 31, 1<<32 - 1} {
			args := make([]uint64, len(export.ParamTypes()))
			args[0] = handle
			require.EqualValues(t, codeHandle, h.call(name, args...), "%s(%d)", name, handle)
			require.Contains(t, string(h.read(0, int(h.call("ingot_error")))), "handle")
		}
	}
}

func TestABIRefusesLengthsBeyondTheArea(t *testing.T) {
	h := wazeroHosts(t)()
	s, err := h.open(engine.Options{})
	require.NoError(t, err)
	_, err = s.Set("k", []byte("v"), engine.SetOptions{})
	require.NoError(t, err)
	const store = 1
	area := uint64(uint32(h.call("ingot_area_bytes")))
	for _, size := range []uint64{area + 1, 1 << 31, 1<<32 - 1} {
		for _, name := range []string{"get", "stat", "exists", "increment", "expire", "clear", "budget", "get_many", "set_many", "delete_many", "batch"} {
			require.EqualValues(t, codeRequest, h.call("ingot_"+name, store, size), "%s of %d bytes", name, size)
		}
		require.EqualValues(t, codeRequest, h.call("ingot_delete", store, size, 0))
		require.EqualValues(t, codeRequest, h.call("ingot_watch", store, size, 0, 0))
		for _, pair := range [][2]uint64{{size, 0}, {0, size}, {1, size - 1}, {size, size}} {
			require.EqualValues(t, codeRequest, h.call("ingot_set", store, pair[0], pair[1], 0))
			require.EqualValues(t, codeRequest, h.call("ingot_cas", store, pair[0], pair[1]))
			require.EqualValues(t, codeRequest, h.call("ingot_list", store, pair[0], pair[1], 0, 0))
		}
		restore := h.call("ingot_restore_open", store)
		require.EqualValues(t, codeRequest, h.call("ingot_restore_write", uint64(restore), size))
		require.EqualValues(t, 0, h.call("ingot_restore_close", uint64(restore)))
	}
	require.Zero(t, h.call("ingot_scratch", 256<<20+1))
	require.EqualValues(t, 1, s.Stats().Keys)
}

// Whatever bytes a request holds, it gets a code and never a trap.
func TestABISurvivesGarbage(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("INGOT_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("INGOT_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	h := wazeroHosts(t)()
	s, err := h.open(engine.Options{BytesMax: 1 << 20})
	require.NoError(t, err)
	refused, taken := 0, 0
	for range 3000 {
		request := make([]byte, random.IntN(120))
		for i := range request {
			if request[i] = byte(random.IntN(256)); random.IntN(3) > 0 {
				request[i] = byte(random.IntN(5)) // small lengths get further in
			}
		}
		size := h.write(request)
		name := []string{"get_many", "set_many", "delete_many", "batch"}[random.IntN(4)]
		if n := h.call("ingot_"+name, 1, size); n < 0 {
			require.NotEmpty(t, h.read(0, int(h.call("ingot_error"))), name)
			refused++
		} else {
			taken++
		}
	}
	require.NotZero(t, refused)
	require.NotZero(t, taken)
	require.LessOrEqual(t, s.Stats().Bytes, int64(1<<20))
}

// A reply that does not fit moves the area, with the request in front of it.
func TestABIMovesTheAreaForALongReply(t *testing.T) {
	h := wazeroHosts(t)()
	s, err := h.open(engine.Options{})
	require.NoError(t, err)
	value := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	_, err = s.Set("key", value, engine.SetOptions{})
	require.NoError(t, err)
	h.call("ingot_scratch", 0)
	small := h.call("ingot_area_bytes")
	require.Less(t, int(small), len(value))
	e, err := s.Get("key")
	require.NoError(t, err)
	require.True(t, bytes.Equal(value, e.Value))
	require.Greater(t, h.call("ingot_area_bytes"), small)
	require.Equal(t, "key", string(h.read(0, 3)))
	h.call("ingot_scratch", 0)
	require.Equal(t, small, h.call("ingot_area_bytes"))
}

// Several stores and watchers of one module are apart, and closing a store ends
// its watchers only.
func TestABIKeepsStoresApart(t *testing.T) {
	h := wazeroHosts(t)()
	one, err := h.open(engine.Options{})
	require.NoError(t, err)
	two, err := h.open(engine.Options{BytesMax: 1000})
	require.NoError(t, err)
	w, err := two.Watch(engine.WatchOptions{})
	require.NoError(t, err)
	for i, s := range []store{one, two} {
		_, err = s.Set("k", []byte{byte(i)}, engine.SetOptions{})
		require.NoError(t, err)
	}
	require.Len(t, w.Poll(nil, 0), 1)
	require.NoError(t, one.Close())
	e, err := two.Get("k")
	require.NoError(t, err)
	require.Equal(t, []byte{1}, e.Value)
	require.Empty(t, w.Poll(nil, 0))
	require.NoError(t, two.Close())
	require.EqualValues(t, codeHandle, h.call("ingot_poll", 1, 0))
	_, err = h.open(engine.Options{}) // takes the first free handle
	require.NoError(t, err)
	require.EqualValues(t, 0, h.call("ingot_tick", 1, 0))
}

// A stream can be given up at any point.
func TestABIGivesUpStreams(t *testing.T) {
	h := wazeroHosts(t)()
	s, err := h.open(engine.Options{})
	require.NoError(t, err)
	var items []engine.Item
	for i := range 3000 {
		items = append(items, engine.Item{Key: fmt.Sprint(i), Value: make([]byte, 100)})
	}
	_, err = s.SetMany(items)
	require.NoError(t, err)
	var snapshot bytes.Buffer
	require.NoError(t, s.Snapshot(&snapshot))

	reading := uint64(h.call("ingot_snapshot_open", 1))
	require.EqualValues(t, codeBusy, h.call("ingot_snapshot_open", 1))
	require.Positive(t, h.call("ingot_snapshot_read", reading))
	_, err = s.Set("meanwhile", []byte("v"), engine.SetOptions{}) // the store goes on
	require.NoError(t, err)
	_, _, err = s.Delete("meanwhile", engine.DeleteOptions{})
	require.NoError(t, err)
	require.Zero(t, h.call("ingot_snapshot_close", reading))
	require.EqualValues(t, codeHandle, h.call("ingot_snapshot_read", reading))

	writing := uint64(h.call("ingot_restore_open", 1))
	require.Zero(t, h.call("ingot_restore_write", writing, h.write(snapshot.Bytes())))
	require.Zero(t, h.call("ingot_restore_close", writing), "given up behind the last byte")
	require.EqualValues(t, codeHandle, h.call("ingot_restore_end", writing))
	require.EqualValues(t, 3002, s.Stats().Version, "nothing was restored")
}

// docs/ABI.md lists every export, and none that is not there.
func TestABIDocumentListsTheExports(t *testing.T) {
	text, err := os.ReadFile("../docs/ABI.md")
	require.NoError(t, err)
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(ingot_[a-z_]+)\\(").FindAllSubmatch(text, -1) {
		documented[string(m[1])] = true
	}
	exported := map[string]bool{}
	for name := range wazeroHosts(t)().module.ExportedFunctionDefinitions() {
		if name != "_initialize" {
			exported[name] = true
		}
	}
	require.Equal(t, exported, documented)
}
