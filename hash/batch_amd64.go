//go:build !purego

package hash

import "unsafe"

const (
	// batchMax is the most keys that one call of batchAVX512 takes, since its queues
	// hold indexes of a byte.
	batchMax = 256

	// sortMin is the fewest keys that are worth the sort of batchAVX512. Mixed keys
	// take 1.1x the time of single calls when there are 24 of them, if the branches of
	// single calls are all foreseen; 0.7x when there are 100.
	sortMin = 24

	// runMin is the fewest keys of 17..32 bytes in a row that batch17AVX2 is called
	// for; mixedRun is how many keys go by before it is tried again.
	runMin   = 8
	mixedRun = 32
)

// batchOthers takes the indexes of the keys that a kernel left. A kernel may write to
// all of it, whatever their number.
type batchOthers [batchMax]uint8

// batch hashes every key into dst, which is as long as keys.
func batch(dst []uint64, keys []string, seed uint64) {
	if active != avx2 && active != avx512 {
		batchGeneric(dst, keys, seed)
		return
	}
	for len(keys) >= runMin {
		n := 0
		switch {
		case all17to32((*[runMin]string)(keys)):
			n = int(batch17AVX2(&dst[0], &keys[0], uintptr(len(keys)), seed))
		case active == avx512 && len(keys) >= sortMin:
			n = min(len(keys), batchMax)
			batchSorted(dst[:n], keys[:n], seed)
		default:
			n = min(len(keys), mixedRun)
			batchGeneric(dst[:n], keys[:n], seed)
		}
		dst, keys = dst[n:], keys[n:]
	}
	batchGeneric(dst, keys, seed)
}

// batchSorted hashes sortMin..batchMax keys.
func batchSorted(dst []uint64, keys []string, seed uint64) {
	var others batchOthers
	count := batchAVX512(&dst[0], &keys[0], uintptr(len(keys)), seed, &others)
	for _, i := range others[:count] {
		key := keys[i]
		dst[i] = seeded(unsafe.Pointer(unsafe.StringData(key)), uintptr(len(key)), seed)
	}
}

// all17to32 tells whether every key has 17..32 bytes: the lengths less 17 are all under
// 16 if their union is.
func all17to32(keys *[runMin]string) bool {
	union := uint(0)
	for i := range keys {
		union |= uint(len(keys[i])) - 17
	}
	return union < 16
}

// batchAVX512 hashes the keys of 4..64 bytes among the n <= batchMax keys and returns
// how many others there are.
//
//go:noescape
func batchAVX512(dst *uint64, keys *string, n uintptr, seed uint64, others *batchOthers) uintptr

// batch17AVX2 hashes the first of the n keys, four at a time, as long as all four have
// 17..32 bytes, and returns how many it hashed.
//
//go:noescape
func batch17AVX2(dst *uint64, keys *string, n uintptr, seed uint64) uintptr
