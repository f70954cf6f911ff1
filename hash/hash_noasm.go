//go:build purego || !(amd64 || arm64)

package hash

import "unsafe"

// available lists the backends of this build: only the generic one.
func available() []backend { return []backend{generic} }

func sumLong(p unsafe.Pointer, n uintptr, secret *secretTable) uint64 {
	return sumLongGeneric(p, n, secret)
}
