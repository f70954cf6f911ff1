//go:build !purego

package hash

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// available lists the backends of this machine, slowest first.
func available() []backend {
	present := []backend{generic, sse2}
	if cpuid.CPU.Supports(cpuid.AVX2) {
		present = append(present, avx2)
	}
	if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512BW, cpuid.AVX512VBMI2, cpuid.BMI2) {
		present = append(present, avx512)
	}
	return present
}

// sumLong is sumLongGeneric on the active backend. The calls are direct ones, so that
// neither the input nor a secret on the stack escapes.
func sumLong(p unsafe.Pointer, n uintptr, secret *secretTable) uint64 {
	switch active {
	case avx512:
		return sumLongAVX512(p, n, secret)
	case avx2:
		return sumLongAVX2(p, n, secret)
	case sse2:
		return sumLongSSE2(p, n, secret)
	default:
		return sumLongGeneric(p, n, secret)
	}
}

//go:noescape
func sumLongSSE2(p unsafe.Pointer, n uintptr, secret *secretTable) uint64

//go:noescape
func sumLongAVX2(p unsafe.Pointer, n uintptr, secret *secretTable) uint64

//go:noescape
func sumLongAVX512(p unsafe.Pointer, n uintptr, secret *secretTable) uint64
