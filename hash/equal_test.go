package hash

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/zeebo/xxh3"
)

// alignedBytes returns n bytes that start at a multiple of 64.
func alignedBytes(n int) []byte {
	b := make([]byte, n+63)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 63
	return b[skip : skip+uintptr(n)]
}

// TestEveryLengthAndAlignment holds each backend to the generic one.
func TestEveryLengthAndAlignment(t *testing.T) {
	const lengthMax = 4096
	r := newRand(t)
	content := randomBytes(r, lengthMax)
	var seeds, want, wantSeeded [lengthMax + 1]uint64
	useBackend(t, generic)
	for n := range want {
		seeds[n] = r.Uint64()
		want[n], wantSeeded[n] = Sum64(content[:n]), Seeded(content[:n], seeds[n])
	}
	eachBackend(t, func(t *testing.T) {
		buf := alignedBytes(lengthMax + 63)
		for align := 0; align < 64; align += alignmentStep {
			b := buf[align:]
			copy(b, content)
			for n := range want {
				if got := Sum64(b[:n]); got != want[n] {
					t.Fatalf("Sum64, length %d, alignment %d: %#016x, generic says %#016x", n, align, got, want[n])
				}
				if got := Seeded(b[:n], seeds[n]); got != wantSeeded[n] {
					t.Fatalf("Seeded, length %d, alignment %d: %#016x, generic says %#016x", n, align, got, wantSeeded[n])
				}
			}
		}
	})
}

// TestOracle holds each backend to another implementation of XXH3.
func TestOracle(t *testing.T) {
	r := newRand(t)
	buf := randomBytes(r, 1<<20+999)
	eachBackend(t, func(t *testing.T) {
		for n := 0; n <= len(buf); n++ {
			if n > 5000 {
				n = min(n+r.IntN(60000), len(buf))
			}
			seed := r.Uint64()
			if got, want := Sum64(buf[:n]), xxh3.Hash(buf[:n]); got != want {
				t.Errorf("Sum64, length %d: %#016x, zeebo/xxh3 says %#016x", n, got, want)
			}
			if got, want := Seeded(buf[:n], seed), xxh3.HashSeed(buf[:n], seed); got != want {
				t.Errorf("Seeded, length %d, seed %#x: %#016x, zeebo/xxh3 says %#016x", n, seed, got, want)
			}
		}
	})
}

// FuzzSum64 holds every backend to zeebo/xxh3.
func FuzzSum64(f *testing.F) {
	for _, n := range []int{0, 3, 8, 16, 32, 128, 240, 241, 1024, 1025, 3000} {
		f.Add(sanityBuffer(n), uint64(n))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		want, wantSeeded := xxh3.Hash(b), xxh3.HashSeed(b, seed)
		for _, backend := range available() {
			useBackend(t, backend)
			if got := Sum64(b); got != want {
				t.Errorf("%v: Sum64 = %#016x, zeebo/xxh3 says %#016x", backend, got, want)
			}
			if got := Seeded(b, seed); got != wantSeeded {
				t.Errorf("%v: Seeded = %#016x, zeebo/xxh3 says %#016x", backend, got, wantSeeded)
			}
		}
	})
}

func TestNoAllocations(t *testing.T) {
	b := sanityBuffer(5000)
	s := string(b)
	keys := strings.SplitAfter(strings.Repeat("key\x00 a longer key, of 17..32\x00"+s[:40]+"\x00"+s[:300], 30), "\x00")
	dst := make([]uint64, len(keys))
	eachBackend(t, func(t *testing.T) {
		got := testing.AllocsPerRun(20, func() {
			for _, n := range []int{0, 2, 8, 16, 32, 128, 240, 241, 5000} {
				sink ^= Sum64(b[:n]) ^ String(s[:n]) ^ Seeded(b[:n], 7) ^ SeededString(s[:n], 7)
			}
			Batch(dst, keys)
			BatchSeeded(dst, keys, 7)
		})
		if got != 0 {
			t.Errorf("%v allocations a run, want 0", got)
		}
	})
}

// TestSeedIsSeededString holds the worked out seed to the plain one.
func TestSeedIsSeededString(t *testing.T) {
	r := newRand(t)
	text := string(randomBytes(r, 300))
	for n := range len(text) + 1 {
		value := r.Uint64()
		seed := NewSeed(value)
		if got, want := seed.String(text[:n]), SeededString(text[:n], value); got != want || seed.Value() != value {
			t.Fatalf("length %d, seed %#x: %#016x, SeededString says %#016x", n, value, got, want)
		}
	}
}
