//go:build race

package hash

// Under the race detector every load of the generic code is a call, and 64 alignments
// take half a minute.
const alignmentStep = 9
