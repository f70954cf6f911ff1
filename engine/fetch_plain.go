//go:build !amd64 || purego || race

package engine

// fetches says that fetch and overwrite are written in assembly.
const fetches = false

// fetch is always unsure where it is not written in assembly.
func (f *front) fetch(uint64, string, []byte) (n int, head uint64) { return fetchUnsure, 0 }

func (f *front) seek(uint64, string) (c cell, head, info uint64) { return cell{}, 0, 0 }

func (c cell) overwrite(keyLen int, value []byte, version uint64) {
	c.beginWrite()
	copy(c.bytes(cellHeadBytes+keyLen, len(value)), value)
	c.publish(version)
}
