//go:build !purego

package hash

import "unsafe"

// batchMax is the most keys that one call of a batch kernel takes, since its queues
// hold indexes of a byte.
const batchMax = 256

// batchOthers takes the indexes of the keys that a kernel left. A kernel may write to
// all of it, whatever their number.
type batchOthers [batchMax]uint8

// batch hashes every key into dst, which is as long as keys.
func batch(dst []uint64, keys []string, seed uint64) {
	if active != avx512 {
		batchGeneric(dst, keys, seed)
		return
	}
	var others batchOthers
	for len(keys) > 0 {
		n := min(len(keys), batchMax)
		rest := batchAVX512(&dst[0], &keys[0], uintptr(n), seed, &others)
		for _, i := range others[:rest] {
			key := keys[i]
			dst[i] = seeded(unsafe.Pointer(unsafe.StringData(key)), uintptr(len(key)), seed)
		}
		dst, keys = dst[n:], keys[n:]
	}
}

// batchAVX512 hashes the keys of 4..64 bytes among the n <= batchMax keys and returns
// how many others there are.
//
//go:noescape
func batchAVX512(dst *uint64, keys *string, n uintptr, seed uint64, others *batchOthers) uintptr
