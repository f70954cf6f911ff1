//go:build amd64 && !purego && !race

package engine

// fetches says that fetch is written in assembly.
const fetches = true

// fetch looks key up and copies its value behind dst, without the lock, for the
// most frequent case: a table that counts no hits, the key or an unused slot in its
// home line, a key of up to 32 bytes, an entry without end, room in dst, no write in
// progress. It returns the value's length and the entry's head, or fetchAbsent,
// or, in every other case, fetchUnsure. What dst has behind its length may be
// written in any case.
func (f *front) fetch(h uint64, key string, dst []byte) (n int, head uint64) {
	return fetchAsm(f, h, key, dst)
}

//go:noescape
func fetchAsm(f *front, h uint64, key string, dst []byte) (n int, head uint64)
