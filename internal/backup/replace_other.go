//go:build !linux

package backup

// replace gives made the name path, and what was there the name old.
func replace(path, made, old string) error { return replaceBySteps(path, made, old) }
