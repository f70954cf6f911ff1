package main

import "runtime/debug"

// abiVersion changes with any change that an existing host could notice, except
// a new export.
const abiVersion = 1

// memoryLimitBytes makes the garbage collector work harder as the 4 GiB that
// 32-bit addresses reach come near: running into them is a trap.
const memoryLimitBytes = 3 << 30

func init() { debug.SetMemoryLimit(memoryLimitBytes) }

// main is never called: a host calls _initialize and then the exports.
func main() {}

// abi is asked first: a host refuses a module of another version.
//
//go:wasmexport ingot_abi
func abi() int32 { return abiVersion }
