//go:build invariants

package invariant

// Check panics with msg when ok is false.
func Check(ok bool, msg string) {
	if !ok {
		panic("invariant broken: " + msg)
	}
}
