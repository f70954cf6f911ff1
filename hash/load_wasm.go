package hash

import "unsafe"

// Wasm memory is little-endian and takes any alignment, but the compiler does not
// merge byte loads there, so these load the word as it lies.

func load32(p unsafe.Pointer, off uintptr) uint32 {
	return *(*uint32)(unsafe.Add(p, off))
}

func load64(p unsafe.Pointer, off uintptr) uint64 {
	return *(*uint64)(unsafe.Add(p, off))
}

func store64(p unsafe.Pointer, off uintptr, x uint64) {
	*(*uint64)(unsafe.Add(p, off)) = x
}
