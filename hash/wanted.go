//go:build !wasip1

package hash

import "os"

// wanted is the name of the backend to use, if this machine has it.
func wanted() string { return os.Getenv("INGOT_HASH") }
