package hash

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("hash.seed", 0, "seed of the random tests; 0 takes a new one")

// newRand returns a source whose seed the log names; -hash.seed gives it back.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with: -args -hash.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// useBackend makes every function of the package run on b until the test ends. No
// test that uses it runs in parallel with another.
func useBackend(t testing.TB, b backend) {
	t.Helper()
	old := active
	active = b
	t.Cleanup(func() { active = old })
}

// eachBackend runs test once for every backend of this machine.
func eachBackend(t *testing.T, test func(*testing.T)) {
	t.Helper()
	for _, b := range available() {
		t.Run(b.String(), func(t *testing.T) {
			useBackend(t, b)
			test(t)
		})
	}
}

// TestRequiredBackends fails when a backend named in INGOT_HASH_REQUIRE (commas
// between) is not here, so that a machine of the CI cannot fall back unnoticed.
func TestRequiredBackends(t *testing.T) {
	have := available()
	for name := range strings.SplitSeq(os.Getenv("INGOT_HASH_REQUIRE"), ",") {
		if name == "" {
			continue
		}
		if !slices.ContainsFunc(have, func(b backend) bool { return b.String() == name }) {
			t.Errorf("INGOT_HASH_REQUIRE names %q, and this build on this machine has %v", name, have)
		}
	}
}

func TestChoose(t *testing.T) {
	present := []backend{generic, sse2, avx2}
	for _, c := range []struct {
		name string
		want backend
	}{
		{"", avx2}, {"generic", generic}, {"sse2", sse2}, {"avx2", avx2},
		{"avx512", avx2}, {"neon", avx2}, {"GENERIC", avx2},
	} {
		if got := choose(present, c.name); got != c.want {
			t.Errorf("choose(%v, %q) = %v, want %v", present, c.name, got, c.want)
		}
	}
}

// TestBackend holds the choice at start to what INGOT_HASH says.
func TestBackend(t *testing.T) {
	have := available()
	if have[0] != generic {
		t.Errorf("available() = %v, want generic first", have)
	}
	if want := choose(have, os.Getenv("INGOT_HASH")).String(); Backend() != want {
		t.Errorf("Backend() = %q, want %q", Backend(), want)
	}
}

// TestForms holds the four one-shot functions to one another.
func TestForms(t *testing.T) {
	r := newRand(t)
	buf := randomBytes(r, 2048)
	eachBackend(t, func(t *testing.T) {
		for n := range len(buf) {
			b, seed := buf[:n], r.Uint64()
			if Sum64(b) != String(string(b)) || Sum64(b) != Seeded(b, 0) {
				t.Errorf("length %d: Sum64 %#x, String %#x, Seeded 0 %#x", n, Sum64(b), String(string(b)), Seeded(b, 0))
			}
			if Seeded(b, seed) != SeededString(string(b), seed) {
				t.Errorf("length %d, seed %#x: Seeded %#x, SeededString %#x", n, seed, Seeded(b, seed), SeededString(string(b), seed))
			}
		}
		if Sum64(nil) != Sum64([]byte{}) || Sum64(nil) != String("") {
			t.Errorf("nil, empty and \"\" differ: %#x, %#x, %#x", Sum64(nil), Sum64([]byte{}), String(""))
		}
	})
}

// TestEveryByteCounts flips each bit of inputs of each length class.
func TestEveryByteCounts(t *testing.T) {
	r := newRand(t)
	eachBackend(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 4, 8, 9, 16, 17, 32, 33, 64, 128, 129, 240, 241, 1024, 1100} {
			b := randomBytes(r, n)
			want, kept := Sum64(b), bytes.Clone(b)
			for i := range n {
				b[i] ^= 1 << r.IntN(8)
				if Sum64(b) == want {
					t.Errorf("length %d: a change of byte %d leaves the hash as it was", n, i)
				}
				b[i] = kept[i]
			}
		}
	})
}
