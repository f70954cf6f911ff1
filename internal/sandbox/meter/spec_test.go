package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// specSuites are the folders of spec tests that wazero ships, with the features
// they need.
var specSuites = []struct {
	dir      string
	features api.CoreFeatures
	modules  int // .wasm files in it
}{
	{"v1", api.CoreFeaturesV1, 2527},
	{"v2", api.CoreFeaturesV2, 4581},
	{"extended-const", api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst, 54},
	{"tail-call", api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall, 30},
	{"threads", api.CoreFeaturesV2 | experimental.CoreFeaturesThreads, 53},
	{"exception-handling", api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesTypedFunctionReferences, 30},
	{"typed-function-references", api.CoreFeaturesV2 | experimental.CoreFeaturesTypedFunctionReferences | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst, 558},
}

// specScript is a script of the spec tests, as wast2json writes it.
type specScript struct {
	Commands []specCommand `json:"commands"`
}

type specCommand struct {
	Type       string     `json:"type"`
	Line       int        `json:"line"`
	Name       string     `json:"name"`
	Filename   string     `json:"filename"`
	As         string     `json:"as"`
	ModuleType string     `json:"module_type"`
	Action     specAction `json:"action"`
}

type specAction struct {
	Type   string      `json:"type"`
	Args   []specValue `json:"args"`
	Field  string      `json:"field"`
	Module string      `json:"module"`
}

type specValue struct {
	Type     string `json:"type"`
	LaneType string `json:"lane_type"`
	Value    any    `json:"value"`
}

// specCount is what a run of spec tests did.
type specCount struct{ modules, refused, refusedHere, calls, traps, yields int }

// TestSpec runs wazero's spec tests plain and metered, side by side, and sees
// that each module is taken or refused, and each call answered or trapped, alike.
// Under the race detector, where it takes minutes and nothing is concurrent, it
// runs every sixteenth script.
func TestSpec(t *testing.T) {
	root, err := wazeroDir()
	require.NoError(t, err)
	root = filepath.Join(root, "internal", "integration_test", "spectest")
	var total specCount
	for _, suite := range specSuites {
		dir := filepath.Join(root, suite.dir, "testdata")
		scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, scripts, dir)
		for i, script := range scripts {
			if raceEnabled && i%16 != 0 {
				continue
			}
			t.Run(suite.dir+"/"+strings.TrimSuffix(filepath.Base(script), ".json"), func(t *testing.T) {
				runSpec(t, filepath.Join(root, "testdata", "spectest.wasm"), script, suite.features, &total)
			})
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
		require.NoError(t, err)
		require.Len(t, files, suite.modules)
	}
	t.Logf("%+v", total)
}

// specWorld is one of the two sides.
type specWorld struct {
	runtime wazero.Runtime
	meter   *meterHost // nil: plain
	here    bool       // the last module was refused by Instrument
	named   map[string]api.Module
	last    api.Module
}

func newSpecWorld(t *testing.T, spectest []byte, features api.CoreFeatures, meter *meterHost) *specWorld {
	ctx := context.Background()
	w := &specWorld{meter: meter, named: map[string]api.Module{}}
	w.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	t.Cleanup(func() { require.NoError(t, w.runtime.Close(ctx)) })
	if meter != nil {
		meter.install(t, w.runtime)
	}
	_, err := w.instantiate(spectest, "spectest")
	require.NoError(t, err)
	return w
}

func (w *specWorld) instantiate(module []byte, name string) (m api.Module, err error) {
	w.here = false
	if w.meter != nil {
		made, err := Instrument(module, Options{TableElementsMax: 1 << 28})
		if err != nil {
			w.here = true
			return nil, err
		}
		module = made.Bytes
	}
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p}
		}
	}()
	return w.runtime.InstantiateWithConfig(context.Background(), module, wazero.NewModuleConfig().WithName(name))
}

func runSpec(t *testing.T, spectestFile, scriptFile string, features api.CoreFeatures, total *specCount) {
	spectest, err := os.ReadFile(spectestFile)
	require.NoError(t, err)
	raw, err := os.ReadFile(scriptFile)
	require.NoError(t, err)
	var script specScript
	require.NoError(t, json.Unmarshal(raw, &script))
	meter := &meterHost{slice: 1000, budget: -1}
	plain := newSpecWorld(t, spectest, features, nil)
	metered := newSpecWorld(t, spectest, features, meter)
	defer func() { total.yields += meter.yields }()

	for i, c := range script.Commands {
		at := fmt.Sprintf("line %d: %s %s", c.Line, c.Type, c.Filename)
		switch {
		case c.Type == "register": // done with the module before it
		case c.Filename != "":
			if c.ModuleType == "text" || strings.HasSuffix(c.Filename, ".wat") {
				continue
			}
			name := ""
			if next := i + 1; next < len(script.Commands) && script.Commands[next].Type == "register" {
				name = script.Commands[next].As
			}
			compareModules(t, at, filepath.Join(filepath.Dir(scriptFile), c.Filename), name, c, plain, metered, total)
		case c.Action.Type != "":
			compareCalls(t, at, c.Action, plain, metered, total)
		}
	}
}

// compareModules instantiates a module on both sides.
func compareModules(t *testing.T, at, file, name string, c specCommand, plain, metered *specWorld, total *specCount) {
	module, err := os.ReadFile(file)
	require.NoError(t, err)
	p, plainErr := plain.instantiate(module, name)
	m, meteredErr := metered.instantiate(module, name)
	total.modules++
	require.Equal(t, plainErr == nil, meteredErr == nil, "%s:\nplain:   %v\nmetered: %v", at, plainErr, meteredErr)
	if plainErr != nil {
		total.refused++
		if metered.here {
			total.refusedHere++
		}
		if isTrap(plainErr) {
			require.Equal(t, trapOf(plainErr), trapOf(meteredErr), at)
		}
		return
	}
	if c.Type == "module" {
		plain.last, metered.last = p, m
		if c.Name != "" {
			plain.named[c.Name], metered.named[c.Name] = p, m
		}
	}
}

// compareCalls does an action on both sides.
func compareCalls(t *testing.T, at string, a specAction, plain, metered *specWorld, total *specCount) {
	at += " " + a.Field
	p, m := plain.last, metered.last
	if a.Module != "" {
		p, m = plain.named[a.Module], metered.named[a.Module]
	}
	total.calls++
	if a.Type == "get" {
		require.Equal(t, p.ExportedGlobal(a.Field).Get(), m.ExportedGlobal(a.Field).Get(), at)
		return
	}
	require.Equal(t, "invoke", a.Type)
	args := specArgs(t, a.Args)
	want, plainErr := p.ExportedFunction(a.Field).Call(context.Background(), args...)
	got, meteredErr := m.ExportedFunction(a.Field).Call(context.Background(), args...)
	require.Equal(t, trapOf(plainErr), trapOf(meteredErr), at)
	if plainErr != nil {
		total.traps++
		return
	}
	types := p.ExportedFunction(a.Field).Definition().ResultTypes()
	for i, k := 0, 0; i < len(types); i, k = i+1, k+1 {
		switch types[i] {
		case api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF32, api.ValueTypeF64, api.ValueTypeExternref:
			require.Equal(t, want[k], got[k], "%s: result %d", at, i)
		case 0x7b: // v128
			require.Equal(t, want[k:k+2], got[k:k+2], "%s: result %d", at, i)
			k++
		default: // a pointer
			require.Equal(t, want[k] == 0, got[k] == 0, "%s: result %d", at, i)
		}
	}
}

// isTrap says whether an error comes from running code.
func isTrap(err error) bool { return strings.Contains(err.Error(), "wasm error: ") }

// trapOf is an error without its stack trace.
func trapOf(err error) string {
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), "\nwasm stack trace:")
	if i := strings.Index(text, "wasm error: "); i >= 0 {
		text = text[i:]
	}
	return text
}

// specArgs encodes arguments.
func specArgs(t *testing.T, values []specValue) (args []uint64) {
	for _, v := range values {
		if v.Type == "v128" {
			args = append(args, specLanes(t, v)...)
			continue
		}
		args = append(args, specNumber(t, v.Type, v.Value))
	}
	return args
}

// specNumber encodes one number or reference: null is 0, others are counted from 1.
func specNumber(t *testing.T, kind string, value any) uint64 {
	if value == nil || value == "null" {
		return 0
	}
	text := value.(string)
	bits := 64
	if strings.HasSuffix(kind, "32") {
		bits = 32
	}
	switch {
	case strings.HasPrefix(text, "nan"):
		if bits == 32 {
			return uint64(math.Float32bits(float32(math.NaN())))
		}
		return math.Float64bits(math.NaN())
	case strings.HasPrefix(text, "-"):
		n, err := strconv.ParseInt(text, 10, bits)
		require.NoError(t, err)
		return uint64(n) & (math.MaxUint64 >> (64 - bits))
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err)
	if kind == "externref" {
		n++
	}
	return n
}

// specLanes encodes a vector as two words.
func specLanes(t *testing.T, v specValue) []uint64 {
	lanes := v.Value.([]any)
	bits := 128 / len(lanes)
	words := make([]uint64, 2)
	for i, lane := range lanes {
		n := specNumber(t, v.LaneType, lane) & (math.MaxUint64 >> (64 - bits))
		words[i*bits/64] |= n << (i * bits % 64)
	}
	return words
}
