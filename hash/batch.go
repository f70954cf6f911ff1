package hash

import (
	"fmt"
	"unsafe"
)

// Batch writes String(keys[i]) to dst[i] for every key. dst may be longer than keys,
// and what lies beyond stays as it is; a shorter dst panics before anything is
// written. It does not allocate.
func Batch(dst []uint64, keys []string) {
	checkBatch(dst, keys)
	for i, key := range keys {
		dst[i] = sum(unsafe.Pointer(unsafe.StringData(key)), uintptr(len(key)))
	}
}

// BatchSeeded is Batch with SeededString in place of String.
func BatchSeeded(dst []uint64, keys []string, seed uint64) {
	checkBatch(dst, keys)
	for i, key := range keys {
		dst[i] = seeded(unsafe.Pointer(unsafe.StringData(key)), uintptr(len(key)), seed)
	}
}

func checkBatch(dst []uint64, keys []string) {
	if len(dst) < len(keys) {
		panic(fmt.Sprintf("hash: Batch of %d keys into a dst of length %d: dst must have room for every key", len(keys), len(dst)))
	}
}
