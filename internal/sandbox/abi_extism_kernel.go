package sandbox

import (
	"encoding/binary"
	"slices"
)

// The memory that an Extism guest shares with its host lies outside both: blocks
// that the guest addresses by a 64-bit offset and reads and writes through calls.
// Extism calls it the kernel. Here it is a slice of the host that lives as long as
// one call, within the memory limit of an instance; docs/ABI.md has its rules.

const (
	// kernelOffsetMin is the first offset that a block can have: 0 is no block.
	kernelOffsetMin = 16
	// kernelBlocksMax bounds the blocks of one call, free ones included.
	kernelBlocksMax = 1 << 16
	// kernelFreeLooks bounds how many free blocks an allocation looks at.
	kernelFreeLooks = 32
)

// kernelBlock is one block: room bytes of which size are in use, or none.
type kernelBlock struct {
	size, room uint64
	free       bool
}

// kernel is the memory of one call. The zero value with a bytesMax is ready.
type kernel struct {
	bytesMax uint64
	bytes    []byte // what stands at kernelOffsetMin and behind it
	blocks   map[uint64]kernelBlock
	free     []uint64 // offsets of free blocks, the last freed at the end
}

// alloc makes a block of size bytes and returns its offset, or 0 for none of 0.
func (k *kernel) alloc(size uint64) uint64 {
	if size == 0 {
		return 0
	}
	if at, ok := k.reuse(size); ok {
		return at
	}
	used := uint64(len(k.bytes))
	if size > k.bytesMax || used > k.bytesMax-size {
		panic(failf(ErrMemory, "it asked for %d bytes of shared memory beside the %d that it has, and its limit is %d; free blocks, or raise the memory limit", size, used, k.bytesMax))
	}
	if len(k.blocks) >= kernelBlocksMax {
		panic(failf(ErrMemory, "it holds %d blocks of shared memory, at most so many are possible: free them", kernelBlocksMax))
	}
	if k.blocks == nil {
		k.blocks = map[uint64]kernelBlock{}
	}
	// Blocks start at multiples of 8.
	room := (size + 7) &^ 7
	k.bytes = slices.Grow(k.bytes, int(room))[:used+room]
	clear(k.bytes[used:])
	k.blocks[kernelOffsetMin+used] = kernelBlock{size: size, room: room}
	return kernelOffsetMin + used
}

// reuse finds a free block among those freed last, at most twice as large as
// needed.
func (k *kernel) reuse(size uint64) (uint64, bool) {
	for looks, i := 0, len(k.free)-1; i >= 0 && looks < kernelFreeLooks; looks, i = looks+1, i-1 {
		at := k.free[i]
		b := k.blocks[at]
		if b.room < size || b.room > 2*size+64 {
			continue
		}
		k.free = slices.Delete(k.free, i, i+1)
		k.blocks[at] = kernelBlock{size: size, room: b.room}
		clear(k.bytes[at-kernelOffsetMin:][:b.room])
		return at, true
	}
	return 0, false
}

// release frees a block; an offset where none starts, or a free one, is let pass,
// since guests free what the host has freed already.
func (k *kernel) release(at uint64) {
	b, ok := k.blocks[at]
	if !ok || b.free {
		return
	}
	b.free = true
	k.blocks[at] = b
	k.free = append(k.free, at)
}

// length is the size of the block that starts at an offset, or 0.
func (k *kernel) length(at uint64) uint64 {
	b, ok := k.blocks[at]
	if !ok || b.free {
		return 0
	}
	return b.size
}

// view is size bytes at an offset, or nil when they do not all lie in memory.
func (k *kernel) view(at, size uint64) []byte {
	used := uint64(len(k.bytes))
	if at < kernelOffsetMin || at-kernelOffsetMin > used || size > used-(at-kernelOffsetMin) {
		return nil
	}
	return k.bytes[at-kernelOffsetMin:][:size:size]
}

// take is the content of a block, which is freed: what the guest hands over with
// a call belongs to the host. The bytes hold until the next alloc. function and
// what name it for the error.
func (k *kernel) take(at uint64, function, what string) []byte {
	b, ok := k.blocks[at]
	if !ok || b.free {
		panic(failf(ErrABI, "%s was given offset %d for its %s, but no block starts there", function, at, what))
	}
	k.release(at)
	return k.view(at, b.size)
}

// put makes a block with this content and returns its offset.
func (k *kernel) put(content []byte) uint64 {
	at := k.alloc(uint64(len(content)))
	copy(k.view(at, uint64(len(content))), content)
	return at
}

// Reading outside gives 0 and writing outside does nothing, as Extism has it.

func (k *kernel) loadByte(at uint64) uint64 {
	if b := k.view(at, 1); b != nil {
		return uint64(b[0])
	}
	return 0
}

func (k *kernel) loadWord(at uint64) uint64 {
	if b := k.view(at, 8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (k *kernel) storeByte(at, value uint64) {
	if b := k.view(at, 1); b != nil {
		b[0] = byte(value)
	}
}

func (k *kernel) storeWord(at, value uint64) {
	if b := k.view(at, 8); b != nil {
		binary.LittleEndian.PutUint64(b, value)
	}
}
