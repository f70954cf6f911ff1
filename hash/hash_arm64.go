//go:build !purego

package hash

import "unsafe"

// available lists the backends of this machine, slowest first. Every arm64 machine
// that Go runs on has NEON.
func available() []backend { return []backend{generic, neon} }

// sumLong is sumLongGeneric on the active backend.
func sumLong(p unsafe.Pointer, n uintptr, secret *secretTable) uint64 {
	if active == neon {
		return sumLongNEON(p, n, secret)
	}
	return sumLongGeneric(p, n, secret)
}

//go:noescape
func sumLongNEON(p unsafe.Pointer, n uintptr, secret *secretTable) uint64
