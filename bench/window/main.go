// Command window measures what a lookup costs that waits for memory, by how many
// instructions it has.
//
// A lookup in a large store waits for three lines, each of which says where the next
// one is: the key's bytes, the slot, the entry. Lookups do not depend on one another,
// so a processor that looks far enough ahead waits for several of them at once. How far
// it looks is counted in instructions. Each line printed is a lookup with so many more
// multiplications than it needs, which nothing waits for.
package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

const (
	entries = 1_000_000
	slots   = 1 << 21
	rounds  = 5
)

func main() { os.Exit(run(os.Stdout)) }

// table is keys, slots and entries that lie at random, as those of a store do.
type table struct {
	keys  []*[4]uint64
	slots []uint32
	cells [][14]uint64
}

func run(stdout io.Writer) int {
	t := newTable()
	for _, extra := range []int{0, 5, 10, 20, 40, 80, 160, 320} {
		times := make([]time.Duration, rounds)
		for i := range times {
			started := time.Now()
			if t.walk(extra) == 0 {
				fmt.Fprintln(os.Stderr, "bench/window: the sum cannot be 0")
				return 1
			}
			times[i] = time.Since(started)
		}
		slices.Sort(times)
		nanos := float64(times[rounds/2].Nanoseconds()) / entries
		fmt.Fprintf(stdout, "%4d multiplications more: %4.0f ns a lookup\n", extra, nanos)
	}
	return 0
}

func newTable() *table {
	rng := rand.New(rand.NewPCG(1, 2))
	t := &table{keys: make([]*[4]uint64, entries), slots: make([]uint32, slots), cells: make([][14]uint64, entries)}
	memory := make([][4]uint64, entries)
	for i, at := range rng.Perm(entries) {
		t.keys[i] = &memory[at]
		t.keys[i][0] = rng.Uint64()
	}
	for i := range t.slots {
		t.slots[i] = rng.Uint32N(entries)
	}
	for i := range t.cells {
		t.cells[i][0], t.cells[i][8] = uint64(i)+1, 1
	}
	return t
}

// walk looks every key up once and returns a sum that is not 0.
func (t *table) walk(extra int) (sum uint64) {
	for _, key := range t.keys {
		cell := &t.cells[t.slots[key[0]&(slots-1)]]
		x := cell[0] + cell[8]
		for range extra {
			x = x*3 + 1
		}
		sum |= x
	}
	return sum
}
