// Package invariant checks what must always hold. The checks run only in builds
// with the tag "invariants"; elsewhere they compile to nothing.
//
// Caveats: a check is for a broken program, never for bad input; input from a
// guest, a disk, a peer or a file gets an error.
package invariant
