//go:build !purego

#include "textflag.h"

// XXH3-64 of more than 240 bytes. The three kernels are one shape at three widths.
//
// SI  p, the next stripe              DI  secret
// DX  p + n                           R8  secret of the next stripe of the last block
// CX  blocks, then stripes, to go     BX  n
// AX, R9 scratch
//
// Vector registers, at each width:
//   M*  acc, to which the products go
//   D*  the input words themselves. Each belongs to its neighbour's lane; the sum is
//       swapped over once a block, not each word once a stripe.
//   P   prime32_1 in each lane          T*  scratch
//
// A block is 16 stripes of 64 bytes, and stripe i is keyed by the secret from byte
// 8*i. The last block, full or not, is not scrambled.

// Start of acc: primes of the specification.
DATA ·accStart+0(SB)/8, $0x00000000c2b2ae3d
DATA ·accStart+8(SB)/8, $0x9e3779b185ebca87
DATA ·accStart+16(SB)/8, $0xc2b2ae3d27d4eb4f
DATA ·accStart+24(SB)/8, $0x165667b19e3779f9
DATA ·accStart+32(SB)/8, $0x85ebca77c2b2ae63
DATA ·accStart+40(SB)/8, $0x0000000085ebca77
DATA ·accStart+48(SB)/8, $0x27d4eb2f165667c5
DATA ·accStart+56(SB)/8, $0x000000009e3779b1
GLOBL ·accStart(SB), RODATA|NOPTR, $64

// prime32_1 in both words.
DATA ·primePair+0(SB)/8, $0x000000009e3779b1
DATA ·primePair+8(SB)/8, $0x000000009e3779b1
GLOBL ·primePair(SB), RODATA|NOPTR, $16

// Loads the arguments and splits n: CX = (n-1)/1024 blocks before the last one.
#define ARGUMENTS \
	MOVQ p+0(FP), SI;       \
	MOVQ n+8(FP), BX;       \
	MOVQ secret+16(FP), DI; \
	LEAQ (SI)(BX*1), DX;    \
	LEAQ -1(BX), CX;        \
	SHRQ $10, CX

// CX = whole stripes of the last block, less the last stripe of the input; the flags
// are those of CX.
#define LAST_BLOCK \
	LEAQ -1(BX), CX; \
	ANDQ $1023, CX;  \
	SHRQ $6, CX;     \
	MOVQ DI, R8

// Adds fold(acc[2i], acc[2i+1]) to R9. Assumes acc, already xored with the secret
// from byte 11, in the frame. Breaks AX and DX.
#define MERGE_PAIR(off) \
	MOVQ off+0(SP), AX; \
	MULQ off+8(SP);     \
	XORQ DX, AX;        \
	ADDQ AX, R9

// Merges acc (in the frame, as above) to the hash in R9. Assumes BX = n.
#define MERGE \
	MOVQ  $0x9e3779b185ebca87, R9; \
	IMULQ BX, R9;                  \
	MERGE_PAIR(0);                 \
	MERGE_PAIR(16);                \
	MERGE_PAIR(32);                \
	MERGE_PAIR(48);                \
	MOVQ  R9, AX;                  \
	SHRQ  $37, AX;                 \
	XORQ  AX, R9;                  \
	MOVQ  $0x165667919e3779f9, AX; \
	IMULQ AX, R9;                  \
	MOVQ  R9, AX;                  \
	SHRQ  $32, AX;                 \
	XORQ  AX, R9

// SSE2: M = X0..X3, D = X4..X7, P = X15, T = X8..X14.

// Lanes off/8 and off/8+1 of the stripe at src, keyed at key.
#define PAIR_SSE2(src, key, off, M, D) \
	MOVOU   off(src), X8;   \
	MOVOU   off(key), X9;   \
	PXOR    X8, X9;         \
	PADDQ   X8, D;          \
	PSHUFD  $0x31, X9, X10; \
	PMULULQ X9, X10;        \
	PADDQ   X10, M

#define STRIPE_SSE2(src, key) \
	PAIR_SSE2(src, key, 0, X0, X4);  \
	PAIR_SSE2(src, key, 16, X1, X5); \
	PAIR_SSE2(src, key, 32, X2, X6); \
	PAIR_SSE2(src, key, 48, X3, X7)

// M += D with the lanes of each pair swapped; D = 0.
#define SWAP_SSE2(M, D) \
	PSHUFD $0x4e, D, D; \
	PADDQ  D, M;        \
	PXOR   D, D

// M = (M ^ M>>47 ^ secret) * prime32_1, the product put together from its halves.
#define SCRAMBLE_SSE2(off, M, D) \
	SWAP_SSE2(M, D);         \
	MOVO    M, X8;           \
	PSRLQ   $47, X8;         \
	MOVOU   128+off(DI), X9; \
	PXOR    X8, M;           \
	PXOR    X9, M;           \
	PSHUFD  $0x31, M, X10;   \
	PMULULQ X15, M;          \
	PMULULQ X15, X10;        \
	PSLLQ   $32, X10;        \
	PADDQ   X10, M

// Puts M ^ secret from byte 11 into the frame.
#define FINISH_SSE2(off, M, D) \
	SWAP_SSE2(M, D);      \
	MOVOU 11+off(DI), X9; \
	PXOR  X9, M;          \
	MOVOU M, off(SP)

// func sumLongSSE2(p unsafe.Pointer, n uintptr, secret *secretTable) uint64
TEXT ·sumLongSSE2(SB), NOSPLIT, $64-32
	ARGUMENTS
	MOVOU ·accStart+0(SB), X0
	MOVOU ·accStart+16(SB), X1
	MOVOU ·accStart+32(SB), X2
	MOVOU ·accStart+48(SB), X3
	MOVOU ·primePair+0(SB), X15
	PXOR  X4, X4
	PXOR  X5, X5
	PXOR  X6, X6
	PXOR  X7, X7
	TESTQ CX, CX
	JZ    last
	PCALIGN $64

block:
	MOVQ DI, R8
	LEAQ 1024(SI), AX
	PCALIGN $64

inBlock:
	STRIPE_SSE2(SI, R8)
	ADDQ $64, SI
	ADDQ $8, R8
	CMPQ SI, AX
	JNE  inBlock
	SCRAMBLE_SSE2(0, X0, X4)
	SCRAMBLE_SSE2(16, X1, X5)
	SCRAMBLE_SSE2(32, X2, X6)
	SCRAMBLE_SSE2(48, X3, X7)
	DECQ CX
	JNZ  block

last:
	LAST_BLOCK
	JZ   lastStripe
	PCALIGN $64

inLast:
	STRIPE_SSE2(SI, R8)
	ADDQ $64, SI
	ADDQ $8, R8
	DECQ CX
	JNZ  inLast

lastStripe:
	LEAQ -64(DX), SI
	LEAQ 121(DI), R8
	STRIPE_SSE2(SI, R8)
	FINISH_SSE2(0, X0, X4)
	FINISH_SSE2(16, X1, X5)
	FINISH_SSE2(32, X2, X6)
	FINISH_SSE2(48, X3, X7)
	MERGE
	MOVQ R9, ret+24(FP)
	RET

// AVX2: M = Y0, Y1, D = Y2, Y3, P = Y15, T = Y4..Y9.

// The stripe at off(src), keyed at koff(key).
#define STRIPE_AVX2(src, off, key, koff) \
	VMOVDQU  off+0(src), Y4;       \
	VMOVDQU  off+32(src), Y5;      \
	VPXOR    koff+0(key), Y4, Y6;  \
	VPXOR    koff+32(key), Y5, Y7; \
	VPADDQ   Y4, Y2, Y2;           \
	VPADDQ   Y5, Y3, Y3;           \
	VPSRLQ   $32, Y6, Y8;          \
	VPSRLQ   $32, Y7, Y9;          \
	VPMULUDQ Y6, Y8, Y8;           \
	VPMULUDQ Y7, Y9, Y9;           \
	VPADDQ   Y8, Y0, Y0;           \
	VPADDQ   Y9, Y1, Y1

// M += D with the lanes of each pair swapped; D = 0.
#define SWAP_AVX2(M, D) \
	VPSHUFD $0x4e, D, D; \
	VPADDQ  D, M, M;     \
	VPXOR   D, D, D

// As SCRAMBLE_SSE2.
#define SCRAMBLE_AVX2(off, M, D) \
	SWAP_AVX2(M, D);            \
	VPSRLQ   $47, M, Y4;        \
	VPXOR    128+off(DI), M, M; \
	VPXOR    Y4, M, M;          \
	VPSRLQ   $32, M, Y5;        \
	VPMULUDQ Y15, M, M;         \
	VPMULUDQ Y15, Y5, Y5;       \
	VPSLLQ   $32, Y5, Y5;       \
	VPADDQ   Y5, M, M

// func sumLongAVX2(p unsafe.Pointer, n uintptr, secret *secretTable) uint64
TEXT ·sumLongAVX2(SB), NOSPLIT, $64-32
	ARGUMENTS
	VMOVDQU      ·accStart+0(SB), Y0
	VMOVDQU      ·accStart+32(SB), Y1
	VPBROADCASTQ ·primePair+0(SB), Y15
	VPXOR        Y2, Y2, Y2
	VPXOR        Y3, Y3, Y3
	TESTQ        CX, CX
	JZ           last
	PCALIGN $64

block:
	STRIPE_AVX2(SI, 0, DI, 0)
	STRIPE_AVX2(SI, 64, DI, 8)
	STRIPE_AVX2(SI, 128, DI, 16)
	STRIPE_AVX2(SI, 192, DI, 24)
	STRIPE_AVX2(SI, 256, DI, 32)
	STRIPE_AVX2(SI, 320, DI, 40)
	STRIPE_AVX2(SI, 384, DI, 48)
	STRIPE_AVX2(SI, 448, DI, 56)
	STRIPE_AVX2(SI, 512, DI, 64)
	STRIPE_AVX2(SI, 576, DI, 72)
	STRIPE_AVX2(SI, 640, DI, 80)
	STRIPE_AVX2(SI, 704, DI, 88)
	STRIPE_AVX2(SI, 768, DI, 96)
	STRIPE_AVX2(SI, 832, DI, 104)
	STRIPE_AVX2(SI, 896, DI, 112)
	STRIPE_AVX2(SI, 960, DI, 120)
	SCRAMBLE_AVX2(0, Y0, Y2)
	SCRAMBLE_AVX2(32, Y1, Y3)
	ADDQ $1024, SI
	DECQ CX
	JNZ  block

last:
	LAST_BLOCK
	JZ   lastStripe
	PCALIGN $64

inLast:
	STRIPE_AVX2(SI, 0, R8, 0)
	ADDQ $64, SI
	ADDQ $8, R8
	DECQ CX
	JNZ  inLast

lastStripe:
	STRIPE_AVX2(DX, -64, DI, 121)
	SWAP_AVX2(Y0, Y2)
	SWAP_AVX2(Y1, Y3)
	VPXOR   11(DI), Y0, Y0
	VPXOR   43(DI), Y1, Y1
	VMOVDQU Y0, 0(SP)
	VMOVDQU Y1, 32(SP)
	VZEROUPPER
	MERGE
	MOVQ R9, ret+24(FP)
	RET

// AVX-512 F: M = Z0, D = Z1, P = Z15, T = Z2..Z4. Z16..Z31 = the 16 keys of a block,
// which cross cache lines in memory, and Z5 = the scramble's key; loaded when there
// is a whole block to use them on.

// The stripe at off(src), keyed by K: a register or memory.
#define STRIPE_AVX512(src, off, K) \
	VMOVDQU64 off(src), Z2; \
	VPXORQ    K, Z2, Z3;    \
	VPADDQ    Z2, Z1, Z1;   \
	VPSRLQ    $32, Z3, Z4;  \
	VPMULUDQ  Z3, Z4, Z4;   \
	VPADDQ    Z4, Z0, Z0

// M += D with the lanes of each pair swapped; D = 0.
#define SWAP_AVX512 \
	VPSHUFD $0x4e, Z1, Z1; \
	VPADDQ  Z1, Z0, Z0;    \
	VPXORQ  Z1, Z1, Z1

// func sumLongAVX512(p unsafe.Pointer, n uintptr, secret *secretTable) uint64
TEXT ·sumLongAVX512(SB), NOSPLIT, $64-32
	ARGUMENTS
	VMOVDQU64 ·accStart+0(SB), Z0
	VPXORQ    Z1, Z1, Z1
	TESTQ     CX, CX
	JZ        last
	VMOVDQU64 0(DI), Z16
	VMOVDQU64 8(DI), Z17
	VMOVDQU64 16(DI), Z18
	VMOVDQU64 24(DI), Z19
	VMOVDQU64 32(DI), Z20
	VMOVDQU64 40(DI), Z21
	VMOVDQU64 48(DI), Z22
	VMOVDQU64 56(DI), Z23
	VMOVDQU64 64(DI), Z24
	VMOVDQU64 72(DI), Z25
	VMOVDQU64 80(DI), Z26
	VMOVDQU64 88(DI), Z27
	VMOVDQU64 96(DI), Z28
	VMOVDQU64 104(DI), Z29
	VMOVDQU64 112(DI), Z30
	VMOVDQU64 120(DI), Z31
	VMOVDQU64 128(DI), Z5
	VPBROADCASTQ ·primePair+0(SB), Z15
	PCALIGN $64

block:
	STRIPE_AVX512(SI, 0, Z16)
	STRIPE_AVX512(SI, 64, Z17)
	STRIPE_AVX512(SI, 128, Z18)
	STRIPE_AVX512(SI, 192, Z19)
	STRIPE_AVX512(SI, 256, Z20)
	STRIPE_AVX512(SI, 320, Z21)
	STRIPE_AVX512(SI, 384, Z22)
	STRIPE_AVX512(SI, 448, Z23)
	STRIPE_AVX512(SI, 512, Z24)
	STRIPE_AVX512(SI, 576, Z25)
	STRIPE_AVX512(SI, 640, Z26)
	STRIPE_AVX512(SI, 704, Z27)
	STRIPE_AVX512(SI, 768, Z28)
	STRIPE_AVX512(SI, 832, Z29)
	STRIPE_AVX512(SI, 896, Z30)
	STRIPE_AVX512(SI, 960, Z31)

	// Z0 = (Z0 ^ Z0>>47 ^ secret) * prime32_1
	SWAP_AVX512
	VPSRLQ     $47, Z0, Z2
	VPTERNLOGQ $0x96, Z5, Z2, Z0
	VPSRLQ     $32, Z0, Z3
	VPMULUDQ   Z15, Z0, Z0
	VPMULUDQ   Z15, Z3, Z3
	VPSLLQ     $32, Z3, Z3
	VPADDQ     Z3, Z0, Z0
	ADDQ       $1024, SI
	DECQ       CX
	JNZ        block

last:
	LAST_BLOCK
	JZ   lastStripe
	PCALIGN $64

inLast:
	STRIPE_AVX512(SI, 0, 0(R8))
	ADDQ $64, SI
	ADDQ $8, R8
	DECQ CX
	JNZ  inLast

lastStripe:
	STRIPE_AVX512(DX, -64, 121(DI))
	SWAP_AVX512
	VPXORQ    11(DI), Z0, Z0
	VMOVDQU64 Z0, 0(SP)
	VZEROUPPER
	MERGE
	MOVQ R9, ret+24(FP)
	RET
