package sandbox_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ingot-run/ingot/internal/sandbox"
)

func Example() {
	ctx := context.Background()
	module, err := os.ReadFile("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		fmt.Println(err)
		return
	}
	host := sandbox.New(sandbox.Options{})
	defer host.Close(ctx)
	tool, err := host.Load(ctx, "sha256.wasm", module, sandbox.Policy{Limits: sandbox.Limits{MemoryBytesMax: 1 << 20}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tool.Tools()[0].Title)
	out, err := tool.Call(ctx, sandbox.CallRequest{Arguments: []byte(`{"text":"abc"}`)})
	fmt.Println(string(out.JSON), err)
	_, err = tool.Call(ctx, sandbox.CallRequest{Arguments: []byte(`{"base64":"?"}`)})
	fmt.Println(err)
	// Output:
	// SHA-256
	// {"algorithm":"sha-256","hex":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","bytes":3} <nil>
	// base64 is not standard base64 with padding: send the alphabet A-Z a-z 0-9 + / in groups of four, ended by = (bad_base64)
}
