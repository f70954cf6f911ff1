package sandbox

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/ingot-run/ingot/internal/sandbox/meter"
)

// fuelSlice is how much fuel a guest gets at a time: some 0.1 ms of work. At its
// end the guest calls the host (see package meter), which looks at the deadline
// and lets other goroutines and the garbage collector in. Such a visit costs
// 0.3 us.
const fuelSlice = 100_000

// errStopped unwinds a guest at its deadline, or when the caller gives up.
var errStopped = errors.New("the guest was stopped")

// fuelUse is what one call may burn, and has been given of it.
type fuelUse struct {
	budget, given int64
}

// exportMeter adds the function that instrumented modules call.
func exportMeter(b wazero.HostModuleBuilder) {
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(hostYield), nil, nil).Export(meter.ImportYield)
}

// hostYield is ingot:meter.yield(): the slice of fuel is burnt.
func hostYield(ctx context.Context, m api.Module, _ []uint64) {
	c := callOf(ctx)
	fuel := c.instance.fuel
	if fuel == nil { // in the module's start function
		fuel = m.ExportedGlobal(meter.ExportFuel).(api.MutableGlobal)
	}
	burnt := c.fuel.given - int64(fuel.Get())
	switch {
	case burnt > c.fuel.budget:
		panic(failf(ErrFuel, "it burnt its %d units of fuel and was stopped; look for a loop that does not end, give it less to do, or raise the limit", c.fuel.budget))
	case c.context.Context.Err() != nil || !time.Now().Before(c.context.deadline):
		panic(errStopped)
	}
	runtime.Gosched()
	slice := min(fuelSlice, c.fuel.budget-burnt)
	c.fuel.given = burnt + slice
	fuel.Set(uint64(slice))
}

// fuelOf is the fuel of a use that is bounded by its time alone: a start, or a
// question what the guest is.
func (l *Limits) fuelOf(timeMax time.Duration) uint64 {
	return max(l.FuelMax, uint64(timeMax.Seconds()*fuelPerSecond))
}

// fill gives the guest its first slice of fuel.
func (c *call) fill(budget uint64) {
	c.fuel.budget = int64(budget)
	c.fuel.given = min(fuelSlice, c.fuel.budget)
	if c.instance.fuel == nil { // not yet instantiated: it starts with 0
		c.fuel.given = 0
		return
	}
	c.instance.fuel.Set(uint64(c.fuel.given))
}

// burnt is how much fuel the guest has burnt.
func (c *call) burnt() uint64 {
	if c.instance.fuel == nil {
		return 0
	}
	return uint64(max(c.fuel.given-int64(c.instance.fuel.Get()), 0))
}
