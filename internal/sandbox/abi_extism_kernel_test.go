package sandbox

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused runs f, which must end the call, and returns why.
func refused(t *testing.T, f func()) *failure {
	t.Helper()
	var why *failure
	func() {
		defer func() { why, _ = recover().(*failure) }()
		f()
	}()
	require.NotNil(t, why)
	return why
}

// Against a model: a map from offsets to what was put there.
func TestKernelAgainstModel(t *testing.T) {
	const seed = 11
	random := rand.New(rand.NewPCG(seed, seed))
	k := &kernel{bytesMax: 1 << 20}
	model := map[uint64][]byte{}
	for range 20_000 {
		switch {
		case random.IntN(2) == 0 && len(model) < 500:
			content := make([]byte, 1+random.IntN(200))
			for i := range content {
				content[i] = byte(random.Uint32())
			}
			at := k.put(content)
			require.NotContains(t, model, at, "seed %d: a block in use was given out", seed)
			model[at] = content
		default:
			for at, content := range model { // any one
				require.Equal(t, uint64(len(content)), k.length(at))
				require.Equal(t, content, k.view(at, k.length(at)), "seed %d", seed)
				if len(content) >= 8 {
					k.storeWord(at, 0x0807060504030201)
					copy(content, []byte{1, 2, 3, 4, 5, 6, 7, 8})
					require.Equal(t, uint64(0x0807060504030201), k.loadWord(at))
				}
				k.storeByte(at, 0x1ff)
				content[0] = 0xff
				require.Equal(t, uint64(0xff), k.loadByte(at))
				if random.IntN(2) == 0 {
					require.Equal(t, content, k.take(at, "f", "x"))
					k.release(at)
					require.Zero(t, k.length(at))
					delete(model, at)
				}
				break
			}
		}
	}
	require.Less(t, len(k.bytes), 1<<19, "freed blocks are used again")
}

func TestKernelOutside(t *testing.T) {
	k := &kernel{bytesMax: 64}
	at := k.put([]byte("12345678"))
	require.NotZero(t, at)
	require.Zero(t, k.alloc(0))
	for _, outside := range []uint64{0, 1, at - 1, at + 8, at + 1<<32, math.MaxUint64, math.MaxUint64 - 7} {
		k.storeByte(outside, 1)
		k.storeWord(outside, 1)
		require.Zero(t, k.loadByte(outside), outside)
		require.Zero(t, k.loadWord(outside), outside)
		require.Zero(t, k.length(outside))
		k.release(outside)
	}
	require.Zero(t, k.loadWord(at+1), "half outside")
	require.Equal(t, []byte("12345678"), k.view(at, 8))
	require.Nil(t, k.view(at, math.MaxUint64))
	require.ErrorContains(t, refused(t, func() { k.take(at+1, "var_get", "key") }), "var_get was given offset 17 for its key")
	for _, size := range []uint64{57, 65, math.MaxUint64} {
		why := refused(t, func() { k.alloc(size) })
		require.Equal(t, ErrMemory, why.kind)
		require.Contains(t, why.detail, "its limit is 64")
	}
	many := &kernel{bytesMax: 1 << 30}
	require.ErrorContains(t, refused(t, func() {
		for {
			many.alloc(1)
		}
	}), "65536 blocks")
}
