package sandbox

import "github.com/tetratelabs/wazero/experimental"

// memory is the linear memory of one instance. wazero's own limit refuses
// growth silently; this one remembers that it did, so that the guest's failure
// afterwards can be explained.
type memory struct {
	bytesMax uint64
	buffer   []byte
	refused  uint64 // the largest size asked for beyond bytesMax, or 0
}

var (
	_ experimental.MemoryAllocator = (*memory)(nil)
	_ experimental.LinearMemory    = (*memory)(nil)
)

// Allocate implements experimental.MemoryAllocator. The initial size was
// checked when the module was loaded.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: it returns the memory with
// the given size, or nil, which the guest sees as a failed memory.grow.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.bytesMax {
		m.refused = max(m.refused, size)
		return nil
	}
	if size <= uint64(cap(m.buffer)) {
		m.buffer = m.buffer[:size]
		return m.buffer
	}
	// Room for half as much again, so that growth page by page stays linear.
	grown := make([]byte, size, min(max(size, uint64(cap(m.buffer))*3/2), m.bytesMax))
	copy(grown, m.buffer)
	m.buffer = grown
	return m.buffer
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() { m.buffer = nil }
