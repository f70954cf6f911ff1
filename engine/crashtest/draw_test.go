package crashtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

// files is a disk's files and their lengths.
func files(d *simdir.Dir) string {
	names, err := d.List()
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "%s: %d bytes ", name, len(d.Bytes(name)))
	}
	return text.String()
}

// lastCalls is the end of a disk's trace.
func lastCalls(d *simdir.Dir) string {
	calls := d.Trace()
	var text strings.Builder
	text.WriteString("the last calls:\n")
	for _, e := range calls[max(0, len(calls)-25):] {
		fmt.Fprintf(&text, "\t%v\n", e)
	}
	return text.String()
}

// pick is one of some values.
func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

var keys = []string{"a", "a/1", "a/2", "b", "b/1", "n", "m", "\x00", "\xff", "z" + strings.Repeat("k", 700)}

// someKeys is different keys.
func someKeys(rng *rand.Rand, most int) []string {
	all := slices.Clone(keys)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+rng.IntN(most)]
}

// someValue is a value: mostly short, some longer than a sector, some longer than
// a segment, some that compress.
func someValue(rng *rand.Rand) string {
	n := pick(rng, 0, 3, 8, 40, 40, 200, 600, 2500)
	if rng.IntN(2) == 0 {
		return strings.Repeat(string(rune('a'+rng.IntN(26))), n)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

func setString(s *engine.Store, key, value string) error {
	_, err := s.Set(key, []byte(value), engine.SetOptions{})
	return err
}

func getString(t *testing.T, s *engine.Store, key string) string {
	t.Helper()
	e, err := s.Get(key)
	require.NoError(t, err)
	require.True(t, e.Found(), key)
	return string(e.Value)
}
