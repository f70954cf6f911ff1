// Command wasm is the engine as a WebAssembly module: a WASI preview 1 reactor
// that JavaScript, wazero and any other host load as engine.wasm. It exports
// the operations of package engine and decides nothing itself. Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" \
//	    -o js/dist/engine.wasm ./wasm
//
// Built for anything else it is a program that prints how to build it.
//
// Three things carry a call's data. Parameters and results are i32, because an
// i64 costs a JavaScript host a BigInt. The registers are eight 64-bit words at
// a fixed address, for versions, times and counters. The area is a block of
// bytes for keys and values: a request lies at its start, the reply is appended
// behind the request. A negative result is an error code.
//
// docs/ABI.md, section "engine.wasm", specifies every export. A call from a
// JavaScript host reads like this:
//
//	if (x.ingot_abi() !== 1) throw new Error("other ABI");
//	const store = x.ingot_open();
//	bytes.set(key, area); bytes.set(value, area + key.length);
//	const code = x.ingot_set(store, key.length, value.length, 0);
//
// ingot_open_dir opens a store in a directory that the host has preopened, with the
// engine's own log and snapshots.
//
// # Caveats
//
// The module serves one call at a time. A call that traps leaves it in an
// unknown state: the host must not call it again. Nothing runs between calls:
// the host calls ingot_tick to have expired entries swept, and ingot_work to have the
// log of a directory compacted. WASI has no locks: the host keeps other processes away
// from a directory. Memory that Go has taken from the host is reused, never given
// back.
package main
