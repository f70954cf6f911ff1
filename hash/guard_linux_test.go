package hash

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns pages of memory between two pages that may not be touched.
func guarded(t *testing.T, bytes int) []byte {
	t.Helper()
	page := os.Getpagesize()
	bytes = (bytes + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, bytes+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mmap of %d bytes: %v", bytes+2*page, err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Errorf("munmap: %v", err)
		}
	})
	for _, guard := range [][]byte{all[:page], all[page+bytes:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatalf("mprotect: %v", err)
		}
	}
	return all[page : page+bytes : page+bytes]
}

// TestGuardPages hashes inputs that start and end at the edge of mapped memory: one
// byte read outside an input kills the process.
func TestGuardPages(t *testing.T) {
	r := newRand(t)
	const lengthMax, batchLengthMax = 1200, 250
	mem := guarded(t, lengthMax)
	copy(mem, randomBytes(r, len(mem)))
	eachBackend(t, func(t *testing.T) {
		keys := make([]string, 40)
		for n := range lengthMax {
			for _, b := range [][]byte{mem[:n], mem[len(mem)-n:]} {
				copied := append([]byte(nil), b...)
				if Sum64(b) != Sum64(copied) || Seeded(b, 9) != Seeded(copied, 9) {
					t.Errorf("length %d: the hash at the edge differs from the hash of a copy", n)
				}
				if n > batchLengthMax {
					continue
				}
				for i := range keys {
					keys[i] = unsafe.String(unsafe.SliceData(b), n)
				}
				checkBatches(t, keys, 9)
			}
		}
	})
}

// TestGuardPagesBatch puts keys of two lengths at both edges of mapped memory, and
// the headers of the keys and dst at the end of it, so that a kernel that touches a
// byte outside any of them kills the process.
func TestGuardPagesBatch(t *testing.T) {
	r := newRand(t)
	const countMax, lengthMax = 300, 70
	mem := guarded(t, 4096)
	copy(mem, randomBytes(r, len(mem)))
	headers := guarded(t, countMax*int(unsafe.Sizeof("")))
	results := guarded(t, countMax*8)
	eachBackend(t, func(t *testing.T) {
		for range 400 {
			count := 1 + r.IntN(countMax)
			keys := lastOf[string](headers, count)
			dst := lastOf[uint64](results, count)
			lengths := [2]int{r.IntN(lengthMax), r.IntN(lengthMax)}
			for i := range keys {
				n := lengths[r.IntN(2)]
				keys[i] = unsafe.String(unsafe.SliceData([2][]byte{mem[:n], mem[len(mem)-n:]}[r.IntN(2)]), n)
			}
			seed := r.Uint64()
			BatchSeeded(dst, keys, seed)
			for i, key := range keys {
				if want := SeededString(key, seed); dst[i] != want {
					t.Fatalf("%d keys of %v bytes: key %d is %#x, want %#x", count, lengths, i, dst[i], want)
				}
			}
		}
	})
}

// lastOf returns the last count values that fit into mem.
func lastOf[T any](mem []byte, count int) []T {
	var zero T
	bytes := count * int(unsafe.Sizeof(zero))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem[len(mem)-bytes:]))), count)
}
