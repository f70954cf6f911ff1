// Package meter rewrites WebAssembly modules so that they count what they do.
//
// [Instrument] takes the bytes of a module and returns a [Module]: bytes that do
// the same and count fuel, and what was learnt about the module on the way. The
// fuel is a global that the host reaches under the name [ExportFuel]. Each
// function entry, each iteration of a loop and each bulk instruction takes its
// cost off; where that leaves less than zero, the guest calls the function
// [ImportYield] of the module [ImportModule]. There the host adds fuel, looks at
// a deadline, or ends the instance. So no guest runs for long without the host
// being asked, which bounds its time and lets Go's garbage collector stop it.
//
//	m, err := meter.Instrument(wasm, meter.Options{})
//	if err != nil { … }
//	compiled, err := runtime.CompileModule(ctx, m.Bytes)
//
// The package knows the binary format only, and no engine.
//
// # What is promised
//
//   - The count depends on the module, its input and what the host answers, and
//     on nothing else: not on when the guest yields. The unit is about one
//     instruction (see cost.go); a charge pays for the longest path up to the
//     next one, so the count is an upper bound, and a trap comes after the charge
//     of the code it lies in.
//   - Every cycle passes through a charge: loops, recursion (tail calls too), and
//     chains of calls. Bulk instructions pay for the length they are given, growth
//     of memory and tables for the length that was granted.
//   - A module that wazero takes is taken, within [Options]; one that wazero
//     refuses is refused here or stays invalid. Instructions of proposals are
//     known (threads, tail calls, exception handling, extended constants, typed
//     function references); whether they are enabled, the compiler says.
//
// # Caveats
//
// A guest may not import from [ImportModule] or export a name that starts with
// "ingot:".
//
// The code moves. The name section moves with it; sections that speak of places
// in the code are dropped: DWARF, source maps, linker and branch hints. A stack
// trace has the functions' names, but no source lines.
//
// Each table gets a maximum, so that a module which hands a table without one to
// another module finds it linked where it would have been refused.
//
// A thread that waits (memory.atomic.wait) is the engine's, and not metered.
package meter
