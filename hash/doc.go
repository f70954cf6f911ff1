// Package hash computes XXH3-64, bit for bit as the reference implementation
// (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) on every platform, one key or
// many keys at a time. It is not a cryptographic hash.
//
// [Sum64] and [String] hash one input with seed 0, [Seeded] and [SeededString] with
// any seed, [Batch] and [BatchSeeded] many strings in one call. Nothing allocates.
// See the example of [Batch].
//
// # Caveats
//
//   - Whoever knows the seed can make keys that collide. A table that takes keys from
//     strangers needs a random seed that stays secret.
//   - The environment variable INGOT_HASH (generic, sse2, avx2, avx512 or neon) picks
//     an implementation at start. A name this machine or build does not have is
//     ignored: [Backend] tells what runs.
//   - The build tag purego leaves assembly out; js and wasip1 never have any.
package hash
