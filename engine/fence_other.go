//go:build !arm64

package engine

// loadFence and storeFence order what only arm64 reorders: amd64 keeps loads
// with loads and stores with stores, wasm has one thread here, and the other
// builds hold a lock.
func loadFence()  {}
func storeFence() {}
