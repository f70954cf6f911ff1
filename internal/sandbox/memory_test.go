package sandbox

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// backings are the ways to keep a memory that this machine knows.
func backings(bytesMax uint64) map[string]backing {
	return map[string]backing{"the machine's": newBacking(bytesMax), "heap": &heapBacking{bytesMax: bytesMax}}
}

// On Linux the kernel must say which pages were written, or a test of resets
// would try the fallback twice. Containers that hide the pagemap set the variable.
func TestMemoryIsMapped(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getenv("INGOT_NO_PAGEMAP") != "" || ^uint(0)>>32 == 0 {
		t.Skip("this platform, or its container, does not tell which pages were written")
	}
	b := newBacking(1 << 20)
	defer b.free()
	require.NotEqual(t, "*sandbox.heapBacking", typeName(b))
}

// Against a plain slice: whatever a guest writes and however far it grows, after
// a reset the memory is the image, and what it grows by again is zero.
func TestResetAgainstAModel(t *testing.T) {
	const (
		seed     = 11
		bytesMax = 64 * pageBytes
		size     = 5 * pageBytes
	)
	random := rand.New(rand.NewPCG(seed, seed))
	content := make([]byte, size)
	for range 40 { // most pages stay zero
		content[random.IntN(size)] = byte(random.Uint32())
	}
	for name, b := range backings(bytesMax) {
		t.Run(name, func(t *testing.T) {
			defer b.free()
			copy(b.resize(size), content)
			img, err := newImage(b.resize(size))
			require.NoError(t, err)
			defer img.free()
			require.NotNil(t, b.adopt(img))
			for round := range 300 {
				used := uint64(size)
				if random.IntN(3) == 0 {
					used += uint64(random.IntN(20)) * pageBytes
				}
				now := b.resize(used)
				require.Equal(t, content, now[:size], "seed %d, round %d", seed, round)
				require.Zero(t, bytes.TrimLeft(now[size:], "\x00"), "seed %d, round %d", seed, round)
				for range random.IntN(200) {
					at := random.IntN(len(now))
					n := min(len(now)-at, random.IntN(3*4096))
					for k := range n {
						now[at+k] ^= byte(random.Uint32() | 1)
					}
				}
				b.reset(used)
				if random.IntN(10) == 0 {
					b.trim()
				}
			}
		})
	}
}

// A second memory of the same image shares nothing that is written.
func TestMemoriesOfOneImage(t *testing.T) {
	content := bytes.Repeat([]byte("image"), pageBytes)
	img, err := newImage(content)
	require.NoError(t, err)
	defer img.free()
	var all [3][]byte
	for i := range all {
		b := newBacking(uint64(len(content)))
		defer b.free()
		all[i] = b.adopt(img)
		require.Equal(t, content, all[i])
	}
	clear(all[1])
	require.Equal(t, content, all[0])
	require.Equal(t, content, all[2])
	require.Equal(t, content, img.bytes)
}

// What a memory holds for itself is what was written, until it rests.
func TestHeldPages(t *testing.T) {
	b := newBacking(pageBytes * 16)
	defer b.free()
	if typeName(b) == "*sandbox.heapBacking" {
		t.Skip("a memory on the heap holds all of its bytes")
	}
	img, err := newImage(make([]byte, pageBytes*16))
	require.NoError(t, err)
	defer img.free()
	space := b.adopt(img)
	require.Zero(t, b.held())
	page := os.Getpagesize()
	space[0], space[9*page], space[9*page+1] = 1, 1, 1
	require.Equal(t, uint64(2*page), b.held())
	require.Equal(t, uint64(2*page), b.reset(uint64(len(space))))
	require.Equal(t, uint64(2*page), b.held(), "a reset keeps the pages, for the next call")
	b.trim()
	require.Zero(t, b.held())
	require.Equal(t, img.bytes, space)
}
