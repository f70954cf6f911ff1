package guest_test

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/ingot-run/ingot/guest"
)

func Example() {
	header, err := fs.ReadFile(guest.Sources, "c/ingot.h")
	line, _, _ := strings.Cut(string(header), "\n")
	fmt.Println(line, err)
	// Output:
	// /* ingot.h: write an ingot tool in C, with nothing but this header. <nil>
}
