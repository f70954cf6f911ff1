package sandbox

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memories on Linux. The image of a module, its memory after _initialize, lies
// in a sealed memfd, and each instance maps it privately: a page is the
// instance's own from the first write to it, and all others are shared. Beyond
// the image lies anonymous memory, reserved up to the limit.
//
// After a call, /proc/self/pagemap says which pages are the instance's own, and
// only these are copied back. They stay the instance's own, so that the next
// call need not fault them in again; trim gives them back when the instance
// idles. docs/RATIONALE.md has the figures of the other ways.
//
// An entry of the pagemap has 64 bits: 63 present, 62 swapped out, 61 of a file
// or shared (which a page of the image is until it is written). Source:
// https://docs.kernel.org/admin-guide/mm/pagemap.html.
const (
	pagemapOwn     = 1<<63 | 1<<62
	pagemapShared  = 1 << 61
	pagemapEntries = 1024 // at once; 4 MiB of memory where pages have 4 KiB
)

// tailPagesMax is how many pages beyond the image a reset clears; of more it
// gives the memory back, and a later call takes the page faults.
const tailPagesMax = 64

// image is what each instance of a module starts from.
type image struct {
	size  uint64
	bytes []byte // a view for reading, of the file or on the heap
	file  int    // the memfd, or -1: bytes is on the heap
}

// newImage copies content into an image. Where there is no memfd or no pagemap
// it lies on the heap.
func newImage(content []byte) (*image, error) {
	if pagemap() == nil || len(content) == 0 {
		return heapImage(content), nil
	}
	img := &image{size: uint64(len(content)), file: -1}
	if err := img.create(content); err != nil {
		img.free()
		return nil, fmt.Errorf("making the image of a guest's memory: %w", err)
	}
	return img, nil
}

// heapImage is an image without a file.
func heapImage(content []byte) *image {
	return &image{size: uint64(len(content)), bytes: append([]byte(nil), content...), file: -1}
}

// create makes the file, writes the pages that are not all zero, and seals it.
func (img *image) create(content []byte) error {
	var err error
	if img.file, err = unix.MemfdCreate("ingot-guest", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
		img.file = -1
		return err
	}
	if err := unix.Ftruncate(img.file, int64(len(content))); err != nil {
		return err
	}
	page := os.Getpagesize()
	for at := 0; at < len(content); at += page {
		if part := content[at:min(at+page, len(content))]; !allZero(part) {
			if _, err := unix.Pwrite(img.file, part, int64(at)); err != nil {
				return err
			}
		}
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(img.file), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	img.bytes, err = unix.Mmap(img.file, 0, len(content), unix.PROT_READ, unix.MAP_SHARED)
	return err
}

// allZero says whether b holds only zeros.
func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// free gives the image back; no instance may need it any more.
func (img *image) free() {
	if img.file < 0 {
		return
	}
	if img.bytes != nil {
		_ = unix.Munmap(img.bytes) // fails only for what is no mapping
	}
	_ = unix.Close(img.file)
	img.file, img.bytes = -1, nil
}

// mappedBacking is a memory in address space of its own.
type mappedBacking struct {
	space []byte // reserved: bytesMax
	open  uint64 // so much of it may be read and written
	image *image // nil until adopt
}

// newBacking returns a mapped memory if the machine can do it.
func newBacking(bytesMax uint64) backing {
	if unsafe.Sizeof(uintptr(0)) < 8 || pagemap() == nil {
		return &heapBacking{bytesMax: bytesMax}
	}
	space, err := unix.Mmap(-1, 0, int(bytesMax), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil { // a limit on address space
		return &heapBacking{bytesMax: bytesMax}
	}
	return &mappedBacking{space: space}
}

// resize implements backing.
func (b *mappedBacking) resize(size uint64) []byte {
	if size > b.open {
		// Some at once, so that growth page by page stays linear.
		open := min(max(size, b.open*3/2), uint64(len(b.space)))
		open = min((open+uint64(pageBytes)-1)/pageBytes*pageBytes, uint64(len(b.space)))
		if err := unix.Mprotect(b.space[b.open:open], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil
		}
		b.open = open
	}
	return b.space[:size]
}

// adopt implements backing. It maps the image over what was there.
func (b *mappedBacking) adopt(img *image) []byte {
	b.image = img
	if img.size == 0 {
		return b.space[:0]
	}
	if img.file < 0 || b.resize(img.size) == nil {
		return nil
	}
	at := unsafe.Pointer(unsafe.SliceData(b.space))
	got, err := unix.MmapPtr(img.file, 0, at, uintptr(img.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err != nil || got != at {
		return nil
	}
	return b.space[:img.size]
}

// reset implements backing.
func (b *mappedBacking) reset(used uint64) uint64 {
	page := uint64(os.Getpagesize())
	touched, tail := uint64(0), uint64(0)
	ok := ownPages(b.space[:used], func(at uint64) {
		touched += page
		if at < b.image.size {
			copy(b.space[at:at+page], b.image.bytes[at:at+page])
			return
		}
		if tail++; tail <= tailPagesMax {
			clear(b.space[at : at+page])
		}
	})
	if !ok { // then everything may have been written
		copy(b.space[:b.image.size], b.image.bytes)
		touched = b.image.size
	}
	if !ok || tail > tailPagesMax {
		b.drop(b.image.size, used)
	}
	return touched
}

// drop gives back pages; what lies in the image shows the image again, what
// lies beyond it is zero.
func (b *mappedBacking) drop(from, to uint64) {
	if from == to {
		return
	}
	if unix.Madvise(b.space[from:to], unix.MADV_DONTNEED) != nil { // locked memory
		if from < b.image.size {
			from += uint64(copy(b.space[from:min(to, b.image.size)], b.image.bytes[from:]))
		}
		clear(b.space[from:to])
	}
}

// trim implements backing.
func (b *mappedBacking) trim() {
	if b.image != nil {
		b.drop(0, b.open)
	}
}

// held implements backing.
func (b *mappedBacking) held() uint64 {
	var own uint64
	page := uint64(os.Getpagesize())
	if !ownPages(b.space[:b.open], func(uint64) { own += page }) {
		return b.open
	}
	return own
}

// free implements backing.
func (b *mappedBacking) free() {
	if b.space != nil {
		_ = unix.Munmap(b.space) // fails only for what is no mapping
		b.space = nil
	}
}

// ownPages calls f with the offset of each page of space that is not shared
// with the image; it returns false if the kernel does not say.
func ownPages(space []byte, f func(at uint64)) bool {
	const entryBytes = 8
	file := pagemap()
	if file == nil {
		return false
	}
	entries := entriesPool.Get().(*[pagemapEntries]uint64)
	defer entriesPool.Put(entries)
	page := os.Getpagesize()
	first := uintptr(unsafe.Pointer(unsafe.SliceData(space))) / uintptr(page)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(entries)), pagemapEntries*entryBytes)
	pages := (len(space) + page - 1) / page
	for done := 0; done < pages; {
		want := min(pages-done, pagemapEntries)
		n, err := unix.Pread(int(file.Fd()), raw[:want*entryBytes], int64(first+uintptr(done))*entryBytes)
		if err != nil || n != want*entryBytes {
			return false
		}
		for i, e := range entries[:want] {
			if e&pagemapOwn != 0 && e&pagemapShared == 0 {
				f(uint64((done + i) * page))
			}
		}
		done += want
	}
	return true
}

var entriesPool = sync.Pool{New: func() any { return new([pagemapEntries]uint64) }}

// pagemap is the file that says which pages were written, or nil: not on this
// machine, or (gVisor, some containers) not to be relied on. It is tried once.
var pagemap = sync.OnceValue(func() *os.File {
	file, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil
	}
	if !tellsPages(file) {
		file.Close()
		return nil
	}
	return file
})

// tellsPages tries the pagemap on a private mapping of a file with four pages:
// one left alone, one read, one written, one read and then written.
func tellsPages(file *os.File) bool {
	const pages = 4
	page := os.Getpagesize()
	fd, err := unix.MemfdCreate("ingot-probe", unix.MFD_CLOEXEC)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if unix.Ftruncate(fd, int64(pages*page)) != nil {
		return false
	}
	space, err := unix.Mmap(fd, 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return false
	}
	defer unix.Munmap(space)
	read := space[page] + space[3*page]
	space[2*page], space[3*page] = read+1, read+1
	var raw [pages * 8]byte
	first := uintptr(unsafe.Pointer(unsafe.SliceData(space))) / uintptr(page)
	if n, err := unix.Pread(int(file.Fd()), raw[:], int64(first)*8); err != nil || n != len(raw) {
		return false
	}
	for i, want := range []bool{false, false, true, true} {
		e := binary.NativeEndian.Uint64(raw[i*8:])
		if own := e&pagemapOwn != 0 && e&pagemapShared == 0; own != want {
			return false
		}
	}
	return true
}
