// Command trace panics below a function that is inlined, after a collection.
package main

import (
	"os"
	"runtime"
)

func main() {
	runtime.GC()
	fail(os.Args)
}

//go:noinline
func fail(args []string) { panic(args[len(args)-1]) }
