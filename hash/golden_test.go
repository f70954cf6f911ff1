package hash

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"testing"
)

// golden holds the reference's answers; testdata/golden.c makes it.
//
//go:embed testdata/xxh3.golden
var golden []byte

// The generator of the reference's sanity check (see testdata/golden.c).
const (
	sanityPrime32 = 2654435761
	sanityPrime64 = 11400714785074694797
)

// sanityBuffer returns the first n bytes of the reference's sanity input.
func sanityBuffer(n int) []byte {
	buf := make([]byte, n)
	state := uint64(sanityPrime32)
	for i := range buf {
		buf[i] = byte(state >> 56)
		state *= sanityPrime64
	}
	return buf
}

func TestGolden(t *testing.T) {
	buf := sanityBuffer(1<<20 + 13)
	eachBackend(t, func(t *testing.T) {
		lines := 0
		for scan := bufio.NewScanner(bytes.NewReader(golden)); scan.Scan(); {
			line := scan.Text()
			if strings.HasPrefix(line, "#") {
				continue
			}
			lines++
			checkGolden(t, buf, line)
		}
		if lines != 4*(62+17) {
			t.Errorf("golden file has %d lines, want %d", lines, 4*(62+17))
		}
	})
}

// checkGolden holds one line of the golden file against this package.
func checkGolden(t *testing.T, buf []byte, line string) {
	t.Helper()
	var seed, want uint64
	var first, last int
	if _, err := fmt.Sscanf(line, "one %x %d %x", &seed, &first, &want); err == nil {
		if got := Seeded(buf[:first], seed); got != want {
			t.Errorf("Seeded(%d bytes, %#x) = %#016x, reference says %#016x", first, seed, got, want)
		}
		if got := Sum64(buf[:first]); seed == 0 && got != want {
			t.Errorf("Sum64(%d bytes) = %#016x, reference says %#016x", first, got, want)
		}
		return
	}
	if _, err := fmt.Sscanf(line, "span %x %d %d %x", &seed, &first, &last, &want); err != nil {
		t.Fatalf("golden line %q: %v", line, err)
	}
	if got := foldSpan(buf, first, last, func(b []byte) uint64 { return Seeded(b, seed) }); got != want {
		t.Errorf("Seeded of lengths %d..%d, seed %#x: digest %#016x, reference says %#016x", first, last, seed, got, want)
	}
	if seed != 0 {
		return
	}
	if got := foldSpan(buf, first, last, Sum64); got != want {
		t.Errorf("Sum64 of lengths %d..%d: digest %#016x, reference says %#016x", first, last, got, want)
	}
}

// foldSpan is FNV-1a over the hashes of buf's first first..last bytes.
func foldSpan(buf []byte, first, last int, sum func([]byte) uint64) uint64 {
	digest := uint64(0xcbf29ce484222325)
	for n := first; n <= last; n++ {
		h := sum(buf[:n])
		for i := 0; i < 64; i += 8 {
			digest = (digest ^ (h >> i & 0xff)) * 0x100000001b3
		}
	}
	return digest
}
