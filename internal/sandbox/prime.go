package sandbox

import (
	"context"
	"sync"

	"github.com/tetratelabs/wazero"
)

// primeWazero has wazero find out its own version, which it keeps in a global variable
// that nothing guards: loads that begin at once would race for it.
var primeWazero = sync.OnceFunc(func() {
	ctx := context.Background()
	_ = wazero.NewRuntime(ctx).Close(ctx) // an empty runtime has nothing that could fail
})
