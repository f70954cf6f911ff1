package main

import (
	"time"
	"unsafe"

	"github.com/ingot-run/ingot/wasm/mcp/hoststate"
)

// What the host does for this module. Addresses and lengths name blocks of its
// memory, which the host reads or writes before it returns. None of them may call an
// export.

// hostState runs an operation on the store. It writes the reply to out and returns
// its length; one that is longer than room waits for hostReply.
//
//go:wasmimport ingot_mcp state
func hostState(request unsafe.Pointer, requestBytes uint32, out unsafe.Pointer, room uint32) uint32

// hostReply writes the reply that did not fit.
//
//go:wasmimport ingot_mcp reply
func hostReply(out unsafe.Pointer)

// hostSend takes a frame for a connection's client. It returns 1 when that is the
// last for now: mcp_writable then says when there is room for another.
//
//go:wasmimport ingot_mcp send
func hostSend(connection uint32, frame unsafe.Pointer, frameBytes uint32) uint32

// hostServed says that a connection has dealt with the oldest frame it was given:
// it is answered, or a worker has it.
//
//go:wasmimport ingot_mcp served
func hostServed(connection uint32)

// hostEnded says that a connection is over; its number is free.
//
//go:wasmimport ingot_mcp ended
func hostEnded(connection uint32)

// hostLog takes a line for the log: level 0 debug, 1 info, 2 warning, 3 error.
//
//go:wasmimport ingot_mcp log
func hostLog(level uint32, text unsafe.Pointer, textBytes uint32)

// replyRoom is the room for a reply that most fit into.
const replyRoom = 4 << 10

// host is the hoststate.Host that is JavaScript.
type host struct{}

var _ hoststate.Host = host{}

// Call implements hoststate.Host.
func (host) Call(request, reply []byte) []byte {
	if cap(reply) < replyRoom {
		reply = make([]byte, 0, replyRoom)
	}
	room := reply[:cap(reply)]
	n := hostState(unsafe.Pointer(unsafe.SliceData(request)), uint32(len(request)), unsafe.Pointer(unsafe.SliceData(room)), uint32(len(room)))
	if int(n) > len(room) {
		room = make([]byte, n)
		hostReply(unsafe.Pointer(unsafe.SliceData(room)))
	}
	return room[:n]
}

// Now implements hoststate.Host: the host gives this module the store's clock.
func (host) Now() int64 { return time.Now().UnixMilli() }
