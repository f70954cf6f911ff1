package meter

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// allFeatures are all that wazero knows.
const allFeatures = api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst |
	experimental.CoreFeaturesExceptionHandling | experimental.CoreFeaturesTypedFunctionReferences

// verdicts compares what Instrument and wazero say about a module.
type verdicts struct {
	runtime                           wazero.Runtime
	taken, refused, limited, panicked int
}

func newVerdicts(t testing.TB, config wazero.RuntimeConfig) *verdicts {
	v := &verdicts{runtime: wazero.NewRuntimeWithConfig(context.Background(), config.WithMemoryLimitPages(1<<16))}
	t.Cleanup(func() { require.NoError(t, v.runtime.Close(context.Background())) })
	return v
}

// compare fails the test when one takes a module that the other refuses.
// Modules that would make wazero alone allocate without bounds it does not see.
func (v *verdicts) compare(t testing.TB, module []byte, what string) (taken *Module) {
	t.Helper()
	m, err := Instrument(module, Options{TableElementsMax: 1 << 30, CompileWorkMax: 1e7})
	if err != nil {
		v.refused++
		if isLimit(err) || lies(module) {
			v.limited++
			return nil
		}
		require.Error(t, v.compiles(module), "%s: wazero takes a module that the meter refuses: %v", what, err)
		return nil
	}
	plain, metered := v.compiles(module), v.compiles(m.Bytes)
	if plain != nil && strings.Contains(plain.Error(), "failed to read custom section name") {
		v.limited++ // its fault: an empty one at the end
		return nil
	}
	if _, ok := plain.(panicError); ok {
		v.panicked++
		return nil
	}
	require.Equal(t, plain == nil, metered == nil, "%s:\nplain:   %v\nmetered: %v", what, plain, metered)
	if plain != nil {
		v.refused++
		return nil
	}
	v.taken++
	return m
}

func (v *verdicts) compiles(module []byte) error {
	c, err := compile(context.Background(), v.runtime, module)
	if err == nil {
		err = c.Close(context.Background())
	}
	return err
}

// isLimit says whether an error is about what Options allow, or about names.
func isLimit(err error) bool {
	return strings.Contains(err.Error(), "allowed") || strings.Contains(err.Error(), "reserved") || strings.Contains(err.Error(), "a null of any function")
}

// lies says whether a count in a module, which wazero would allocate for, goes
// beyond what is there. (An unrecoverable end of the process, at worst.)
func lies(module []byte) bool {
	all, err := sections(module)
	if err != nil {
		return true
	}
	for _, s := range all {
		r := reader{b: s.content}
		w := writer{}
		switch s.id {
		case sectionCustom:
			if name := r.name(); name == "name" {
				_, r.err = w.names(s.content[r.at:])
			}
		case sectionCode:
			for n := r.u32(); n > 0 && r.err == nil; n-- {
				code := reader{b: r.bytes(r.u32())}
				for k := code.u32(); k > 0 && code.err == nil; k-- {
					if code.u32() > 1e6 {
						return true
					}
					code.valueType()
				}
			}
		case sectionElement:
			_, r.err = w.elementSection(s.content)
		case sectionData:
			r.err = w.dataSection(s.content)
		case sectionStart, sectionDataCount:
		default:
			if r.u32() > uint32(len(s.content)) {
				return true
			}
		}
		if r.err != nil && !strings.Contains(r.err.Error(), "there is no") {
			return true
		}
	}
	return false
}

// seeds are the small modules that mutation starts from: the spec tests' and the
// fuzz corpus's of wazero.
func seeds(t testing.TB) map[string][]byte {
	root, err := wazeroDir()
	require.NoError(t, err)
	all := map[string][]byte{"tight loop": tightLoop()}
	for _, pattern := range []string{"spectest/*/testdata/*.wasm", "fuzzcases/testdata/*.wasm"} {
		files, err := filepath.Glob(filepath.Join(root, "internal", "integration_test", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			module, err := os.ReadFile(file)
			require.NoError(t, err)
			if len(module) < 4096 {
				all[strings.TrimPrefix(file, root)] = module
			}
		}
	}
	return all
}

// TestMutants changes valid modules at random and sees that the meter and wazero
// say the same about them. INGOT_MUTANTS sets how many (default 3000), INGOT_SEED
// where chance starts.
func TestMutants(t *testing.T) {
	count, seed := 3000, uint64(1)
	if n := os.Getenv("INGOT_MUTANTS"); n != "" {
		var err error
		count, err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	if n := os.Getenv("INGOT_SEED"); n != "" {
		var err error
		seed, err = strconv.ParseUint(n, 10, 64)
		require.NoError(t, err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	v := newVerdicts(t, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	w := newTwin(t, wazero.NewRuntimeConfigInterpreter())
	var names []string
	var valid [][]byte
	for name, module := range sortedSeeds(t) {
		if !lies(module) && v.compiles(module) == nil {
			names, valid = append(names, name), append(valid, module)
		}
	}
	chance := rand.New(rand.NewPCG(seed, 0))
	for i := range count {
		k := chance.IntN(len(valid))
		module := mutate(chance, valid[k], valid)
		if m := v.compare(t, module, names[k]); m != nil {
			w.compare(t, module, m, names[k])
		}
		if t.Failed() {
			t.Logf("mutant %d of seed %d: %x", i, seed, module)
			return
		}
	}
	t.Logf("%d mutants of %d modules, seed %d: %d taken by both, %d refused by both (%d of them beyond a limit, or not shown to wazero), %d panicked wazero; %d calls of those taken, %d trapped, %d ran out of fuel",
		count, len(valid), seed, v.taken, v.refused, v.limited, v.panicked, w.calls, w.traps, w.spins)
	require.Positive(t, v.taken)
	require.Positive(t, v.refused)
}

// The mutants that made wazero 1.12 panic are refused here.
func TestModulesThatPanicTheCompiler(t *testing.T) {
	files, err := filepath.Glob("../testdata/malformed/panic_*.wasm")
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		module, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = Instrument(module, Options{})
		require.ErrorContains(t, err, "function section: at byte ", file)
		require.ErrorContains(t, err, ": there is no type ", file)
	}
}

// mutate changes a module: as bytes, or inside of one section or function, whose
// size is then mended so that the change is not the only thing that is seen.
func mutate(chance *rand.Rand, module []byte, others [][]byte) []byte {
	if chance.IntN(3) == 0 {
		return append(bytes.Clone(wasmHeader), scramble(chance, module[8:], others)...)
	}
	all, err := sections(module)
	if err != nil || len(all) == 0 {
		return module
	}
	out := bytes.Clone(wasmHeader)
	chosen := chance.IntN(len(all))
	for i, s := range all {
		content := s.content
		switch {
		case i != chosen:
		case s.id == sectionCode:
			content = mutateCode(chance, content, others)
		default:
			content = scramble(chance, content, others)
		}
		out = appendSection(out, s.id, content)
	}
	return out
}

// mutateCode changes one function of a code section.
func mutateCode(chance *rand.Rand, content []byte, others [][]byte) []byte {
	r := reader{b: content}
	count := r.u32()
	out := appendU32(nil, count)
	if count == 0 {
		return content
	}
	chosen := uint32(chance.IntN(int(count)))
	for i := range count {
		body := r.bytes(r.u32())
		if i == chosen {
			body = scramble(chance, body, others)
		}
		out = append(appendU32(out, uint32(len(body))), body...)
	}
	return out
}

// scramble changes a few places: it flips bits, sets bytes, cuts, repeats, and
// takes pieces from other modules.
func scramble(chance *rand.Rand, piece []byte, others [][]byte) []byte {
	out := bytes.Clone(piece)
	for range 1 + chance.IntN(3) {
		if len(out) < 2 {
			return out
		}
		at := chance.IntN(len(out))
		size := 1 + chance.IntN(min(8, len(out)-at))
		switch chance.IntN(6) {
		case 0:
			out[at] ^= 1 << chance.IntN(8)
		case 1:
			out[at] = byte(chance.IntN(256))
		case 2:
			out = append(out[:at], out[at+size:]...)
		case 3:
			out = append(out[:at+size], append(bytes.Clone(out[at:at+size]), out[at+size:]...)...)
		case 4:
			other := others[chance.IntN(len(others))]
			from := chance.IntN(len(other))
			copy(out[at:], other[from:min(len(other), from+size)])
		case 5:
			out[at]++
		}
	}
	return out
}

// sortedSeeds ranges over the seeds in a fixed order.
func sortedSeeds(t testing.TB) iter.Seq2[string, []byte] {
	all := seeds(t)
	return func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name, all[name]) {
				return
			}
		}
	}
}
