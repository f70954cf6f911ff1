package engine

// loadFence keeps the loads before it before those after it: an atomic load
// alone does not hold back the plain loads that came earlier.
//
//go:noescape
func loadFence()

// storeFence keeps the stores before it before those after it: an atomic store
// alone does not hold back the plain stores that come later.
//
//go:noescape
func storeFence()
