package mcp

import (
	"testing"

	"go.uber.org/goleak"
)

// No test of this package leaves a goroutine behind. As GOOS=js there is one of
// the runtime's, for events.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}
