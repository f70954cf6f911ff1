package forge

import (
	"maps"
	"slices"
)

// Handlers returns the sorted names that native tools of this program can have: those
// that [Handle] registered, and the built-in ones.
func Handlers() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}
