//go:build race

package engine_test

// raced says that the race detector watches, which makes a test some ten times slower.
const raced = true
