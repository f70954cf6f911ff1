package guest

import "unsafe"

// The exports and imports of docs/ABI.md. What the host may still read is kept
// in these two, so that the garbage collector leaves it alone: pointers that
// only the host holds do not count.
var (
	input  []byte
	output []byte
)

// failedBit marks a result that is an error object.
const failedBit = 1 << 31

//go:wasmimport ingot log
func hostLog(level int32, text string)

//go:wasmimport ingot progress
func hostProgress(progress, total float64, message string)

//go:wasmimport ingot state_get
func hostStateGet(key string) uint64

//go:wasmimport ingot state_delete
func hostStateDelete(key string, ifVersion int64) uint64

//go:wasmimport ingot state_increment
func hostStateIncrement(key string, delta, ttlMillis int64) uint64

//go:wasmimport ingot state_list
func hostStateList(prefix, after string, limit int32) uint64

//go:wasmimport ingot state_set
func importStateSet(key string, value unsafe.Pointer, size uint32, ttlMillis, ifVersion int64) uint64

//go:wasmimport ingot http_request
func importHTTP(head string, body unsafe.Pointer, size uint32) uint64

//go:wasmimport ingot reply
func importReply(to unsafe.Pointer)

func hostStateSet(key string, value []byte, ttlMillis, ifVersion int64) uint64 {
	return importStateSet(key, unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)), ttlMillis, ifVersion)
}

func hostHTTP(head string, body []byte) uint64 {
	return importHTTP(head, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
}

// hostReply fills to, whose length is that of the reply.
func hostReply(to []byte) { importReply(unsafe.Pointer(unsafe.SliceData(to))) }

//go:wasmexport alloc
func exportAlloc(size uint32) uint32 {
	input = make([]byte, max(size, 1))
	return address(input)
}

//go:wasmexport describe
func exportDescribe() uint64 {
	return pack(Describe(), 0)
}

//go:wasmexport call
func exportCall(ptr, size uint32) uint64 {
	if len(input) == 0 || ptr != address(input) || uint64(size) > uint64(len(input)) {
		return pack(wireError(Fail("bad_host", "the host passed arguments that are not where alloc put them")), failedBit)
	}
	out, err := Call(input[:size])
	if err != nil {
		return pack(wireError(err), failedBit)
	}
	return pack(out, 0)
}

func address(b []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

// pack makes a result of b.
func pack(b []byte, flag uint32) uint64 {
	output = b
	return uint64(address(b))<<32 | uint64(uint32(len(b))|flag)
}
