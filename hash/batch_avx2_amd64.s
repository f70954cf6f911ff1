//go:build !purego

#include "textflag.h"

// XXH3-64 of many keys of 17..32 bytes, 4 at a time, one key a 64-bit lane (AVX2).
// The other classes gain too little from 4 lanes to be worth a kernel.
//
// DI  dst, 8 bytes a key              SI  keys, 16 bytes each: pointer, length
// BX  keys to go                      R8..R11  lengths of a group, less 17
// AX  table of length*prime64_1       CX, DX  scratch
//
// Y15..Y12  k000+seed, k008-seed, k016+seed, k024-seed
// Y11  0xffffffff in each lane        Y10, Y9  low and high half of primeMX1
// Y8   the sum                        Y0..Y7   scratch

// Secret and primes: k000, k008, k016, k024, primeMX1, its high half, the mask.
DATA ·batchAVX2Const+0(SB)/8, $0xbe4ba423396cfeb8
DATA ·batchAVX2Const+8(SB)/8, $0x1cad21f72c81017c
DATA ·batchAVX2Const+16(SB)/8, $0xdb979083e96dd4de
DATA ·batchAVX2Const+24(SB)/8, $0x1f67b3b7a4a44072
DATA ·batchAVX2Const+32(SB)/8, $0x165667919e3779f9
DATA ·batchAVX2Const+40(SB)/8, $0x0000000016566791
DATA ·batchAVX2Const+48(SB)/8, $0x00000000ffffffff
GLOBL ·batchAVX2Const(SB), RODATA|NOPTR, $56

// length*prime64_1 for the lengths 17..32.
DATA ·batchAVX2Lengths+0(SB)/8, $0x81af14c9e4a872f7
DATA ·batchAVX2Lengths+8(SB)/8, $0x1fe68e7b6a943d7e
DATA ·batchAVX2Lengths+16(SB)/8, $0xbe1e082cf0800805
DATA ·batchAVX2Lengths+24(SB)/8, $0x5c5581de766bd28c
DATA ·batchAVX2Lengths+32(SB)/8, $0xfa8cfb8ffc579d13
DATA ·batchAVX2Lengths+40(SB)/8, $0x98c475418243679a
DATA ·batchAVX2Lengths+48(SB)/8, $0x36fbeef3082f3221
DATA ·batchAVX2Lengths+56(SB)/8, $0xd53368a48e1afca8
DATA ·batchAVX2Lengths+64(SB)/8, $0x736ae2561406c72f
DATA ·batchAVX2Lengths+72(SB)/8, $0x11a25c0799f291b6
DATA ·batchAVX2Lengths+80(SB)/8, $0xafd9d5b91fde5c3d
DATA ·batchAVX2Lengths+88(SB)/8, $0x4e114f6aa5ca26c4
DATA ·batchAVX2Lengths+96(SB)/8, $0xec48c91c2bb5f14b
DATA ·batchAVX2Lengths+104(SB)/8, $0x8a8042cdb1a1bbd2
DATA ·batchAVX2Lengths+112(SB)/8, $0x28b7bc7f378d8659
DATA ·batchAVX2Lengths+120(SB)/8, $0xc6ef3630bd7950e0
GLOBL ·batchAVX2Lengths(SB), RODATA|NOPTR, $128

// Y = word of the secret at byte off, plus or minus (OP) the seed in Y0.
#define SECRET(off, OP, Y) \
	VPBROADCASTQ ·batchAVX2Const+off(SB), Y; \
	OP           Y0, Y, Y

// A = the low half of A*B, xor its high half. T0..T3 scratch.
#define FOLD(A, B, T0, T1, T2, T3) \
	VPSRLQ    $32, A, T0;        \
	VPSRLQ    $32, B, T1;        \
	VPMULUDQ  B, A, T2;          \
	VPMULUDQ  B, T0, T3;         \
	VPMULUDQ  T1, A, A;          \
	VPMULUDQ  T1, T0, T0;        \
	VPSRLQ    $32, T2, T1;       \
	VPADDQ    T1, T3, T3;        \
	VPAND     Y11, T3, T1;       \
	VPADDQ    T1, A, A;          \
	VPSRLQ    $32, T3, T3;       \
	VPADDQ    T3, T0, T0;        \
	VPSRLQ    $32, A, T1;        \
	VPADDQ    T1, T0, T0;        \
	VMOVSLDUP A, T1;             \
	VPBLENDD  $0xaa, T1, T2, T2; \
	VPXOR     T2, T0, A

// func batch17AVX2(dst *uint64, keys *string, n uintptr, seed uint64) uintptr
TEXT ·batch17AVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         keys+8(FP), SI
	MOVQ         n+16(FP), BX
	VPBROADCASTQ seed+24(FP), Y0
	SECRET(0, VPADDQ, Y15)
	SECRET(8, VPSUBQ, Y14)
	SECRET(16, VPADDQ, Y13)
	SECRET(24, VPSUBQ, Y12)
	VPBROADCASTQ ·batchAVX2Const+48(SB), Y11
	VPBROADCASTQ ·batchAVX2Const+32(SB), Y10
	VPBROADCASTQ ·batchAVX2Const+40(SB), Y9
	LEAQ         ·batchAVX2Lengths(SB), AX

group:
	SUBQ $4, BX
	JLT  end

	// Lengths less 17; all are under 16 if their union is.
	MOVQ 8(SI), R8
	MOVQ 24(SI), R9
	MOVQ 40(SI), R10
	MOVQ 56(SI), R11
	SUBQ $17, R8
	SUBQ $17, R9
	SUBQ $17, R10
	SUBQ $17, R11
	MOVQ R8, DX
	MOVQ R10, CX
	ORQ  R9, DX
	ORQ  R11, CX
	ORQ  CX, DX
	CMPQ DX, $16
	JAE  end

	VMOVQ       (AX)(R8*8), X8
	VMOVHPS     (AX)(R9*8), X8, X8
	VMOVQ       (AX)(R10*8), X7
	VMOVHPS     (AX)(R11*8), X7, X7
	VINSERTI128 $1, X7, Y8, Y8
	MOVQ        0(SI), CX
	MOVQ        16(SI), DX
	VMOVDQU     (CX), X0
	VMOVDQU     1(CX)(R8*1), X2
	VMOVDQU     (DX), X1
	VMOVDQU     1(DX)(R9*1), X3
	MOVQ        32(SI), CX
	MOVQ        48(SI), DX
	VINSERTI128 $1, (CX), Y0, Y0
	VINSERTI128 $1, 1(CX)(R10*1), Y2, Y2
	VINSERTI128 $1, (DX), Y1, Y1
	VINSERTI128 $1, 1(DX)(R11*1), Y3, Y3
	ADDQ        $64, SI

	VPUNPCKHQDQ Y1, Y0, Y4
	VPUNPCKLQDQ Y1, Y0, Y0
	VPXOR       Y14, Y4, Y1
	VPXOR       Y15, Y0, Y0
	FOLD(Y0, Y1, Y4, Y5, Y6, Y7)
	VPUNPCKHQDQ Y3, Y2, Y4
	VPUNPCKLQDQ Y3, Y2, Y2
	VPXOR       Y12, Y4, Y3
	VPXOR       Y13, Y2, Y2
	VPADDQ      Y0, Y8, Y8
	FOLD(Y2, Y3, Y4, Y5, Y6, Y7)
	VPADDQ      Y2, Y8, Y8

	// The finish; the product with primeMX1 is put together from its halves.
	VPSRLQ   $37, Y8, Y0
	VPXOR    Y0, Y8, Y8
	VPSRLQ   $32, Y8, Y1
	VPMULUDQ Y9, Y8, Y2
	VPMULUDQ Y10, Y1, Y1
	VPMULUDQ Y10, Y8, Y0
	VPADDQ   Y2, Y1, Y1
	VPSLLQ   $32, Y1, Y1
	VPADDQ   Y1, Y0, Y0
	VPSRLQ   $32, Y0, Y1
	VPXOR    Y1, Y0, Y0
	VMOVDQU  Y0, (DI)
	ADDQ     $32, DI
	JMP      group

end:
	VZEROUPPER
	SUBQ dst+0(FP), DI
	SHRQ $3, DI
	MOVQ DI, ret+32(FP)
	RET
