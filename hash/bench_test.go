package hash

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/xxh3"
)

// The last part of each name is who ran, so that benchstat sets them side by side:
//
//	go test -run '^$' -bench . -count 6 ./hash | benchstat -col /by -
//
// On a noisy machine compare medians of several short runs of the whole set.

// sink keeps the results alive.
var sink uint64

// contestant hashes b count times. Its loop is its own, so that no call but the
// hash's is in the time.
type contestant struct {
	by      string
	backend backend
	run     func(b []byte, count int) uint64
}

func contestants() []contestant {
	seed := maphash.MakeSeed()
	all := []contestant{
		{"zeebo", generic, func(b []byte, count int) (x uint64) {
			for range count {
				x ^= xxh3.Hash(b)
			}
			return x
		}},
		{"maphash", generic, func(b []byte, count int) (x uint64) {
			for range count {
				x ^= maphash.Bytes(seed, b)
			}
			return x
		}},
		{"seeded", available()[len(available())-1], func(b []byte, count int) (x uint64) {
			for range count {
				x ^= Seeded(b, 42)
			}
			return x
		}},
	}
	for _, backend := range available() {
		all = append(all, contestant{backend.String(), backend, func(b []byte, count int) (x uint64) {
			for range count {
				x ^= Sum64(b)
			}
			return x
		}})
	}
	return all
}

func BenchmarkSum64(b *testing.B) {
	for _, n := range []int{8, 16, 24, 32, 64, 240, 1 << 10, 64 << 10, 1 << 20} {
		buf := sanityBuffer(n)
		for _, c := range contestants() {
			b.Run(fmt.Sprintf("len=%d/by=%s", n, c.by), func(b *testing.B) {
				useBackend(b, c.backend)
				b.SetBytes(int64(n))
				sink ^= c.run(buf, b.N)
			})
		}
	}
}

// BenchmarkBatch hashes 100 keys a call. It walks 64 sets of keys, so that the branch
// predictor cannot learn the order of the lengths.
func BenchmarkBatch(b *testing.B) {
	const sets, count = 64, 100
	data := string(sanityBuffer(64 << 10))
	dst := make([]uint64, count)
	for _, class := range [][2]int{{4, 8}, {9, 16}, {17, 32}, {33, 64}, {4, 64}} {
		r := rand.New(rand.NewPCG(1, 2))
		var keys [sets][]string
		for i := range keys {
			keys[i] = cutKeys(r, data, count, class[0], class[1])
		}
		run := func(by string, backend backend, batch func(dst []uint64, keys []string)) {
			b.Run(fmt.Sprintf("len=%d-%d/by=%s", class[0], class[1], by), func(b *testing.B) {
				useBackend(b, backend)
				for i := range b.N {
					batch(dst, keys[i%sets])
				}
			})
		}
		run("zeebo", generic, func(dst []uint64, keys []string) {
			for i, key := range keys {
				dst[i] = xxh3.HashString(key)
			}
		})
		run("loop", generic, func(dst []uint64, keys []string) {
			for i, key := range keys {
				dst[i] = String(key)
			}
		})
		for _, backend := range available() {
			run(backend.String(), backend, Batch)
		}
	}
}
