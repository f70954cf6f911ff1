package main

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/bench/engine/workload"
)

// What is hashed. c/worker.c makes the same out of the same words; word(i) is
// workload.Mix(i) in little-endian order.
//
//	inputs of length L   K = 16384/L of them (at least 1, at most 64), one behind
//	                     the other in the bytes of word(0), word(1), …
//	keys of a class      key k has the length low + mix(k ^ 0x6c656e) % (high-low+1),
//	                     and the bytes of word(k*2^32), word(k*2^32 + 1), …
//	batches of a class   64 batches of 100 keys, k = 0..6399
//
// A measurement of n operations takes input i%K, or batch i%64, for i = 0..n-1, and
// sums the hashes; the sums of all implementations of XXH3 are equal.
const (
	arenaBytes   = 16384
	inputsMax    = 64
	batchKeys    = 100
	batches      = 64
	lengthSalt   = 0x6c656e
	lengthMax    = 1 << 20
	keyBytesMax  = 64
	wordsPerArea = 32 // the shift that keeps the words of two keys apart
)

// lengths are the lengths of single inputs in bytes.
var lengths = []int{1, 4, 8, 12, 16, 24, 32, 48, 64, 240, 1 << 10, 64 << 10, 1 << 20}

// class is a range of key lengths in bytes.
type class struct{ low, high int }

func (c class) String() string { return fmt.Sprintf("%d to %d B", c.low, c.high) }

var (
	oneClass = class{17, 32}
	mixed    = class{4, 64}
	classes  = []class{{9, 16}, oneClass, {33, 64}, mixed}
)

// inputs returns the inputs of a length.
func inputs(length int) [][]byte {
	count := min(max(arenaBytes/length, 1), inputsMax)
	arena := words(0, count*length)
	list := make([][]byte, count)
	for i := range list {
		list[i] = arena[i*length : (i+1)*length : (i+1)*length]
	}
	return list
}

// words returns length bytes, word by word from word first.
func words(first uint64, length int) []byte {
	bytes := make([]byte, 0, length+8)
	for i := uint64(0); len(bytes) < length; i++ {
		bytes = binary.LittleEndian.AppendUint64(bytes, workload.Mix(first+i))
	}
	return bytes[:length]
}

// keys returns the batches of a class, all keys side by side in memory.
func keys(c class) [][]string {
	var arena strings.Builder
	arena.Grow(batches * batchKeys * keyBytesMax)
	ends := make([]int, batches*batchKeys)
	for k := range ends {
		length := c.low + int(workload.Mix(uint64(k)^lengthSalt)%uint64(c.high-c.low+1))
		arena.Write(words(uint64(k)<<wordsPerArea, length))
		ends[k] = arena.Len()
	}
	all, text, start := make([]string, len(ends)), arena.String(), 0
	for k, end := range ends {
		all[k] = text[start:end]
		start = end
	}
	list := make([][]string, batches)
	for i := range list {
		list[i] = all[i*batchKeys : (i+1)*batchKeys]
	}
	return list
}
