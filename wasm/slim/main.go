// Command slim makes a module that Go built for wasip1 smaller, in place:
//
//	go run ./wasm/slim js/dist/engine.wasm
//
// It takes out of the function table what only the text of a panic needs: the lines and
// files of instructions, where functions were inlined, their arguments, and the names of
// the standard library's functions behind the package. A trace tells of a function where
// it is, without a line. What the garbage collector and the unwinding of stacks read stays.
//
// It writes the memory's contents in fewer pieces: Go leaves out each row of eight zeros,
// which costs a packer more than the zeros.
//
// # Caveats
//
// The table's layout is that of Go 1.26. With another version of Go only the pieces are
// joined, and the command says so.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// tableVersion begins the versions of Go whose function table is known.
const tableVersion = "go1.26"

func main() { os.Exit(run(os.Args[1:], runtime.Version(), os.Stderr)) }

// run slims the files in turn and returns the exit status.
func run(files []string, goVersion string, stderr io.Writer) int {
	if len(files) == 0 {
		fmt.Fprintln(stderr, "usage: slim module.wasm ...")
		return 2
	}
	for _, name := range files {
		if err := slimFile(name, goVersion, stderr); err != nil {
			fmt.Fprintf(stderr, "slim: %s: %v\n", name, err)
			return 1
		}
	}
	return 0
}

func slimFile(name, goVersion string, stderr io.Writer) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	m, err := parseModule(b)
	if err != nil {
		return err
	}
	if strings.HasPrefix(goVersion, tableVersion) {
		if err := slimTable(m.memory); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(stderr, "slim: %s: the function table stays: %s has another one than %s, which this knows\n", name, goVersion, tableVersion)
	}
	return os.WriteFile(name, m.encode(), 0o644)
}
