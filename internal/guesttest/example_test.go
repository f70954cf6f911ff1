package guesttest_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ingot-run/ingot/internal/guesttest"
)

func Example() {
	module, err := os.ReadFile("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		panic(err)
	}
	report := guesttest.Run(context.Background(), "sha256.wasm", module, guesttest.Options{TimeMax: time.Minute})
	fmt.Println(report.ABI, report.Tools, report.Failed())

	report = guesttest.Run(context.Background(), "empty.wasm", module[:8], guesttest.Options{})
	for _, c := range report.Checks {
		fmt.Println(c.Status, c.Name)
	}
	// Output:
	// native/1 [sha256] 0
	// fail exports and imports
}
