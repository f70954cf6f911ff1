//go:build (amd64 || arm64) && !purego

package engine

import "unsafe"

// prefetchAll asks for the cache line at each of the n pointers from p on. A
// pointer may point anywhere: a prefetch never faults.
//
//go:noescape
func prefetchAll(p *unsafe.Pointer, n int)

// prefetchPairs asks for two cache lines at each pointer.
//
//go:noescape
func prefetchPairs(p *unsafe.Pointer, n int)

// prefetchRest asks for the lines behind the first of a cell of some 100 bytes,
// before its head has arrived and told how long it is.
//
//go:noescape
func prefetchRest(p unsafe.Pointer)
