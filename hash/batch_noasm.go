//go:build purego || !amd64

package hash

func batch(dst []uint64, keys []string, seed uint64) {
	batchGeneric(dst, keys, seed)
}
