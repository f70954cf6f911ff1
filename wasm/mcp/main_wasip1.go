package main

import (
	"os"
	"runtime/debug"
	"unsafe"
)

// abiVersion changes with any change that an existing host could notice, except
// a new export.
const abiVersion = 1

// memoryLimitBytes makes the garbage collector work harder as the 4 GiB that
// 32-bit addresses reach come near: running into them is a trap.
const memoryLimitBytes = 3 << 30

const (
	// areaBytesMin is the area's first size: most frames fit.
	areaBytesMin = 64 << 10
	// areaBytesKept is the largest area that is kept when a smaller one is asked for.
	areaBytesKept = 1 << 20
	// areaBytesMax bounds what a host can hand over at once.
	areaBytesMax = 1 << 30
)

func init() { debug.SetMemoryLimit(memoryLimitBytes) }

// main is never called: a host calls _initialize and then the exports.
func main() {}

// abi is asked first: a host refuses a module of another version.
//
//go:wasmexport mcp_abi
func abi() int32 { return abiVersion }

// area holds what the host hands over with a call.
var area = make([]byte, areaBytesMin)

// scratch makes the area at least size bytes long and returns its address, or 0 when
// that is too long; its content is lost.
//
//go:wasmexport mcp_scratch
func scratch(size uint32) uint32 {
	if size > areaBytesMax {
		return 0
	}
	if int(size) > len(area) || len(area) > areaBytesKept && size <= areaBytesMin {
		area = make([]byte, max(int(size), areaBytesMin))
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(area))))
}

// gateDescriptor is a descriptor of the host's that has a byte to read exactly when
// this module asks, by poll_oneoff, to wait: when each goroutine waits for something.
const gateDescriptor = 3

// gate is that descriptor, made once _initialize is over.
var gate *os.File

// run lets the goroutines run until all of them wait. The Go scheduler calls
// poll_oneoff when nothing else can go on, with the time of the next timer; the host
// remembers that and says that the gate can be read.
//
//go:wasmexport mcp_run
func run() int32 {
	if gate == nil {
		gate = os.NewFile(gateDescriptor, "gate")
	}
	var one [1]byte
	if _, err := gate.Read(one[:]); err != nil {
		return fail(err)
	}
	return 0
}

// lastError is what mcp_error tells about.
var lastError string

// fail notes err and returns the result of a call that failed.
func fail(err error) int32 {
	lastError = err.Error()
	return -1
}

// errorText writes the text of the last error at the start of the area, in UTF-8,
// and returns its length in bytes.
//
//go:wasmexport mcp_error
func errorText() int32 { return int32(copy(area, lastError)) }
