package meter_test

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/ingot-run/ingot/internal/sandbox/meter"
)

// spin is a module whose function "spin" is `(loop (br 0))`.
const spin = "\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x07\x08\x01\x04spin\x00\x00" + "\x0a\x09\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b"

// A host that gives a guest 1,000 units of fuel, and then ends it.
func ExampleInstrument() {
	m, err := meter.Instrument([]byte(spin), meter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	given := 0
	yield := api.GoModuleFunc(func(_ context.Context, guest api.Module, _ []uint64) {
		if given == 1000 {
			panic("out of fuel")
		}
		given += 100
		fuel := guest.ExportedGlobal(meter.ExportFuel).(api.MutableGlobal)
		fuel.Set(fuel.Get() + 100)
	})
	_, _ = r.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(yield, nil, nil).Export(meter.ImportYield).Instantiate(ctx)
	guest, err := r.Instantiate(ctx, m.Bytes)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = guest.ExportedFunction("spin").Call(ctx)
	fmt.Println(given, err != nil)
	// Output: 1000 true
}
