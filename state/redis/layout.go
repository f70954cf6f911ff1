package redis

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/state"
)

// What lies where, in a deployment named N with the hash tags T of its buckets:
//
//	N:{T}k:KEY   an entry (string): a byte 1, its version and its end in Unix
//	             milliseconds (8 bytes each, big-endian; 0: never), the value
//	N:{T}m       meta (hash): v the last version, u the bytes charged, b the budgets
//	N:{T}i       the keys (sorted set, all scores 0)
//	N:{T}e       the keys that end (sorted set, the scores are the ends)
//	N:{T}s       what those keys are charged (hash), for when the entry is gone
//	N:{T}x       the last events (stream; the ids are versions)
//	N:{T}t       scratch of a script, gone when it returns
//	N:layout     the version of this layout and the number of buckets
//
// A single server has one bucket. In a cluster, a bucket is a share of the slots, so
// that keys of one slot are in one bucket and a script can change them as one.
const (
	layoutVersion = 1
	headBytes     = 17 // what stands before the value of an entry
	entryMark     = 1  // the first byte of an entry
	entryCharge   = 64 // what an entry is charged beside its key and value
	slotCount     = 1 << 14
	bucketsMax    = 1024
)

// bucket is what one script can reach.
type bucket struct {
	number                                               int
	entries, meta, index, ends, charges, stream, scratch string
	breaker                                              breaker
}

// makeBuckets are the buckets of a deployment.
func makeBuckets(name string, count int) []*bucket {
	buckets := make([]*bucket, count)
	for i := range buckets {
		head := name + ":{" + bucketTag(i, count) + "}"
		buckets[i] = &bucket{
			number: i, entries: head + "k:", meta: head + "m", index: head + "i", ends: head + "e",
			charges: head + "s", stream: head + "x", scratch: head + "t",
		}
	}
	return buckets
}

// bucketTag is the smallest number whose slot lies in the share of bucket i.
func bucketTag(i, count int) string {
	for n := 0; ; n++ {
		if tag := strconv.Itoa(n); count == 1 || slotOf(tag)*count/slotCount == i {
			return tag
		}
	}
}

// bucketOf is the bucket of a key: that of its hash tag's slot.
func (m *Manager) bucketOf(key string) *bucket {
	if len(m.buckets) == 1 {
		return m.buckets[0]
	}
	return m.buckets[slotOf(hashTag(key))*len(m.buckets)/slotCount]
}

// hashTag is what decides over the slot of a key: what stands between its first {
// and the next }, or all of it. Source: Redis cluster specification, "Hash tags".
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// slotOf is CRC-16 (XMODEM) of a tag, modulo the number of slots. Source: Redis
// cluster specification, appendix A.
func slotOf(tag string) int {
	var crc uint16
	for i := range len(tag) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^tag[i]]
	}
	return int(crc) % slotCount
}

var crcTable = func() (table [256]uint16) {
	const polynomial = 0x1021
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc & 0x8000
			if crc <<= 1; carry != 0 {
				crc ^= polynomial
			}
		}
		table[i] = crc
	}
	return table
}()

// parseHead reads what stands before the value of an entry.
func parseHead(key, raw string) (state.Meta, error) {
	if len(raw) < headBytes || raw[0] != entryMark {
		return state.Meta{}, foreign(key, fmt.Sprintf("%d bytes without the head of an entry", len(raw)))
	}
	var head [headBytes]byte
	copy(head[:], raw)
	return state.Meta{
		Version:   binary.BigEndian.Uint64(head[1:]),
		ExpiresAt: int64(binary.BigEndian.Uint64(head[9:])),
	}, nil
}
