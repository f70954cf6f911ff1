//go:build amd64 && !purego && !race

package engine

// warm brings what a lookup of each hash will touch into the cache, all of them
// at once, since waiting for memory is what lookups one by one mostly do: first
// every home line, then every cell that the first matching slot of it names. It only
// hints; the lookups check everything themselves.
func (s *Store) warm(hashes []uint64) {
	if len(hashes) > 1 {
		warmAsm(s.fronts, uint64(s.shardShift), &hashes[0], len(hashes))
	}
}

//go:noescape
func warmAsm(fronts *front, shift uint64, hashes *uint64, n int)
