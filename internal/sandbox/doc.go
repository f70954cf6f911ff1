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
//   - Time: package meter rewrites each module so that it counts fuel and asks
//     the host every 0.1 ms or so; there a call that is out of fuel or time ends.
//   - Memory: an allocator per instance that refuses growth past the limit, so
//     that a guest's failure can be told from a refusal.
//   - Isolation: a module's first instance runs _initialize; what memory, globals,
//     clock and random source are then is the snapshot that others start from. A
//     pool keeps instances ready, and at the isolation "call" puts each back to
//     the snapshot after its call. One that trapped, was stopped, exited or left
//     a file open is closed, and so is any of a module that cannot be put back
//     (see [Info]).
//   - Authority: [Policy] grants state, files, hosts and variables; without a
//     grant there is WASI preview 1 with a clock, random bytes and a log.
//
// # Caveats
//
// Compiling is not interruptible; its cost is estimated first and bounded, by
// default to about 20 seconds. [Options].CacheDir keeps what was compiled. With
// [Options].Lazy it keeps descriptions too: a module that is known is compiled when
// it is first called, and if that fails, the call does.
//
// The call stack of a guest is outside its memory limit: wazero lets it grow to
// 50 to 100 MB, and half as much again while it grows, before it traps. An
// instance that idles for a second gives its stack back.
//
// What a guest draws at random in _initialize is the same in all its instances:
// the seed of Go's math/rand is one such number, and of its maps. Random numbers
// that a call asks the host for (crypto/rand) are its own.
//
// Each module holds a file descriptor on Linux, and each instance a few mappings.
package sandbox
