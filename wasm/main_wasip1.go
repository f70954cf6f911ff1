package main

import _ "unsafe" // for go:linkname

// abiVersion changes with any change that an existing host could notice, except
// a new export.
const abiVersion = 1

// memoryLimitBytes makes the garbage collector work harder as the 4 GiB that
// 32-bit addresses reach come near: running into them is a trap.
const memoryLimitBytes = 3 << 30

func init() { setMemoryLimit(memoryLimitBytes) }

// What runtime/debug's functions of these names call. That package brings fmt and os,
// 23 KB of engine.wasm as brotli packs it.

//go:linkname setMemoryLimit runtime/debug.setMemoryLimit
func setMemoryLimit(bytes int64) (before int64)

//go:linkname setGCPercent runtime/debug.setGCPercent
func setGCPercent(percent int32) (before int32)

// main is never called: a host calls _initialize and then the exports.
func main() {}

// abi is asked first: a host refuses a module of another version.
//
//go:wasmexport ingot_abi
func abi() int32 { return abiVersion }
