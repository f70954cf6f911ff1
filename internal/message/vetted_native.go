//go:build !wasip1

package message

import "fmt"

// vetted makes `go vet` look at the formats and arguments of this package's callers: it
// takes what hands them on to fmt for a function of that kind.
func vetted(format string, args ...any) {
	if false {
		_ = fmt.Errorf(format, args...)
	}
}
