package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBooksBeyond32Bits keeps books of more bytes than 32 bits count: also where
// an int has 32 bits no sum may wrap round.
func TestBooksBeyond32Bits(t *testing.T) {
	require.Equal(t, int64(16+KeyBytesMax+ValueBytesMax)+int64(ratePlain), ratePlain.charge(KeyBytesMax, ValueBytesMax, false))
	require.Equal(t, int64(1<<47), evictShardCount(math.MaxInt64))
	require.Equal(t, int64(1<<17), evictShardCount(1<<32))

	var b budget
	b.bytesMax.Store(9 << 30)
	b.replace(&namespace{prefix: "ns/", bytesMax: 7 << 30})
	for _, key := range []string{"ns/a", "ns/b"} {
		require.NoError(t, b.reserve(budgetChange{key: key, delta: 3 << 30}))
	}
	require.ErrorContains(t, b.reserve(budgetChange{key: "ns/c", delta: 1<<30 + 1}), fmt.Sprintf("%d of the %d bytes of prefix", int64(6<<30), int64(7<<30)))
	require.ErrorContains(t, b.reserve(budgetChange{key: "c", delta: 3<<30 + 1}), fmt.Sprintf("%d of the store's %d bytes", int64(6<<30), int64(9<<30)))
	require.Equal(t, int64(6<<30), b.used.Load())
	require.True(t, b.lacks(3<<30+1))
	require.False(t, b.lacks(3<<30))
	b.release("ns/a", 3<<30)
	require.Equal(t, int64(3<<30), (*b.namespaces.Load())[0].used.Load())

	// Some gibibytes of values, which share their memory.
	value := make([]byte, ValueBytesMax)
	records := make([]record, 100)
	ops := make([]Op, len(records))
	for i := range records {
		records[i] = record{key: fmt.Sprint(i), value: value}
		ops[i] = Op{Kind: OpSet, Key: records[i].key, Value: value}
	}
	sum := int64(len(records)) * (ValueBytesMax + 1)
	b = budget{}
	b.bytesMax.Store(sum)
	require.ErrorIs(t, b.fits(ratePlain, records), ErrFull)
	b.bytesMax.Store(sum + 10_000 + 100)
	require.NoError(t, b.fits(ratePlain, records))

	s, err := Open(Options{BytesMax: sum, OrderDisabled: true})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Batch(ops)
	require.ErrorIs(t, err, ErrFull)
	require.Zero(t, s.Stats().Bytes)
	for i := range 3 { // as if each shard held 2 GiB
		s.shards[i].arena.resident += 2 << 30
		defer func() { s.shards[i].arena.resident -= 2 << 30 }()
	}
	require.Greater(t, s.Stats().ResidentBytes, int64(6<<30))
}

// TestLargestArguments gives calls the largest numbers that an int holds.
func TestLargestArguments(t *testing.T) {
	s, err := Open(Options{})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Set("k", []byte("v"), SetOptions{TTL: TTLMax})
	require.NoError(t, err)
	_, err = s.List(ListOptions{Limit: math.MaxInt})
	require.ErrorIs(t, err, ErrOptions)
	_, err = s.Watch(WatchOptions{Buffer: math.MaxInt})
	require.ErrorIs(t, err, ErrOptions)
	_, err = Open(Options{ValueBytesMax: math.MaxInt})
	require.ErrorIs(t, err, ErrOptions)
	require.NoError(t, s.SetBudget("", math.MaxInt64))
	require.NoError(t, s.SetBudget("k", math.MaxInt64))
	_, err = s.Set("k", []byte("w"), SetOptions{TTL: TTLMax})
	require.NoError(t, err)
	require.Zero(t, s.Tick(math.MaxInt))
	huge, err := Open(Options{BytesMax: math.MaxInt64, Evict: true})
	require.NoError(t, err)
	_, err = huge.Set("k", []byte("v"), SetOptions{})
	require.NoError(t, err)
	require.NoError(t, huge.Close())
}

// TestSnapshotLengths gives Restore lengths around 2^31, 2^32 and 2^63: each is
// refused, also where an int has 32 bits.
func TestSnapshotLengths(t *testing.T) {
	s, err := Open(Options{})
	require.NoError(t, err)
	defer s.Close()
	snapshot := func(payload []byte) *bytes.Buffer {
		var b bytes.Buffer
		sw := &snapshotWriter{w: bufio.NewWriter(&b)}
		sw.header(10)
		sw.block(blockKindEntries, payload)
		sw.end(1, 10)
		require.NoError(t, sw.w.Flush())
		return &b
	}
	entry := func(keyLen, valueLen, version, ends uint64) (p []byte) {
		for _, n := range []uint64{keyLen, valueLen, version, ends} {
			p = binary.AppendUvarint(p, n)
		}
		return append(p, "key"...)
	}
	require.NoError(t, s.Restore(snapshot(entry(3, 0, 10, 0))))
	for _, large := range []uint64{1<<31 - 1, 1 << 31, 1<<32 - 3, 1 << 32, 1<<32 + 3, 1<<63 - 3, 1 << 63, 1<<64 - 3} {
		require.ErrorIs(t, s.Restore(snapshot(entry(large, 0, 10, 0))), ErrSnapshot)
		require.ErrorIs(t, s.Restore(snapshot(entry(3, large, 10, 0))), ErrSnapshot)
		require.ErrorIs(t, s.Restore(snapshot(entry(3, 0, large, 0))), ErrSnapshot)
		if large > 1<<62 {
			require.ErrorIs(t, s.Restore(snapshot(entry(3, 0, 10, large))), ErrSnapshot)
		}
	}
	good := snapshot(entry(3, 0, 10, 0)).Bytes()
	for _, size := range []uint32{blockBytesMax + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		bad := bytes.Clone(good)
		binary.LittleEndian.PutUint32(bad[snapshotHeaderBytes:], size)
		err := s.Restore(bytes.NewReader(bad))
		require.ErrorIs(t, err, ErrSnapshot)
		require.ErrorContains(t, err, fmt.Sprint(size))
	}
}
