// Package tidy holds tests of the source itself: that imports point down the
// ladder of docs/ARCHITECTURE.md, for linux, js and wasip1 alike; that
// functions and files stay short; that every package says what it is; and that
// the tests which the documents name exist.
//
// There is nothing to call. Run it with
//
//	go test ./internal/tidy
//
// # Caveats
//
// The lengths that exceed the limits today are listed in
// testdata/long.txt: a ratchet, which a change may only tighten. INGOT_UPDATE=1
// rewrites it after something got shorter.
package tidy
