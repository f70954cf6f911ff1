//go:build !(amd64 || arm64) || purego

package engine

import "unsafe"

// prefetchAll, prefetchPairs and prefetchRest do nothing where there is no such instruction
// to write: the stages of a batch then help only as far as the processor runs
// ahead by itself.
func prefetchAll(*unsafe.Pointer, int)   {}
func prefetchPairs(*unsafe.Pointer, int) {}
func prefetchRest(unsafe.Pointer)        {}
