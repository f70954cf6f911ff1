//go:build !wasm

package hash

import (
	"encoding/binary"
	"unsafe"
)

// Little-endian loads of any alignment. The compiler merges the bytes into one load
// where the machine can do it.

func load32(p unsafe.Pointer, off uintptr) uint32 {
	return binary.LittleEndian.Uint32((*[4]byte)(unsafe.Add(p, off))[:])
}

func load64(p unsafe.Pointer, off uintptr) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, off))[:])
}

func store64(p unsafe.Pointer, off uintptr, x uint64) {
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(p, off))[:], x)
}
