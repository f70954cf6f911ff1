package meter

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// meterHost is the host's side: it gives a slice of fuel at each yield.
type meterHost struct {
	slice  int64
	budget int64 // what may be given altogether; below zero: without end
	yields int
	given  int64
}

// errNoFuel ends an instance whose budget is used up.
type errNoFuel struct{}

func (errNoFuel) Error() string { return "no fuel left" }

// install puts the yield function into a runtime.
func (h *meterHost) install(t testing.TB, r wazero.Runtime) {
	t.Helper()
	_, err := r.NewHostModuleBuilder(ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) { h.yield(m) }), nil, nil).
		Export(ImportYield).Instantiate(context.Background())
	require.NoError(t, err)
}

func (h *meterHost) yield(m api.Module) {
	h.yields++
	if h.budget >= 0 && h.given >= h.budget {
		panic(errNoFuel{})
	}
	fuel := fuelOf(m)
	add := h.slice - int64(fuel.Get())
	fuel.Set(uint64(h.slice))
	h.given += add
}

// burnt is the fuel that an instance has used, if it alone used the host.
func (h *meterHost) burnt(m api.Module) int64 { return h.given - int64(fuelOf(m).Get()) }

func fuelOf(m api.Module) api.MutableGlobal { return m.ExportedGlobal(ExportFuel).(api.MutableGlobal) }

// wazeroDir is where the module cache has wazero's source.
var wazeroDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	return strings.TrimSpace(string(out)), err
})

// compile compiles a module, and turns a panic of the compiler into an error.
func compile(ctx context.Context, r wazero.Runtime, module []byte) (c wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p}
		}
	}()
	return r.CompileModule(ctx, module)
}

type panicError struct{ value any }

func (panicError) Error() string { return "the compiler panicked" }

// median is the median of some measurements.
func median(all []time.Duration) time.Duration {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
