package workload

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMixIsSplitmix64(t *testing.T) {
	// The first outputs of the reference splitmix64.c for the seed 1234567.
	state := uint64(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		require.Equal(t, want, Mix(state))
		state += 0x9e3779b97f4a7c15
	}
}

func TestKeysAreDistinctAndOfAllLengths(t *testing.T) {
	const count = 50_000
	seen, lengths := make(map[string]bool), make(map[int]int)
	for _, base := range []uint64{0, AbsentBase, FreshBase, FreshBase + 1<<24} {
		for j, key := range Keys(count, func(j uint64) uint64 { return base + j }) {
			require.Equal(t, string(AppendKey(nil, base+uint64(j))), key)
			seen[key] = true
			lengths[len(key)]++
		}
	}
	require.Len(t, seen, 4*count)
	require.Len(t, lengths, 17)
	for length := 16; length <= 32; length++ {
		require.InDelta(t, 4*count/17, lengths[length], 4*count/17*0.1, "length %d", length)
	}
}

func TestValueTellsItsStamp(t *testing.T) {
	require.Equal(t, uint64(0x6867666564636261)^Mix(7), Stamp("abcdefghijkl", Mix(7)))
	for _, size := range []int{ValueBytesMin, 64, 1024} {
		value := NewValue(size)
		require.Len(t, value, size)
		SetStamp(value, 0x0102030405060708)
		require.Equal(t, uint64(0x0102030405060708), SumBorrowed(value))
		require.Equal(t, uint64(0x0102030405060708)+(0x08^0x5a), SumCopied(value))
		require.Equal(t, byte(30), value[9], "9*31+7 = 256+30")
	}
}

func TestScatterMeetsEachOnce(t *testing.T) {
	for _, n := range []uint64{1, 1000, 4097} {
		seen := make(map[uint64]bool)
		for j := range n {
			seen[Scatter(j, n, 17)] = true
		}
		require.Len(t, seen, int(n))
	}
}

func TestDrawStaysInRange(t *testing.T) {
	counts := make([]int, 10)
	for j := range uint64(100_000) {
		counts[Draw(3, j, 10)]++
	}
	for _, count := range counts {
		require.InDelta(t, 10_000, count, 500)
	}
}

func TestZipfFollowsItsLaw(t *testing.T) {
	const n, count = 1000, 400_000
	counts := make([]float64, n)
	for _, index := range Zipf(n, count, 0.99, 1) {
		counts[index]++
	}
	rank := func(r uint64) float64 { return counts[Scatter(r-1, n, 0)] }
	require.InDelta(t, 1.986, rank(1)/rank(2), 0.1) // 2^0.99
	require.InDelta(t, 9.77, rank(1)/rank(10), 0.8) // 10^0.99
	require.InDelta(t, 0.13, rank(1)/count, 0.01)   // 1 / the sum over 1000 ranks
}
