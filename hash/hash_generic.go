package hash

import (
	"math/bits"
	"unsafe"
)

// The algorithm is XXH3-64 as the reference's doc/xxhash_spec.md (v0.2.0) gives it.
// Everything here runs on every platform; assembly replaces sumLong and parts of a
// batch only, and must equal this file bit for bit.
//
// p and n are the start and the length in bytes of one input. Every load stays
// inside [p, p+n), so an input may end at the end of mapped memory.

// Primes of the specification.
const (
	prime32_1 = 0x9e3779b1
	prime32_2 = 0x85ebca77
	prime32_3 = 0xc2b2ae3d
	prime64_1 = 0x9e3779b185ebca87
	prime64_2 = 0xc2b2ae3d27d4eb4f
	prime64_3 = 0x165667b19e3779f9
	prime64_4 = 0x85ebca77c2b2ae63
	prime64_5 = 0x27d4eb2f165667c5
	primeMX1  = 0x165667919e3779f9
	primeMX2  = 0x9fb21c651e98df25
)

// Words of the default secret: kNNN is the little-endian word at byte NNN. As
// constants they fold into the instructions of the short paths.
const (
	k000 = 0xbe4ba423396cfeb8
	k008 = 0x1cad21f72c81017c
	k016 = 0xdb979083e96dd4de
	k024 = 0x1f67b3b7a4a44072
	k032 = 0x78e5c0cc4ee679cb
	k040 = 0x2172ffcc7dd05a82
	k048 = 0x8e2443f7744608b8
	k056 = 0x4c263a81e69035e0
	k064 = 0xcb00c391bb52283c
	k072 = 0xa32e531b8b65d088
	k080 = 0x4ef90da297486471
	k088 = 0xd8acdea946ef1938
	k096 = 0x3f349ce33f76faa8
	k104 = 0x1d4f0bc7c7bbdcf9
	k112 = 0x3159b4cd4be0518a
	k120 = 0x647378d9c97e9fc8

	k119 = k112>>56 | k120&(1<<56-1)<<8
	k127 = k120>>56 | k128&(1<<56-1)<<8
	k128 = 0xc3ebd33483acc5ea
)

const (
	secretBytes = 192
	stripeBytes = 64
	// Each stripe moves 8 bytes on in the secret; the last 64 bytes of it scramble.
	stripesPerBlock = (secretBytes - stripeBytes) / 8
	blockBytes      = stripesPerBlock * stripeBytes
	lastSecret      = secretBytes - stripeBytes - 7
	mergeSecret     = 11
	midMax          = 240
)

// secretTable is the default secret of the specification.
type secretTable [secretBytes]byte

// defaultSecret is read-only.
var defaultSecret = secretTable{
	0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
	0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
	0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
	0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
	0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
	0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
	0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
	0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
	0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
	0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
	0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
	0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
}

// sum is the hash with seed 0: seeded with the seed folded away, and with every
// length up to 128 bytes in one function, since a call costs more than the hash of a
// short key.
func sum(p unsafe.Pointer, n uintptr) uint64 {
	if n <= 16 {
		switch {
		case n > 8:
			lo := load64(p, 0) ^ k024 ^ k032
			hi := load64(p, n-8) ^ k040 ^ k048
			return avalanche(uint64(n) + bits.ReverseBytes64(lo) + hi + fold(lo, hi))
		case n > 3:
			return sum4to8(p, n, k008^k016)
		case n > 0:
			return sum1to3(p, n, 0)
		}
		return avalanche64(k056 ^ k064)
	}
	if n > 128 {
		if n > midMax {
			return sumLong(p, n, &defaultSecret)
		}
		return sum129to240(p, n)
	}
	x := uint64(n) * prime64_1
	if n > 32 {
		if n > 64 {
			if n > 96 {
				x += mix16(p, 48, k096, k104)
				x += mix16(p, n-64, k112, k120)
			}
			x += mix16(p, 32, k064, k072)
			x += mix16(p, n-48, k080, k088)
		}
		x += mix16(p, 16, k032, k040)
		x += mix16(p, n-32, k048, k056)
	}
	x += mix16(p, 0, k000, k008)
	x += mix16(p, n-16, k016, k024)
	return avalanche(x)
}

// seeded is the hash with any seed.
func seeded(p unsafe.Pointer, n uintptr, seed uint64) uint64 {
	if n <= 16 {
		switch {
		case n > 8:
			lo := load64(p, 0) ^ (k024 ^ k032 + seed)
			hi := load64(p, n-8) ^ (k040 ^ k048 - seed)
			return avalanche(uint64(n) + bits.ReverseBytes64(lo) + hi + fold(lo, hi))
		case n > 3:
			return sum4to8(p, n, k008^k016-foldSeed(seed))
		case n > 0:
			return sum1to3(p, n, seed)
		}
		return avalanche64(seed ^ k056 ^ k064)
	}
	if n > 128 {
		if n > midMax {
			return seededLong(p, n, seed)
		}
		return seeded129to240(p, n, seed)
	}
	x := uint64(n) * prime64_1
	if n > 32 {
		if n > 64 {
			if n > 96 {
				x += mix16(p, 48, k096+seed, k104-seed)
				x += mix16(p, n-64, k112+seed, k120-seed)
			}
			x += mix16(p, 32, k064+seed, k072-seed)
			x += mix16(p, n-48, k080+seed, k088-seed)
		}
		x += mix16(p, 16, k032+seed, k040-seed)
		x += mix16(p, n-32, k048+seed, k056-seed)
	}
	x += mix16(p, 0, k000+seed, k008-seed)
	x += mix16(p, n-16, k016+seed, k024-seed)
	return avalanche(x)
}

func sum1to3(p unsafe.Pointer, n uintptr, seed uint64) uint64 {
	first, middle, last := load8(p, 0), load8(p, n>>1), load8(p, n-1)
	x := uint64(first)<<16 | uint64(middle)<<24 | uint64(last) | uint64(n)<<8
	return avalanche64(x ^ ((k000^k000>>32)&0xffffffff + seed))
}

// foldSeed is the seed as the lengths 4..8 use it.
func foldSeed(seed uint64) uint64 {
	return seed ^ uint64(bits.ReverseBytes32(uint32(seed)))<<32
}

// sum4to8 takes the secret's two words with the seed already in them.
func sum4to8(p unsafe.Pointer, n uintptr, key uint64) uint64 {
	x := key ^ (uint64(load32(p, n-4)) + uint64(load32(p, 0))<<32)
	x ^= bits.RotateLeft64(x, 49) ^ bits.RotateLeft64(x, 24)
	x *= primeMX2
	x ^= x>>35 + uint64(n)
	x *= primeMX2
	return x ^ x>>28
}

// sum129to240 mixes the first 128 bytes as they come and the rest with the secret
// from its byte 3 on.
func sum129to240(p unsafe.Pointer, n uintptr) uint64 {
	x := uint64(n) * prime64_1
	x += mix16(p, 0, k000, k008)
	x += mix16(p, 16, k016, k024)
	x += mix16(p, 32, k032, k040)
	x += mix16(p, 48, k048, k056)
	x += mix16(p, 64, k064, k072)
	x += mix16(p, 80, k080, k088)
	x += mix16(p, 96, k096, k104)
	x += mix16(p, 112, k112, k120)
	x = avalanche(x)
	secret := unsafe.Pointer(&defaultSecret)
	if n >= 144 {
		x += mix16(p, 128, load64(secret, 3), load64(secret, 11))
	}
	if n >= 160 {
		x += mix16(p, 144, load64(secret, 19), load64(secret, 27))
	}
	if n >= 176 {
		x += mix16(p, 160, load64(secret, 35), load64(secret, 43))
	}
	if n >= 192 {
		x += mix16(p, 176, load64(secret, 51), load64(secret, 59))
	}
	if n >= 208 {
		x += mix16(p, 192, load64(secret, 67), load64(secret, 75))
	}
	if n >= 224 {
		x += mix16(p, 208, load64(secret, 83), load64(secret, 91))
	}
	if n >= 240 {
		x += mix16(p, 224, load64(secret, 99), load64(secret, 107))
	}
	x += mix16(p, n-16, k119, k127)
	return avalanche(x)
}

func seeded129to240(p unsafe.Pointer, n uintptr, seed uint64) uint64 {
	x := uint64(n) * prime64_1
	x += mix16(p, 0, k000+seed, k008-seed)
	x += mix16(p, 16, k016+seed, k024-seed)
	x += mix16(p, 32, k032+seed, k040-seed)
	x += mix16(p, 48, k048+seed, k056-seed)
	x += mix16(p, 64, k064+seed, k072-seed)
	x += mix16(p, 80, k080+seed, k088-seed)
	x += mix16(p, 96, k096+seed, k104-seed)
	x += mix16(p, 112, k112+seed, k120-seed)
	x = avalanche(x)
	secret := unsafe.Pointer(&defaultSecret)
	for i := uintptr(144); i <= n; i += 16 {
		x += mix16(p, i-16, load64(secret, i-141)+seed, load64(secret, i-133)-seed)
	}
	x += mix16(p, n-16, k119+seed, k127-seed)
	return avalanche(x)
}

func seededLong(p unsafe.Pointer, n uintptr, seed uint64) uint64 {
	if seed == 0 {
		return sumLong(p, n, &defaultSecret)
	}
	var secret secretTable
	deriveSecret(&secret, seed)
	return sumLong(p, n, &secret)
}

// sumLongGeneric hashes more than midMax bytes with a secret that is the default one
// or was made by deriveSecret.
func sumLongGeneric(p unsafe.Pointer, n uintptr, secret *secretTable) uint64 {
	acc := [8]uint64{
		prime32_3, prime64_1, prime64_2, prime64_3,
		prime64_4, prime32_2, prime64_5, prime32_1,
	}
	key := unsafe.Pointer(secret)
	// The last block, full or not, is left for below.
	done := uintptr(0)
	for ; n-done > blockBytes; done += blockBytes {
		accumulate(&acc, unsafe.Add(p, done), key, stripesPerBlock)
		scramble(&acc, key)
	}
	accumulate(&acc, unsafe.Add(p, done), key, (n-done-1)/stripeBytes)
	accumulate(&acc, unsafe.Add(p, n-stripeBytes), unsafe.Add(key, lastSecret), 1)

	x := uint64(n) * prime64_1
	for i := uintptr(0); i < 8; i += 2 {
		lo := acc[i] ^ load64(key, mergeSecret+8*i)
		hi := acc[i+1] ^ load64(key, mergeSecret+8*i+8)
		x += fold(lo, hi)
	}
	return avalanche(x)
}

// accumulate adds whole stripes at p to acc. Lanes touch only their neighbour, so it
// walks the stripes once for each pair of lanes and keeps the pair in registers.
func accumulate(acc *[8]uint64, p, secret unsafe.Pointer, stripes uintptr) {
	for i := uintptr(0); i < 8; i += 2 {
		a0, a1 := acc[i], acc[i+1]
		// Lane i of stripe s is keyed by word i+s: a key serves two lanes in turn.
		k0 := load64(secret, 8*i)
		for s := uintptr(0); s < stripes; s++ {
			k1 := load64(secret, 8*(i+s)+8)
			x0 := load64(p, stripeBytes*s+8*i)
			x1 := load64(p, stripeBytes*s+8*i+8)
			k0 ^= x0
			a0 += x1 + (k0&0xffffffff)*(k0>>32)
			k0 = k1
			k1 ^= x1
			a1 += x0 + (k1&0xffffffff)*(k1>>32)
		}
		acc[i], acc[i+1] = a0, a1
	}
}

func scramble(acc *[8]uint64, secret unsafe.Pointer) {
	for i := range acc {
		x := acc[i]
		x ^= x >> 47
		x ^= load64(secret, secretBytes-stripeBytes+8*uintptr(i))
		acc[i] = x * prime32_1
	}
}

// deriveSecret makes the secret that a seed stands for on inputs over midMax bytes.
func deriveSecret(secret *secretTable, seed uint64) {
	from, to := unsafe.Pointer(&defaultSecret), unsafe.Pointer(secret)
	for i := uintptr(0); i < secretBytes; i += 16 {
		store64(to, i, load64(from, i)+seed)
		store64(to, i+8, load64(from, i+8)-seed)
	}
}

func mix16(p unsafe.Pointer, off uintptr, k0, k1 uint64) uint64 {
	return fold(load64(p, off)^k0, load64(p, off+8)^k1)
}

// fold xors the two halves of the 128-bit product.
func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

func avalanche(x uint64) uint64 {
	x ^= x >> 37
	x *= primeMX1
	return x ^ x>>32
}

// avalanche64 is the finish of XXH64, which inputs under 4 bytes use.
func avalanche64(x uint64) uint64 {
	x ^= x >> 33
	x *= prime64_2
	x ^= x >> 29
	x *= prime64_3
	return x ^ x>>32
}

func load8(p unsafe.Pointer, off uintptr) byte {
	return *(*byte)(unsafe.Add(p, off))
}
