package meter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// FuzzInstrument gives Instrument any bytes: it must not panic, must say the same
// as wazero does, and what it makes must do what the module does.
func FuzzInstrument(f *testing.F) {
	n := 0
	for _, module := range sortedSeeds(f) {
		if n++; n%16 == 0 { // a few hundred
			f.Add(module)
		}
	}
	for _, b := range spinners() {
		f.Add(b.bytes())
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		v := newVerdicts(t, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
		m := v.compare(t, module, "fuzzed")
		if m == nil {
			return
		}
		again, err := Instrument(m.Bytes, Options{})
		require.Error(t, err)
		require.Nil(t, again)
		if m.MemoryBytesMin <= 16<<20 {
			newTwin(t, wazero.NewRuntimeConfigInterpreter()).compare(t, module, m, "fuzzed")
		}
	})
}
