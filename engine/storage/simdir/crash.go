package simdir

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorBytes is what a disk writes whole or not at all.
const sectorBytes = 512

// Crash draws what the disk could hold if the power failed now, as a new disk.
// This one goes on as if nothing had been, so that many states of one moment can
// be looked at.
func (d *Dir) Crash(rng *rand.Rand) *Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := maps.Clone(d.durable)
	keep := drawFate(rng)
	// A lost change of a name loses all later ones of that name.
	lost := map[string]bool{}
	for _, c := range d.pending {
		if lost[c.from] || lost[c.to] || !keep.holds(rng) {
			lost[c.from], lost[c.to] = c.from != "", c.to != ""
			continue
		}
		c.apply(entries)
	}
	return d.restartedLocked(rng.Uint64(), entries, func(node *inode) []byte { return d.survivorsLocked(node, rng) })
}

// Kill returns what the disk holds if its user is killed now and the system
// lives on: all that was written, and no lock. What was not synced may still get
// lost in a later Crash. This disk goes on as if nothing had been.
func (d *Dir) Kill() *Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := New(d.rng.Uint64())
	next.faults.stale, next.faults.space = d.faults.stale, d.faults.space
	copies := map[*inode]*inode{}
	for _, node := range d.inodes {
		copies[node] = &inode{data: slices.Clone(node.data), durable: slices.Clone(node.durable), pending: slices.Clone(node.pending)}
		next.inodes = append(next.inodes, copies[node])
	}
	for name, node := range d.names {
		next.names[name] = copies[node]
	}
	for name, node := range d.durable {
		next.durable[name] = copies[node]
	}
	for _, c := range d.pending {
		c.file = copies[c.file]
		next.pending = append(next.pending, c)
	}
	return next
}

// restartedLocked is a disk after a restart of the system: everything on it is
// durable.
func (d *Dir) restartedLocked(seed uint64, entries map[string]*inode, contents func(*inode) []byte) *Dir {
	next := New(seed)
	next.faults.stale, next.faults.space = d.faults.stale, d.faults.space
	// In the order of their names, so that one seed always draws the same.
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		data := contents(entries[name])
		node := &inode{data: data, durable: slices.Clone(data)}
		next.names[name], next.durable[name] = node, node
		next.inodes = append(next.inodes, node)
	}
	return next
}

// fate is how much of what was not synced a crash keeps.
type fate struct{ percent int }

// drawFate draws all, nothing, or a part of any size: were each write to toss a
// coin of its own, one in a thousand crashes would keep ten in a row.
func drawFate(rng *rand.Rand) fate {
	switch rng.IntN(4) {
	case 0:
		return fate{0}
	case 1:
		return fate{100}
	}
	return fate{1 + rng.IntN(99)}
}

func (f fate) holds(rng *rand.Rand) bool { return rng.IntN(100) < f.percent }

// moment draws one of the moments 0 (before the first change) to n (after the
// last).
func (f fate) moment(rng *rand.Rand, n int) int {
	switch f.percent {
	case 0:
		return 0
	case 100:
		return n
	}
	return rng.IntN(n + 1)
}

// survivorsLocked draws what a crash leaves of a file.
func (d *Dir) survivorsLocked(node *inode, rng *rand.Rand) []byte {
	n := len(node.pending)
	if n == 0 {
		return slices.Clone(node.durable)
	}
	keep := drawFate(rng)
	at := keep.moment(rng, n) // the moment of the length
	left := sectors{until: map[int]int{}, draw: func(int) int { return keep.moment(rng, n) }}
	if rng.IntN(4) == 0 {
		// The disk wrote in order, and the power went in the middle of a write, which
		// is often the last one.
		if rng.IntN(2) == 0 {
			at = n - 1
		}
		until, torn := at, 0
		if at < n {
			c := node.pending[at]
			torn = (int(c.offset) + rng.IntN(len(c.bytes)+sectorBytes)) / sectorBytes
			at += rng.IntN(2)
		}
		left.draw = func(sector int) int {
			if sector < torn {
				return until + 1
			}
			return until
		}
	}
	now, size := slices.Clone(node.durable), len(node.durable)
	result := slices.Clone(now)
	for i, c := range node.pending {
		old := len(now)
		now = c.apply(now)
		if i < at {
			size = len(now)
		}
		result = left.copy(result, now, c, old, i+1, i < at)
	}
	return d.grown(result, size, node, left, rng)
}

// sectors draws for each sector the moment up to which its writes survive.
type sectors struct {
	until map[int]int
	draw  func(sector int) int
}

func (s sectors) survives(sector, moment int) bool {
	until, drawn := s.until[sector]
	if !drawn {
		until = s.draw(sector)
		s.until[sector] = until
	}
	return moment <= until
}

// copy copies the sectors that the change c touched from the contents after it,
// now, where they survive. Where the length after a cut survives (cut), the zeros
// behind it do as well: what was cut off never comes back.
func (s sectors) copy(result, now []byte, c change, oldSize, moment int, cut bool) []byte {
	from, to := int(c.offset), int(c.offset)+len(c.bytes)
	if c.bytes == nil {
		from, to = int(c.size), oldSize
		if !cut { // only the sector in which the cut falls is written then
			to = min(to, (from+sectorBytes-1)/sectorBytes*sectorBytes)
		}
	}
	for sector := from / sectorBytes; from < to && sector*sectorBytes < to; sector++ {
		if !s.survives(sector, moment) && !(c.bytes == nil && cut) {
			continue
		}
		begin, end := sector*sectorBytes, (sector+1)*sectorBytes
		result = resized(result, int64(max(len(result), end)))
		clear(result[begin:end])
		if begin < len(now) {
			copy(result[begin:end], now[begin:])
		}
	}
	return result
}

// grown is result at its final size. Sectors beyond the durable length that were
// written to and lost may be stale.
func (d *Dir) grown(result []byte, size int, node *inode, left sectors, rng *rand.Rand) []byte {
	result = resized(result, int64(size))
	if !d.faults.stale || len(d.inodes) == 0 || rng.IntN(2) == 0 {
		return result
	}
	first := (len(node.durable) + sectorBytes - 1) / sectorBytes
	for sector := first; sector*sectorBytes < size; sector++ {
		begin, end := sector*sectorBytes, min((sector+1)*sectorBytes, size)
		if until, drawn := left.until[sector]; !drawn || until > 0 || rng.IntN(2) == 0 {
			continue
		}
		if old := d.inodes[rng.IntN(len(d.inodes))].data; begin < len(old) {
			copy(result[begin:end], old[begin:])
		}
	}
	return result
}
