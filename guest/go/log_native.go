//go:build !wasip1

package guest

import (
	"fmt"
	"os"
)

// hostLog stands in for the host where there is none: in native tests.
func hostLog(level int32, text string) {
	fmt.Fprintf(os.Stderr, "log level %d: %s\n", level, text)
}
