package hash

import "unsafe"

// Sum64 returns XXH3-64 of b with seed 0. It does not allocate and never reads
// outside b.
func Sum64(b []byte) uint64 {
	return sum(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}

// String returns Sum64 of the bytes of s, without copying them.
func String(s string) uint64 {
	return sum(unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s)))
}

// Seeded returns XXH3-64 of b with a seed; seed 0 gives Sum64. Over 240 bytes a
// seed other than 0 costs one derivation of a 192-byte secret on the stack.
func Seeded(b []byte, seed uint64) uint64 {
	return seeded(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)), seed)
}

// SeededString returns Seeded of the bytes of s, without copying them.
func SeededString(s string, seed uint64) uint64 {
	return seeded(unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s)), seed)
}
