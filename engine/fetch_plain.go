//go:build !amd64 || purego || race

package engine

// fetches says that fetch is written in assembly.
const fetches = false

// fetch is always unsure where it is not written in assembly.
func (f *front) fetch(uint64, string, []byte) (n int, head uint64) { return fetchUnsure, 0 }
