package sandbox

import (
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// pageBytes is the unit in which memory grows.
const pageBytes = 64 << 10

// memory is the linear memory of one instance. wazero's own limit refuses
// growth silently; this one remembers that it did, so that the guest's failure
// afterwards can be explained. And it can be put back to an image.
type memory struct {
	bytesMax uint64
	buffer   []byte
	refused  uint64 // the largest size asked for beyond bytesMax, or 0
	backing  backing

	shrinking bool   // the next Reallocate answers with size bytes
	size      uint64 // see shrinking
}

// backing is where the bytes of a memory come from: mapped where the kernel
// tells which pages were written (image_linux.go), else on the Go heap.
type backing interface {
	// resize returns the memory with a length of size, at most its bytesMax;
	// bytes that it did not have are 0. It is nil when there is no room.
	resize(size uint64) []byte
	// adopt makes img the content: from then on reset is possible. It returns nil
	// when that cannot be.
	adopt(img *image) []byte
	// reset puts back the content of the image; used is the length that the
	// guest had. It returns how many bytes it wrote or gave back.
	reset(used uint64) (touched uint64)
	// trim gives back what differs from the image in nothing, as far as it can.
	trim()
	// held is how many bytes belong to this memory alone, at most.
	held() uint64
	// free gives all back; the memory must not be touched again.
	free()
}

var (
	_ experimental.MemoryAllocator = (*memory)(nil)
	_ experimental.LinearMemory    = (*memory)(nil)
)

// newMemory returns a memory that may hold bytesMax bytes.
func newMemory(bytesMax uint64) *memory {
	return &memory{bytesMax: bytesMax, backing: newBacking(bytesMax)}
}

// Allocate implements experimental.MemoryAllocator. The initial size was
// checked when the module was loaded.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: it returns the memory with
// the given size, or nil, which the guest sees as a failed memory.grow.
func (m *memory) Reallocate(size uint64) []byte {
	if m.shrinking {
		m.buffer = m.buffer[:m.size]
		return m.buffer
	}
	if size > m.bytesMax {
		m.refused = max(m.refused, size)
		return nil
	}
	if grown := m.backing.resize(size); grown != nil {
		m.buffer = grown
		return grown
	}
	return nil
}

// Free implements experimental.LinearMemory. It does nothing: wazero calls it
// inside proc_exit already, when a host function may still look at the memory.
// instance.close frees the memory.
func (m *memory) Free() {}

// image takes a copy of the content.
func (m *memory) image() (*image, error) { return newImage(m.buffer) }

// adopt makes img the content, for resets to come; it returns false when that
// cannot be. The guest's size must be the image's.
func (m *memory) adopt(img *image) bool {
	m.buffer = m.backing.adopt(img)
	return m.buffer != nil
}

// reset puts back content and size. It returns false when the size cannot be
// put back: the instance is then of no further use.
func (m *memory) reset(guest api.Memory, img *image) (touched uint64, ok bool) {
	touched = m.backing.reset(uint64(len(m.buffer)))
	if uint64(len(m.buffer)) == img.size {
		return touched, true
	}
	// wazero takes over whatever buffer Reallocate returns, a shorter one too;
	// it asks for one page more, which a memory at its maximum cannot have.
	m.shrinking, m.size = true, img.size
	_, ok = guest.Grow(1)
	m.shrinking = false
	return touched, ok && uint64(guest.Size()) == img.size
}

// heapBacking keeps a memory on the Go heap.
type heapBacking struct {
	bytesMax uint64
	buffer   []byte
	image    *image
}

// resize implements backing.
func (b *heapBacking) resize(size uint64) []byte {
	if size > uint64(cap(b.buffer)) {
		// Room for half as much again, so that growth page by page stays linear.
		grown := make([]byte, size, min(max(size, uint64(cap(b.buffer))*3/2), b.bytesMax))
		copy(grown, b.buffer)
		b.buffer = grown
	}
	b.buffer = b.buffer[:size]
	return b.buffer
}

// adopt implements backing.
func (b *heapBacking) adopt(img *image) []byte {
	b.image = img
	b.buffer = b.buffer[:img.size]
	copy(b.buffer, img.bytes)
	return b.buffer
}

// reset implements backing.
func (b *heapBacking) reset(used uint64) uint64 {
	clear(b.buffer[b.image.size:used])
	b.buffer = b.buffer[:b.image.size]
	copy(b.buffer, b.image.bytes)
	return used
}

// trim implements backing.
func (b *heapBacking) trim() {}

// held implements backing.
func (b *heapBacking) held() uint64 { return uint64(cap(b.buffer)) }

// free implements backing.
func (b *heapBacking) free() { b.buffer = nil }
