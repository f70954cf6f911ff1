package meter

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// goGuest builds a guest from a folder under testdata.
func goGuest(t testing.TB, name string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	module, err := os.ReadFile(file)
	require.NoError(t, err)
	return module
}

// jsonGuest is the Go guest of the benchmark, built once.
var jsonGuest = struct {
	sync.Mutex
	module []byte
}{}

func goJSON(t testing.TB) []byte {
	jsonGuest.Lock()
	defer jsonGuest.Unlock()
	if jsonGuest.module == nil {
		jsonGuest.module = goGuest(t, "gojson")
	}
	return jsonGuest.module
}

// orderJSON is its input, 1 KB.
func orderJSON() []byte {
	var items []string
	for i := range 9 {
		items = append(items, fmt.Sprintf(`{"sku":"SKU-%04d","name":"A thing with a name, number %d","quantity":%d,"price":%d.25}`, i*37, i, i+1, 10*i))
	}
	return []byte(`{"id":123456789,"customer":"Ada \"the first\" Lovelace","paid":true,"total":0,"items":[` +
		strings.Join(items, ",") + `],"labels":{"region":"north","channel":"web","priority":"high \u00e9"}}`)
}

// side is one way to run a guest.
type side struct {
	name     string
	instance api.Module
	call     func() // one unit of work
	spent    time.Duration
	rounds   []time.Duration
}

// sides instantiates a module plain, metered, and with wazero's own check.
func sides(t testing.TB, module []byte, work func(t testing.TB, m api.Module) func()) []*side {
	t.Helper()
	all := []*side{{name: "plain"}, {name: "metered"}, {name: "closer"}}
	for _, s := range all {
		config := wazero.NewRuntimeConfigCompiler()
		code := module
		ctx := context.Background()
		switch s.name {
		case "metered":
			m, err := Instrument(module, Options{})
			require.NoError(t, err)
			code = m.Bytes
		case "closer":
			config = config.WithCloseOnContextDone(true)
		}
		r := wazero.NewRuntimeWithConfig(ctx, config)
		t.Cleanup(func() { _ = r.Close(ctx) })
		wasi_snapshot_preview1.MustInstantiate(ctx, r)
		(&meterHost{slice: 1_000_000, budget: -1}).install(t, r)
		var err error
		s.instance, err = r.InstantiateWithConfig(ctx, code, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
		require.NoError(t, err)
		s.call = work(t, s.instance)
	}
	return all
}

// compareSides runs the sides in turn, and reports each against the first: the
// median of the rounds' ratios.
func compareSides(b *testing.B, all []*side) {
	for _, s := range all {
		s.call()
	}
	b.ResetTimer()
	for b.Loop() {
		for _, s := range all {
			start := time.Now()
			s.call()
			d := time.Since(start)
			s.spent += d
			s.rounds = append(s.rounds, d)
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, s := range all {
		b.ReportMetric(float64(median(s.rounds).Nanoseconds()), s.name+"-ns")
		if s.name != "plain" {
			b.ReportMetric(float64(median(s.rounds))/float64(median(all[0].rounds)), s.name+"/plain")
		}
	}
}

// The overhead on a Go guest that decodes and encodes 1 KB of JSON.
func BenchmarkGoJSON(b *testing.B) {
	input := orderJSON()
	compareSides(b, sides(b, goJSON(b), func(t testing.TB, m api.Module) func() {
		alloc, call := m.ExportedFunction("alloc"), m.ExportedFunction("call")
		ctx := context.Background()
		return func() {
			at, err := alloc.Call(ctx, uint64(len(input)))
			require.NoError(t, err)
			require.True(t, m.Memory().Write(uint32(at[0]), input))
			_, err = call.Call(ctx)
			require.NoError(t, err)
		}
	}))
}

// The overhead on the tightest loop there is, of 100,000 iterations.
func BenchmarkTightLoop(b *testing.B) {
	compareSides(b, sides(b, tightLoop(), func(t testing.TB, m api.Module) func() {
		run := m.ExportedFunction("run")
		ctx := context.Background()
		return func() {
			_, err := run.Call(ctx, 100_000)
			require.NoError(t, err)
		}
	}))
}
