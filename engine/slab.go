package engine

// The memory of a shard: slabs of cells of one size. A slab grows by chunks, each
// larger than the one before until chunkBytesMax, and gives empty chunks back to
// the garbage collector. When half of a slab's cells are free, the emptiest chunk
// is emptied step by step into the others, so that what is resident stays below
// about twice what is stored, whatever is overwritten and deleted.
//
// A chunk number belongs to one slab for ever, so that a stale reference never
// meets cells of another size: see cell.go.

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	chunkBytesMin = 512
	// chunkBytesSmall is up to where a chunk grows its slab by half; behind it by
	// an eighth. A slab below it is never emptied to save memory.
	chunkBytesSmall = 8 << 10
	chunkBytesMax   = 256 << 10
	// chunkTailWords are behind the last cell: a pointer behind the cell's last
	// byte, such as an empty value's, then still points into the chunk.
	chunkTailWords = 1

	// exactWordsMax is the largest cell that has a class of its own size. Above
	// it there are eight classes to a doubling, so at most 1/8 is padding.
	exactWordsMax = 32
	// sharedWordsMax is the largest cell that shares a chunk with others. A
	// larger one has a chunk to itself.
	sharedWordsMax = 4 << 10
	classCount     = exactWordsMax + 1 + 8*7 + 1
	classAlone     = classCount - 1

	// evacuateStep is how many cells one removal moves while a chunk is emptied.
	evacuateStep = 4
)

// ref names a cell of a shard: its chunk's number and its offset in words. 0 is
// no cell, refTombstone a slot whose key was removed.
type ref uint64

const (
	refBits       = 36
	refMask       = 1<<refBits - 1
	refOffsetBits = 16
	refTombstone  = ref(1)
	chunkCountMax = 1 << (refBits - refOffsetBits)
)

func makeRef(chunk, offset int) ref { return ref(chunk)<<refOffsetBits | ref(offset) }
func (r ref) chunk() int            { return int(r >> refOffsetBits) }
func (r ref) offset() int           { return int(r & (1<<refOffsetBits - 1)) }

// classOf is the class of a cell of n bytes, and the class's size in words.
func classOf(n int) (class, words int) {
	words = (n + 7) / 8
	switch {
	case words <= exactWordsMax:
		return words, words
	case words > sharedWordsMax:
		return classAlone, words
	}
	shift := bits.Len(uint(words-1)) - 4 // eight steps to a doubling
	step := 1 << shift
	words = (words + step - 1) &^ (step - 1)
	doubling := bits.Len(uint(words-1)) - 6 // up to 64 words is 0
	return exactWordsMax + 1 + doubling*8 + (words-1)>>(doubling+2)&7, words
}

// chunk is what a shard knows of a chunk beside its memory.
type chunk struct {
	slab  uint16 // index in arena.slabs
	words int    // size of a cell, in words
	cells int    // how many fit
	live  int    // how many hold an entry
	used  int    // how many were ever handed out; behind them nothing was written
	free  int    // offset of the first dead cell, in words; -1: none
	open  bool   // it stands in its slab's list of chunks with room
}

// slab is the cells of one size.
type slab struct {
	class     int
	cells     int   // in all its chunks
	live      int   // of them hold an entry
	open      []int // chunks with room, the one in use last
	idle      []int // chunk numbers without memory
	emptying  int   // the chunk that is being emptied, or 0
	emptyNext int   // the next cell of it to move
}

// arena is the memory of one shard. All of it is guarded by the shard's lock,
// except that readers load the directory's elements.
type arena struct {
	slabs    []slab
	slabOf   [classCount]uint16 // 1 + index in slabs; 0: the class has none yet
	chunks   []chunk            // by chunk number; 0 stands for no chunk
	dir      []unsafe.Pointer   // by chunk number: its memory, loaded and stored atomically
	resident int64              // bytes of all chunks
}

// at is the cell that r names.
func (a *arena) at(r ref) cell {
	return cell{unsafe.Add(a.dir[r.chunk()], r.offset()*8)}
}

// alloc hands out a cell for n bytes. grown is true when the directory has a new
// array, which readers must be shown (showDir) before the reference is stored.
func (a *arena) alloc(n int) (r ref, grown bool) {
	class, words := classOf(n)
	s := a.slab(class)
	if len(s.open) == 0 {
		grown = a.addChunk(s, words)
	}
	number := s.open[len(s.open)-1]
	c := &a.chunks[number]
	var offset int
	if c.free >= 0 {
		offset = c.free
		c.free = int(int64(*a.at(makeRef(number, offset)).info()))
	} else {
		offset = c.used * c.words
		c.used++
	}
	c.live++
	s.live++
	if c.live == c.cells {
		s.open = s.open[:len(s.open)-1]
		c.open = false
	}
	return makeRef(number, offset), grown
}

// release takes back a cell that was killed. A chunk that is empty goes back to
// the garbage collector, unless it is the smallest there is and the only one with
// room.
func (a *arena) release(r ref) {
	number := r.chunk()
	c := &a.chunks[number]
	s := &a.slabs[c.slab]
	*a.at(r).info() = uint64(int64(c.free))
	c.free = r.offset()
	c.live--
	s.live--
	switch {
	case c.live == 0 && (!c.open || len(s.open) > 1 || c.cells*c.words*8 > chunkBytesMin):
		a.dropChunk(s, number)
	case !c.open && s.emptying != number:
		s.open = append(s.open, number)
		c.open = true
		a.preferFull(s)
	}
}

// preferFull keeps the fuller of the last two chunks with room in use, so that
// the emptier one can become empty.
func (a *arena) preferFull(s *slab) {
	if n := len(s.open); n >= 2 && a.chunks[s.open[n-2]].live > a.chunks[s.open[n-1]].live {
		s.open[n-2], s.open[n-1] = s.open[n-1], s.open[n-2]
	}
}

// slab is the slab of a class, made on first use.
func (a *arena) slab(class int) *slab {
	i := a.slabOf[class]
	if i == 0 {
		a.slabs = append(a.slabs, slab{class: class})
		i = uint16(len(a.slabs))
		a.slabOf[class] = i
	}
	return &a.slabs[i-1]
}

// addChunk gives s a chunk with room for at least one cell of this size.
func (a *arena) addChunk(s *slab, words int) (grown bool) {
	cells := 1
	if s.class != classAlone {
		size := s.live * words * 8
		if size <= chunkBytesSmall {
			size /= 2
		} else {
			size /= 8
		}
		size = min(max(size, chunkBytesMin), chunkBytesMax)
		cells = max(size/(words*8), 1)
	}
	number, grown := a.chunkNumber(s)
	memory := make([]uint64, cells*words+chunkTailWords)
	a.resident += int64(len(memory)) * 8
	a.chunks[number] = chunk{slab: a.slabOf[s.class] - 1, words: words, cells: cells, free: -1, open: true}
	atomic.StorePointer(&a.dir[number], unsafe.Pointer(unsafe.SliceData(memory)))
	s.cells += cells
	s.open = append(s.open, number)
	return grown
}

// chunkNumber is a number that s used before, or a new one.
func (a *arena) chunkNumber(s *slab) (number int, grown bool) {
	if n := len(s.idle); n > 0 {
		number = s.idle[n-1]
		s.idle = s.idle[:n-1]
		return number, false
	}
	if len(a.chunks) == 0 {
		a.chunks = append(a.chunks, chunk{})
	}
	number = len(a.chunks)
	if number == chunkCountMax {
		panic("engine: a shard cannot hold more chunks; this is 64 GiB of small entries or a million large ones in one shard")
	}
	a.chunks = append(a.chunks, chunk{})
	if number >= len(a.dir) {
		dir := make([]unsafe.Pointer, max(4, 2*len(a.dir)))
		copy(dir, a.dir)
		a.dir, grown = dir, true
	}
	return number, grown
}

// dropChunk gives an empty chunk's memory to the garbage collector. Readers that
// hold a reference into it keep it alive and find its cells dead.
func (a *arena) dropChunk(s *slab, number int) {
	c := &a.chunks[number]
	a.resident -= int64(c.cells*c.words+chunkTailWords) * 8
	s.cells -= c.cells
	if c.open {
		for i, n := range s.open {
			if n == number {
				s.open = append(s.open[:i], s.open[i+1:]...)
				break
			}
		}
	}
	if s.emptying == number {
		s.emptying = 0
	}
	s.idle = append(s.idle, number)
	*c = chunk{free: -1}
	atomic.StorePointer(&a.dir[number], nil)
}

// sparse reports whether half of the slab is free, and that is worth a move.
func (a *arena) sparse(s *slab) bool {
	if s.class == classAlone || 2*s.live >= s.cells || len(s.open) == 0 {
		return false
	}
	return s.cells*a.chunks[s.open[0]].words*8 > chunkBytesSmall
}

// startEmptying takes the emptiest chunk with room out of use.
func (a *arena) startEmptying(s *slab) {
	least := 0
	for i, number := range s.open {
		if a.chunks[number].live < a.chunks[s.open[least]].live {
			least = i
		}
	}
	number := s.open[least]
	s.open = append(s.open[:least], s.open[least+1:]...)
	a.chunks[number].open = false
	s.emptying, s.emptyNext = number, 0
}

// isEmptying reports whether a chunk of the slab is being emptied, starting with
// one when the slab has become sparse.
func (a *arena) isEmptying(s *slab) bool {
	if s.emptying == 0 && a.sparse(s) {
		a.startEmptying(s)
	}
	return s.emptying != 0
}
