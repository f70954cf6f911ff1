package main

import (
	"encoding/binary"
	"math"
	"time"
	"unsafe"

	"github.com/ingot-run/ingot/engine"
)

const (
	// areaBytesMin is the area's first size. A key in the worst encoding and a
	// small value fit, so that most calls never ask for more.
	areaBytesMin = 256 << 10
	// areaBytesKept is the largest area that is kept when a smaller one is asked for.
	areaBytesKept = 1 << 20
	// areaBytesMax bounds one request. The largest entry fits several times.
	areaBytesMax = 256 << 20
	// replyBytesTarget is where a reply of many entries ends: the host asks for
	// the rest with its next call.
	replyBytesTarget = 4 << 20
)

// registers carry the 64-bit parameters and results of a call. Globals do not
// move, so a host asks for the address once.
var registers [8]uint64

// area holds the request of the call in hand and, behind it, the reply.
var area = make([]byte, areaBytesMin)

//go:wasmexport ingot_registers
func registersAddress() uint32 { return uint32(uintptr(unsafe.Pointer(&registers[0]))) }

// scratch makes the area at least size bytes long and returns its address; its
// content is lost. It returns 0 when size exceeds areaBytesMax. An area that a
// large request left behind is dropped when little is asked for.
//
//go:wasmexport ingot_scratch
func scratch(size uint32) uint32 {
	if size > areaBytesMax {
		return 0
	}
	if int(size) > len(area) || len(area) > areaBytesKept && size <= areaBytesMin {
		area = make([]byte, max(int(size), areaBytesMin))
	}
	return address()
}

// address is where the area is. It changes only through ingot_scratch and when
// a reply did not fit.
//
//go:wasmexport ingot_address
func address() uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(area)))) }

//go:wasmexport ingot_area_bytes
func areaBytes() uint32 { return uint32(len(area)) }

// reply returns the length of what was appended to area[:from]. When append had
// to move, the longer slice becomes the area.
func reply(out []byte, from uint32) int32 {
	if cap(out) > len(area) {
		area = out[:cap(out)]
	}
	return int32(len(out) - int(from))
}

// borrowed is the key at the start of the area, not copied. It is for reads:
// a write keeps its key.
func borrowed(keyBytes uint32) (string, bool) {
	if int(keyBytes) > len(area) {
		return "", false
	}
	return unsafe.String(unsafe.SliceData(area), int(keyBytes)), true
}

// pair splits the request of a call with two byte strings.
func pair(firstBytes, secondBytes uint32) (first string, second []byte, ok bool) {
	end := uint64(firstBytes) + uint64(secondBytes)
	if end > uint64(len(area)) {
		return "", nil, false
	}
	return string(area[:firstBytes]), area[firstBytes:end], true
}

// cursor reads a request of many parts. After a read beyond the end it is
// broken and gives zeros.
type cursor struct {
	rest   []byte
	broken bool
}

// request is a cursor over the first n bytes of the area.
func request(n uint32) cursor {
	if int(n) > len(area) {
		return cursor{broken: true}
	}
	return cursor{rest: area[:n]}
}

// more reports whether there is another part to read.
func (c *cursor) more() bool { return len(c.rest) > 0 && !c.broken }

func (c *cursor) take(n uint32) []byte {
	if uint64(n) > uint64(len(c.rest)) {
		c.rest, c.broken = nil, true
		return nil
	}
	part := c.rest[:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// ttl is a time to live in milliseconds as a duration. What no duration holds
// becomes one that the engine refuses.
func ttl(millis int64) time.Duration {
	if millis < 0 || millis > math.MaxInt64/int64(time.Millisecond) {
		return engine.TTLMax + 1
	}
	return time.Duration(millis) * time.Millisecond
}
