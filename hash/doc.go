// Package hash computes XXH3-64, bit for bit as the reference implementation
// (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) on every platform, one key or
// many keys at a time. It is not a cryptographic hash.
//
// [Sum64] and [String] hash one input with seed 0, [Seeded] and [SeededString] with
// any seed, [Batch] and [BatchSeeded] many strings in one call. Nothing allocates, and
// nothing is read outside an input. See the example of [Batch].
//
// # Implementations
//
// The generic one is plain Go and runs everywhere. Inputs over 240 bytes have SSE2,
// AVX2, AVX-512 and NEON kernels; shorter ones are plain Go on every machine, where a
// call would cost more than it gains. A batch has two kernels on amd64: AVX2 for runs
// of keys of 17..32 bytes, and AVX-512 for mixed keys of 4..64 bytes, from 24 keys on.
// Everything else in a batch is a loop without a call for each key of 4..64 bytes.
// The avx512 backend wants F, BW, DQ, VL and VBMI2: Ice Lake, Zen 4 and later.
//
// About the time of a batch of 100 keys against 100 calls of zeebo/xxh3, on a Zen 4
// (go test -run '^$' -bench Batch ./hash, medians of runs taken in turn):
//
//	bytes a key   generic   avx2   avx512
//	4..8          0.77      0.78   0.40
//	9..16         0.75      0.81   0.50
//	17..32        0.79      0.44   0.45
//	33..64        0.96      1.00   0.60
//	4..64         0.86      0.91   0.67
//
// # Caveats
//
//   - Whoever knows the seed can make keys that collide. A table that takes keys from
//     strangers needs a random seed that stays secret.
//   - The environment variable INGOT_HASH (generic, sse2, avx2, avx512 or neon) picks
//     an implementation at start. A name this machine or build does not have is
//     ignored: [Backend] tells what runs.
//   - The build tag purego leaves assembly out; js and wasip1 never have any.
//   - A seed other than 0 costs about 12 ns more over 240 bytes: its secret is made
//     anew in each call.
package hash
