package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Where the kernel does not tell which pages were written, all goes on with memory
// on the heap.
func TestPoolsOnTheHeap(t *testing.T) {
	tells := pagemap
	pagemap = func() *os.File { return nil }
	defer func() { pagemap = tells }()
	b := newBacking(pageBytes)
	require.IsType(t, &heapBacking{}, b)
	t.Run("call", TestIsolationCall)
	t.Run("globals and size", TestResetPutsBackGlobalsAndSize)
	t.Run("much growth", TestResetAfterMuchGrowth)
	t.Run("session", TestIsolationSession)
	t.Run("unfit", TestUnfitInstancesAreDiscarded)
	t.Run("evicted", TestIdleInstancesAreEvicted)
}

// Once it is in use, the pagemap may fail all the same: then every byte is
// written back.
func TestPagemapThatFails(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{})
	tells := pagemap
	pagemap = func() *os.File { return nil }
	defer func() { pagemap = tells }()
	for range 3 {
		healthy(t, m)
	}
	require.Equal(t, uint64(1), m.Stats().Started)
}

// The ways to put a memory back that were measured; "own pages" is what is done.
// In each turn a guest writes to some pages, spread evenly.
func BenchmarkReset(b *testing.B) {
	page := os.Getpagesize()
	for _, c := range []struct{ size, pages int }{{128 << 10, 5}, {1 << 20, 8}, {4 << 20, 100}, {16 << 20, 400}} {
		mapped, ok := newBacking(uint64(c.size)).(*mappedBacking)
		if !ok {
			b.Skip("the pagemap is not to be had here")
		}
		defer mapped.free()
		content := bytes.Repeat([]byte{1, 0, 0, 0}, c.size/4)
		img, err := newImage(content)
		if err != nil {
			b.Fatal(err)
		}
		defer img.free()
		space := mapped.adopt(img)
		for _, way := range []struct {
			name  string
			reset func()
		}{
			{"own pages", func() { mapped.reset(uint64(c.size)) }},
			{"copy all", func() { copy(space, img.bytes) }},
			{"compare", func() {
				for at := 0; at < c.size; at += page {
					if !bytes.Equal(space[at:at+page], img.bytes[at:at+page]) {
						copy(space[at:at+page], img.bytes[at:])
					}
				}
			}},
			{"dontneed", func() { _ = unix.Madvise(space, unix.MADV_DONTNEED) }},
		} {
			mapped.trim()
			b.Run(fmt.Sprintf("%dK-%d/%s", c.size>>10, c.pages, way.name), func(b *testing.B) {
				for b.Loop() {
					for n := range c.pages {
						at := n * (c.size / page / c.pages) * page
						for k := 0; k < page; k += 512 {
							space[at+k]++
						}
					}
					way.reset()
				}
			})
		}
	}
}
