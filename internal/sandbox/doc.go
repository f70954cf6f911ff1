// Package sandbox runs tools that other people compiled to WebAssembly, inside
// bounds of time, memory, output and authority. It is the only package that
// knows wazero.
//
// The main types are [Host], which loads modules; [Module], one loaded module
// with the [Description] of each of its tools, whose [Module.Call] takes JSON
// and may be used by any number of goroutines; [Policy], which says what a
// module may have; and [Error], which says what a guest did wrong.
//
//	host := sandbox.New(sandbox.Options{Logger: logger})
//	defer host.Close(ctx)
//	module, err := host.Load(ctx, "sha256.wasm", wasm, sandbox.Policy{})
//	if err != nil { … }
//	out, err := module.Call(ctx, sandbox.CallRequest{Arguments: []byte(`{"text":"hello"}`)})
//
// docs/ABI.md specifies what a guest exports and imports; docs/SECURITY.md says
// what is promised and what is not.
//
// # How a guest is held
//
//   - Every call runs on a fresh instance: nothing stays behind, and an instance
//     that trapped is gone.
//   - Time: wazero's termination check at each loop header, and the same check
//     put in front of function bodies and bulk instructions (see rewrite.go).
//   - Memory: an allocator per instance that refuses growth past the limit, so
//     that a guest's failure can be told from a refusal.
//   - Authority: WASI preview 1 with no arguments, no environment, no files, no
//     sockets and an empty stdin; a clock and a random source by [Policy].
//
// # Caveats
//
// Compiling is not interruptible; its cost is estimated first and bounded, by
// default to about 20 seconds.
//
// The call stack of a guest is outside its memory limit: wazero lets it grow to
// 50 to 100 MB, and half as much again while it grows, before it traps.
//
// The check for the deadline costs 20 to 30 ns at each loop iteration and call.
package sandbox
