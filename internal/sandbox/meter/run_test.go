package meter

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// twin runs modules plain and metered and compares what they do.
type twin struct {
	plain, metered      wazero.Runtime
	meter               *meterHost
	calls, traps, spins int
}

func newTwin(t testing.TB, config wazero.RuntimeConfig) *twin {
	ctx := context.Background()
	config = config.WithMemoryLimitPages(256)
	w := &twin{plain: wazero.NewRuntimeWithConfig(ctx, config), metered: wazero.NewRuntimeWithConfig(ctx, config), meter: &meterHost{slice: 1000}}
	t.Cleanup(func() {
		require.NoError(t, w.plain.Close(ctx))
		require.NoError(t, w.metered.Close(ctx))
	})
	w.meter.install(t, w.metered)
	return w
}

// compare instantiates a module that both sides take and has no imports, and
// calls each function it exports, with zeros. What runs out of fuel is not run
// plain, and ends the comparison, since the state is another one from there on.
func (w *twin) compare(t testing.TB, module []byte, m *Module, what string) {
	ctx := context.Background()
	if len(m.Imports) > 0 {
		return
	}
	w.meter.given, w.meter.budget = 0, 50_000
	metered, meteredErr := instantiate(w.metered, m.Bytes)
	if errors.Is(meteredErr, errNoFuel{}) {
		w.spins++
		return
	}
	plain, plainErr := instantiate(w.plain, module)
	if plainErr != nil || meteredErr != nil {
		require.Equal(t, plainErr == nil, meteredErr == nil, "%s: plain: %v, metered: %v", what, plainErr, meteredErr)
		require.Equal(t, trapOf(plainErr), trapOf(meteredErr), what)
		return
	}
	defer func() {
		require.NoError(t, plain.Close(ctx))
		require.NoError(t, metered.Close(ctx))
	}()
	var names []string
	for name := range plain.ExportedFunctionDefinitions() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := metered.ExportedFunction(name)
		args := make([]uint64, words(f.Definition().ParamTypes()))
		w.meter.given, w.meter.budget = 0, 50_000
		got, meteredErr := f.Call(ctx, args...)
		if errors.Is(meteredErr, errNoFuel{}) {
			w.spins++
			return
		}
		want, plainErr := plain.ExportedFunction(name).Call(ctx, args...)
		require.Equal(t, trapOf(plainErr), trapOf(meteredErr), "%s: %s", what, name)
		w.calls++
		if plainErr != nil {
			w.traps++
		} else if !hasReference(f.Definition().ResultTypes()) {
			require.Equal(t, want, got, "%s: %s", what, name)
		}
	}
	if p := plain.Memory(); !reflect.ValueOf(p).IsNil() { // wazero returns a typed nil
		a, _ := p.Read(0, p.Size())
		b, _ := metered.Memory().Read(0, metered.Memory().Size())
		require.True(t, slices.Equal(a, b), "%s: the memories differ", what)
	}
}

func instantiate(r wazero.Runtime, module []byte) (m api.Module, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p}
		}
	}()
	return r.InstantiateWithConfig(context.Background(), module, wazero.NewModuleConfig().WithName(""))
}

// words is how many words values take: vectors take two.
func words(types []api.ValueType) (n int) {
	for _, t := range types {
		n++
		if t == 0x7b {
			n++
		}
	}
	return n
}

func hasReference(types []api.ValueType) bool {
	return slices.ContainsFunc(types, func(t api.ValueType) bool { return t == 0x70 || t == 0x6f })
}

// TestCorpus runs the modules that once broke wazero, and the others that it
// ships for its own tests.
func TestCorpus(t *testing.T) {
	root, err := wazeroDir()
	require.NoError(t, err)
	v := newVerdicts(t, wazero.NewRuntimeConfigCompiler())
	w := newTwin(t, wazero.NewRuntimeConfigCompiler())
	modules := 0
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".wasm") || strings.Contains(path, "spectest") {
			return err
		}
		module, err := os.ReadFile(path)
		require.NoError(t, err)
		if len(module) > 300<<10 {
			return nil // a compiler's work of many seconds, and nothing else in them
		}
		modules++
		what := strings.TrimPrefix(path, root)
		v.compare(t, module, what)
		if m, err := Instrument(module, Options{}); err == nil && v.compiles(module) == nil {
			w.compare(t, module, m, what)
		}
		return nil
	})
	require.NoError(t, err)
	t.Logf("%d modules: %d taken by both, %d refused by both; %d calls, %d of them trapped, %d ran out of fuel", modules, v.taken, v.refused, w.calls, w.traps, w.spins)
	require.Greater(t, modules, 100)
}
