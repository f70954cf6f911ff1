//go:build !unix

package sandbox

// openNonblock is for systems with pipes among their files.
const openNonblock = 0
