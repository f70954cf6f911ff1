//go:build !wasip1

package main

import (
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Stderr)) }

// run says what this package is for and returns the exit status of wrong use.
func run(stderr io.Writer) int {
	fmt.Fprintln(stderr, "mcp: this package is the source of mcp.wasm; build it with `make wasm`")
	return 2
}
