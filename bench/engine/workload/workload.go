// Package workload is the one specification of what the workers of bench/engine
// do, and its Go implementation. rust/src/workload.rs and cpp/workload.hpp
// implement the same; a test of bench/engine holds the three together.
//
// All numbers are unsigned 64-bit and wrap.
//
//	mix(x)          splitmix64 of x: x += 0x9e3779b97f4a7c15;
//	                x = (x ^ x>>30) * 0xbf58476d1ce4e5b9;
//	                x = (x ^ x>>27) * 0x94d049bb133111eb; x ^ x>>31.
//	                No two x give the same number.
//	key(i)          a = mix(i), b = mix(a ^ 0x6b65797374726561): the 16 lower-case
//	                hexadecimal digits of a, then the first b%17 digits of b. So
//	                16 to 32 bytes, and no two i give the same key.
//	stamp(key,seed) the first 8 bytes of key in little-endian order ^ mix(seed).
//	value           V >= 16 bytes: the stamp in little-endian order, then byte j
//	                is j*31+7 (mod 256), and the last byte is the stamp's lowest
//	                byte ^ 0x5a.
//	draw(seed,j,n)  the upper 64 bits of mix(mix(seed)+j) * n: 0 to n-1.
//	scatter(j,n,o)  (j*2654435761 + o) mod n: for j = 0..n-1 each of 0..n-1 once
//	                (n < 2^32 and no multiple of that prime).
//
// The store is loaded with the keys 0..n-1, value stamp(key, 0). The other keys:
//
//	probes        key(draw(1, j, n)), j = 0..P-1, P = Probes(n)
//	zipf probes   key of the j-th number of a file of little-endian uint32 that
//	              the driver writes (Zipf), so that no two math libraries differ
//	absent keys   key(2^40 + j), j = 0..P-1
//	fresh keys    key(2^41 + seed*2^24 + j), j = 0..M-1, M = Segment(n)
//	deleted keys  key(scatter(j, n, draw(seed, 0, n))), j = 0..M-1; put back with
//	              stamp(key, 0)
//
// A measurement with seed s starts at probe draw(s, 0, P) and goes round. What is
// read is summed: of a borrowed value the stamp, of a copied one the stamp plus
// the last byte. The sums of two workers that did the same work are equal.
package workload

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// First indexes of the key ranges that are not loaded.
const (
	AbsentBase = 1 << 40
	FreshBase  = 1 << 41
)

// ValueBytesMin is the shortest value: a stamp, something between, a last byte.
const ValueBytesMin = 16

const (
	keyBytesMax   = 32
	keySalt       = 0x6b65797374726561
	scatterStride = 2654435761
	lastByteMask  = 0x5a
)

// Mix is the specification's mix.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// AppendKey appends key(i) to dst.
func AppendKey(dst []byte, i uint64) []byte {
	a := Mix(i)
	b := Mix(a ^ keySalt)
	dst = appendDigits(dst, a, 16)
	return appendDigits(dst, b, int(b%17))
}

// appendDigits appends the first count of the 16 hexadecimal digits of x.
func appendDigits(dst []byte, x uint64, count int) []byte {
	for shift := 60; count > 0; shift, count = shift-4, count-1 {
		dst = append(dst, "0123456789abcdef"[x>>shift&15])
	}
	return dst
}

// Keys returns key(index(j)) for j = 0..count-1, all in one piece of memory in
// that order, so that walking the list costs no cache miss of its own.
func Keys(count int, index func(j uint64) uint64) []string {
	arena := make([]byte, 0, count*keyBytesMax)
	ends := make([]int, count)
	for j := range ends {
		arena = AppendKey(arena, index(uint64(j)))
		ends[j] = len(arena)
	}
	// The arena is never written again, which is what makes it a string.
	text := unsafe.String(unsafe.SliceData(arena), len(arena))
	keys := make([]string, count)
	start := 0
	for j, end := range ends {
		keys[j] = text[start:end]
		start = end
	}
	return keys
}

// Stamp is the specification's stamp, given salt = Mix(seed).
func Stamp(key string, salt uint64) uint64 {
	return binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(key), 8)) ^ salt
}

// NewValue returns a value of size bytes with stamp 0.
func NewValue(size int) []byte {
	value := make([]byte, size)
	for j := range value {
		value[j] = byte(j*31 + 7)
	}
	SetStamp(value, 0)
	return value
}

// SetStamp turns value, which NewValue made, into the one with that stamp.
func SetStamp(value []byte, stamp uint64) {
	binary.LittleEndian.PutUint64(value, stamp)
	value[len(value)-1] = byte(stamp) ^ lastByteMask
}

// SumBorrowed is what a value that was only borrowed adds to the sum.
func SumBorrowed(value []byte) uint64 { return binary.LittleEndian.Uint64(value) }

// SumCopied is what a value that was copied adds to the sum.
func SumCopied(value []byte) uint64 {
	return binary.LittleEndian.Uint64(value) + uint64(value[len(value)-1])
}

// Draw is the specification's draw.
func Draw(seed, j, n uint64) uint64 {
	high, _ := bits.Mul64(Mix(Mix(seed)+j), n)
	return high
}

// Scatter is the specification's scatter.
func Scatter(j, n, offset uint64) uint64 { return (j*scatterStride + offset) % n }

// Probes is the length of the probe lists for n keys.
func Probes(n int) int { return min(max(4*n, 4096), 1<<20) }

// Segment is how many keys are inserted or deleted in one timed stretch.
func Segment(n int) int { return min(max(n/10, 256), 200_000, n) }

// Zipf returns count indexes of 0..n-1 with the probabilities of Zipf's law:
// rank r is drawn in proportion to 1/r^exponent. Which index has which rank is
// scattered, so that hot keys are not neighbours.
func Zipf(n, count int, exponent float64, seed uint64) []uint32 {
	cumulated := make([]float64, n)
	total := 0.0
	for r := range cumulated {
		total += math.Pow(float64(r+1), -exponent)
		cumulated[r] = total
	}
	indexes := make([]uint32, count)
	for j := range indexes {
		at := float64(Mix(Mix(seed)+uint64(j))>>11) / (1 << 53) * total
		rank, _ := slices.BinarySearch(cumulated, at)
		indexes[j] = uint32(Scatter(uint64(min(rank, n-1)), uint64(n), 0))
	}
	return indexes
}
