package hash

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
)

// cutKeys returns count strings of lo..hi bytes each, cut from data at random.
func cutKeys(r *rand.Rand, data string, count, lo, hi int) []string {
	keys := make([]string, count)
	for i := range keys {
		n := lo + r.IntN(hi-lo+1)
		start := r.IntN(len(data) - n + 1)
		keys[i] = data[start : start+n]
	}
	return keys
}

// checkBatches holds both forms of Batch to zeebo/xxh3 and looks that dst stays as it
// was beyond the keys.
func checkBatches(t *testing.T, keys []string, seed uint64) {
	t.Helper()
	const untouched = 0x5ca1ab1e
	dst := make([]uint64, len(keys)+9)
	check := func(form string, oracle func(string) uint64) {
		t.Helper()
		for i, key := range keys {
			if want := oracle(key); dst[i] != want {
				t.Fatalf("%s, %d keys: key %d of %d bytes is %#016x, zeebo/xxh3 says %#016x", form, len(keys), i, len(key), dst[i], want)
			}
		}
		for i, x := range dst[len(keys):] {
			if x != untouched {
				t.Fatalf("%s, %d keys: wrote to dst[%d]", form, len(keys), len(keys)+i)
			}
		}
	}
	clear := func() {
		for i := range dst {
			dst[i] = untouched
		}
	}
	clear()
	Batch(dst, keys)
	check("Batch", xxh3.HashString)
	clear()
	BatchSeeded(dst, keys, seed)
	check("BatchSeeded", func(s string) uint64 { return xxh3.HashStringSeed(s, seed) })
}

// batchClasses are the bounds of key lengths that the batch tests mix.
var batchClasses = [][2]int{
	{0, 3}, {4, 8}, {9, 16}, {17, 32}, {33, 64}, {65, 128}, {129, 240}, {241, 1500},
	{8, 8}, {16, 16}, {17, 17}, {32, 32}, {64, 64}, {3, 9}, {8, 17}, {16, 33}, {4, 64}, {0, 300},
}

func TestBatch(t *testing.T) {
	r := newRand(t)
	data := string(randomBytes(r, 4096))
	eachBackend(t, func(t *testing.T) {
		for _, class := range batchClasses {
			for count := range 150 {
				checkBatches(t, cutKeys(r, data, count, class[0], class[1]), r.Uint64())
			}
			checkBatches(t, cutKeys(r, data, 1000, class[0], class[1]), r.Uint64())
		}
	})
}

// TestBatchRuns mixes runs of one class with strays, which is where a kernel for many
// keys begins, ends and hands over.
func TestBatchRuns(t *testing.T) {
	r := newRand(t)
	data := string(randomBytes(r, 4096))
	eachBackend(t, func(t *testing.T) {
		for range 300 {
			var keys []string
			for len(keys) < 200 {
				class := batchClasses[r.IntN(len(batchClasses))]
				keys = append(keys, cutKeys(r, data, r.IntN(40), class[0], class[1])...)
			}
			checkBatches(t, keys, r.Uint64())
		}
	})
}

// TestBatchOneBit holds each lane to its own key: a change of one key changes its hash
// and no other.
func TestBatchOneBit(t *testing.T) {
	r := newRand(t)
	eachBackend(t, func(t *testing.T) {
		for _, n := range []int{4, 8, 9, 16, 17, 24, 32, 40, 64} {
			bufs := make([][]byte, 64)
			keys, before, after := make([]string, 64), make([]uint64, 64), make([]uint64, 64)
			for i := range bufs {
				bufs[i] = randomBytes(r, n)
				keys[i] = string(bufs[i])
			}
			Batch(before, keys)
			for i := range keys {
				kept := keys[i]
				bufs[i][r.IntN(n)] ^= 1 << r.IntN(8)
				keys[i] = string(bufs[i])
				Batch(after, keys)
				keys[i] = kept
				for j := range keys {
					if (before[j] != after[j]) != (i == j) {
						t.Fatalf("length %d: key %d changed, hash %d was %#x and is %#x", n, i, j, before[j], after[j])
					}
				}
			}
		}
	})
}

func TestBatchPanicsOnShortDst(t *testing.T) {
	keys := []string{"a", "b", "c"}
	for name, call := range map[string]func(dst []uint64){
		"Batch":       func(dst []uint64) { Batch(dst, keys) },
		"BatchSeeded": func(dst []uint64) { BatchSeeded(dst, keys, 1) },
	} {
		dst := make([]uint64, 2)
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				if !strings.Contains(text, "3 keys") || !strings.Contains(text, "length 2") {
					t.Errorf("%s: panic %q, want one that names both lengths", name, text)
				}
			}()
			call(dst)
		}()
		if dst[0] != 0 || dst[1] != 0 {
			t.Errorf("%s wrote to dst before it panicked: %v", name, dst)
		}
	}
	Batch(nil, nil)
}

// FuzzBatch cuts data into keys of the lengths that cuts names, and holds every
// backend to zeebo/xxh3.
func FuzzBatch(f *testing.F) {
	f.Add(sanityBuffer(900), []byte{8, 8, 8, 8, 24, 24, 24, 24, 24, 24, 24, 24, 24, 0, 3, 200}, uint64(1))
	f.Add(sanityBuffer(300), []byte{17, 32, 18, 31, 19, 30, 20, 29, 16, 33}, uint64(0))
	f.Fuzz(func(t *testing.T, data, cuts []byte, seed uint64) {
		keys := make([]string, 0, len(cuts))
		at := 0
		for _, cut := range cuts {
			if at += int(cut) / 2; at > len(data) {
				at = 0
			}
			keys = append(keys, string(data[at:min(at+int(cut), len(data))]))
		}
		for _, backend := range available() {
			useBackend(t, backend)
			checkBatches(t, keys, seed)
		}
	})
}
