//go:build !purego

#include "textflag.h"
#include "funcdata.h"

// XXH3-64 of many short keys, 8 at a time, one key a 64-bit lane (AVX-512 F, DQ, BW,
// VL, VBMI2). Keys of 4..64 bytes are sorted by length class, without a branch that
// depends on a length, and then each class runs through its kernel. It is one long
// function because the kernels share its queues and constants.
//
// DI  dst                             SI  keys, 16 bytes each: pointer, length
// BX  indexes of the group at hand    R8..R11  end of the queue of each class
// R12 end of others, then whether the queue is all keys in order
// AX, CX, DX, R13 scratch
//
// Z31  0xffffffff in each lane        K7  the high half of each lane
// Z30, Z29  primes                    Z20..Z28  constants of the phase
// Z13  seed                           Z0..Z12, Z14..Z19  scratch
//
// Frame: the hashes of a group, then four queues of up to 256 key indexes, a byte each. The sort writes 64 bytes at a time: at
// most 192 are in a queue when it writes for the last time.
#define OUT 0
#define QUEUE4 64
#define QUEUE9 320
#define QUEUE17 576
#define QUEUE33 832

// Words of the default secret (k000 to k056 of hash_generic.go), then the primes.
DATA ·batchConst+0(SB)/8, $0xbe4ba423396cfeb8
DATA ·batchConst+8(SB)/8, $0x1cad21f72c81017c
DATA ·batchConst+16(SB)/8, $0xdb979083e96dd4de
DATA ·batchConst+24(SB)/8, $0x1f67b3b7a4a44072
DATA ·batchConst+32(SB)/8, $0x78e5c0cc4ee679cb
DATA ·batchConst+40(SB)/8, $0x2172ffcc7dd05a82
DATA ·batchConst+48(SB)/8, $0x8e2443f7744608b8
DATA ·batchConst+56(SB)/8, $0x4c263a81e69035e0
DATA ·batchConst+64(SB)/8, $0x9e3779b185ebca87
DATA ·batchConst+72(SB)/8, $0x165667919e3779f9
DATA ·batchConst+80(SB)/8, $0x9fb21c651e98df25
DATA ·batchConst+88(SB)/8, $0x00000000ffffffff
GLOBL ·batchConst(SB), RODATA|NOPTR, $96

// Shuffle that reverses the bytes of each 64-bit lane.
DATA ·batchSwap+0(SB)/8, $0x0001020304050607
DATA ·batchSwap+8(SB)/8, $0x08090a0b0c0d0e0f
GLOBL ·batchSwap(SB), RODATA|NOPTR, $16

// Indexes of 64 keys in the order that unpacking leaves their lengths.
DATA ·batchOrder+0(SB)/8, $0x0703060205010400
DATA ·batchOrder+8(SB)/8, $0x0f0b0e0a0d090c08
DATA ·batchOrder+16(SB)/8, $0x1713161215111410
DATA ·batchOrder+24(SB)/8, $0x1f1b1e1a1d191c18
DATA ·batchOrder+32(SB)/8, $0x2723262225212420
DATA ·batchOrder+40(SB)/8, $0x2f2b2e2a2d292c28
DATA ·batchOrder+48(SB)/8, $0x3733363235313430
DATA ·batchOrder+56(SB)/8, $0x3f3b3e3a3d393c38
GLOBL ·batchOrder(SB), RODATA|NOPTR, $64

// Lowest length of each class and how many lengths it has; the step to the next 64.
DATA ·batchClass+0(SB)/4, $0x21110904
DATA ·batchClass+4(SB)/4, $0x20100805
DATA ·batchClass+8(SB)/1, $64
GLOBL ·batchClass(SB), RODATA|NOPTR, $9

// 0..255: the queue of every key in order.
DATA ·batchIndex+0(SB)/8, $0x0706050403020100
DATA ·batchIndex+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA ·batchIndex+16(SB)/8, $0x1716151413121110
DATA ·batchIndex+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA ·batchIndex+32(SB)/8, $0x2726252423222120
DATA ·batchIndex+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA ·batchIndex+48(SB)/8, $0x3736353433323130
DATA ·batchIndex+56(SB)/8, $0x3f3e3d3c3b3a3938
DATA ·batchIndex+64(SB)/8, $0x4746454443424140
DATA ·batchIndex+72(SB)/8, $0x4f4e4d4c4b4a4948
DATA ·batchIndex+80(SB)/8, $0x5756555453525150
DATA ·batchIndex+88(SB)/8, $0x5f5e5d5c5b5a5958
DATA ·batchIndex+96(SB)/8, $0x6766656463626160
DATA ·batchIndex+104(SB)/8, $0x6f6e6d6c6b6a6968
DATA ·batchIndex+112(SB)/8, $0x7776757473727170
DATA ·batchIndex+120(SB)/8, $0x7f7e7d7c7b7a7978
DATA ·batchIndex+128(SB)/8, $0x8786858483828180
DATA ·batchIndex+136(SB)/8, $0x8f8e8d8c8b8a8988
DATA ·batchIndex+144(SB)/8, $0x9796959493929190
DATA ·batchIndex+152(SB)/8, $0x9f9e9d9c9b9a9998
DATA ·batchIndex+160(SB)/8, $0xa7a6a5a4a3a2a1a0
DATA ·batchIndex+168(SB)/8, $0xafaeadacabaaa9a8
DATA ·batchIndex+176(SB)/8, $0xb7b6b5b4b3b2b1b0
DATA ·batchIndex+184(SB)/8, $0xbfbebdbcbbbab9b8
DATA ·batchIndex+192(SB)/8, $0xc7c6c5c4c3c2c1c0
DATA ·batchIndex+200(SB)/8, $0xcfcecdcccbcac9c8
DATA ·batchIndex+208(SB)/8, $0xd7d6d5d4d3d2d1d0
DATA ·batchIndex+216(SB)/8, $0xdfdedddcdbdad9d8
DATA ·batchIndex+224(SB)/8, $0xe7e6e5e4e3e2e1e0
DATA ·batchIndex+232(SB)/8, $0xefeeedecebeae9e8
DATA ·batchIndex+240(SB)/8, $0xf7f6f5f4f3f2f1f0
DATA ·batchIndex+248(SB)/8, $0xfffefdfcfbfaf9f8
GLOBL ·batchIndex(SB), RODATA|NOPTR, $256

// X = lengths of 16 keys, over 255 as 255, whose headers are at off(BX). WORDS says
// which words of the headers there are, from bit 0 on, and is shifted past them.
#define LENGTHS16(off, WORDS, X) \
	LENGTHS8(off, WORDS, X);      \
	LENGTHS8(off+128, WORDS, X4); \
	VPUNPCKLQDQ X4, X, X

#define LENGTHS8(off, WORDS, X) \
	KMOVW       WORDS, K5;          \
	SHRQ        $8, WORDS;          \
	KMOVW       WORDS, K6;          \
	SHRQ        $8, WORDS;          \
	VMOVDQU64.Z off(BX), K5, Z8;    \
	VMOVDQU64.Z off+64(BX), K6, Z9; \
	VPUNPCKHQDQ Z9, Z8, Z8;         \
	VPMOVUSQB   Z8, X

// Appends to the queue ending at END the indexes (Z15) of the keys whose length (Z0)
// is one of COUNT from LOW; leaves their lanes in K.
#define SORT(LOW, COUNT, K, END) \
	VPSUBB        LOW, Z0, Z3;      \
	VPCMPUB       $1, COUNT, Z3, K; \
	VPCOMPRESSB.Z Z15, K, Z4;       \
	VMOVDQU64     Z4, (END);        \
	KMOVQ         K, AX;            \
	POPCNTQ       AX, AX;           \
	ADDQ          AX, END

// Sets BX and END to what the kernel of one class shall do, and R12 to whether that is
// every key in order. Fewer than 8 keys are filled up with the last one: hashing it
// again is cheaper than a tail. Goes to none when there are no keys.
#define BEGIN(BASE, END, none, whole, ready) \
	LEAQ         BASE(SP), BX;        \
	MOVQ         END, AX;             \
	XORL         R12, R12;            \
	SUBQ         BX, AX;              \
	JZ           none;                \
	CMPQ         AX, $8;              \
	JAE          whole;               \
	VPBROADCASTB -1(END), X4;         \
	VMOVQ        X4, (END);           \
	LEAQ         8(BX), END;          \
	JMP          ready;               \
whole:;                                   \
	CMPQ         AX, n+16(FP);        \
	JNE          ready;               \
	LEAQ         ·batchIndex(SB), BX; \
	LEAQ         (BX)(AX*1), END;     \
	MOVL         $1, R12;             \
ready:

// Goes to loop for the next group; the last one is the last 8 keys, and may repeat
// some of the group before.
#define NEXT(END, loop, done) \
	ADDQ    $8, BX;      \
	LEAQ    -8(END), AX; \
	CMPQ    BX, END;     \
	JAE     done;        \
	CMPQ    BX, AX;      \
	CMOVQHI AX, BX;      \
	JMP     loop;        \
done:

// dst of the keys of the group = A.
#define STORE(A, scatter, stored) \
	TESTL     R12, R12;      \
	JZ        scatter;       \
	MOVBLZX   (BX), AX;      \
	VMOVDQU64 A, (DI)(AX*8); \
	JMP       stored;        \
scatter:;                        \
	VMOVDQU64 A, OUT(SP);    \
	STORE1(0);               \
	STORE1(1);               \
	STORE1(2);               \
	STORE1(3);               \
	STORE1(4);               \
	STORE1(5);               \
	STORE1(6);               \
	STORE1(7);               \
stored:

#define STORE1(j) \
	MOVBLZX j(BX), AX;       \
	MOVQ    OUT+8*j(SP), DX; \
	MOVQ    DX, (DI)(AX*8)

// DX, CX = pointer and length of key j of the group; R13+8*AX = where they lie.
#define KEY(j) \
	MOVBLZX j(BX), AX;       \
	LEAQ    (SI)(AX*8), R13; \
	MOVQ    (R13)(AX*8), DX; \
	MOVQ    8(R13)(AX*8), CX

// Length of the key of the last KEY to lane 0 or 1 of X.
#define LENGTH0(X) \
	VMOVQ   8(R13)(AX*8), X
#define LENGTH1(X) \
	VMOVHPS 8(R13)(AX*8), X, X

// Z = the four X registers X, X1, X2, X3. Y and Z are X, and Y2 is X2, by their
// longer names.
#define JOIN(Y, Z, X1, Y2, X3) \
	VINSERTI128  $1, X1, Y, Y;   \
	VINSERTI128  $1, X3, Y2, Y2; \
	VINSERTI64X4 $1, Y2, Z, Z

// A = the low half of A*B, xor its high half. T0..T3 scratch.
#define FOLD(A, B, T0, T1, T2, T3) \
	VPSRLQ    $32, A, T0;  \
	VPSRLQ    $32, B, T1;  \
	VPMULUDQ  B, A, T2;    \
	VPMULUDQ  B, T0, T3;   \
	VPMULUDQ  T1, A, A;    \
	VPMULUDQ  T1, T0, T0;  \
	VPSRLQ    $32, T2, T1; \
	VPADDQ    T1, T3, T3;  \
	VPANDQ    Z31, T3, T1; \
	VPADDQ    T1, A, A;    \
	VPSRLQ    $32, T3, T3; \
	VPADDQ    T3, T0, T0;  \
	VPSRLQ    $32, A, T1;  \
	VPADDQ    T1, T0, T0;  \
	VMOVSLDUP A, K7, T2;   \
	VPXORQ    T2, T0, A

// The finish of the lengths over 8.
#define AVALANCHE(A, T) \
	VPSRLQ  $37, A, T; \
	VPXORQ  T, A, A;   \
	VPMULLQ Z29, A, A; \
	VPSRLQ  $32, A, T; \
	VPXORQ  T, A, A

// Z = word of the secret at byte off, plus or minus (OP) the seed.
#define SECRET(off, OP, Z) \
	VPBROADCASTQ ·batchConst+off(SB), Z; \
	OP           Z13, Z, Z

// 4..8 bytes: last and first word of keys j and k to X, lengths to XL.
#define LOAD4(j, k, X, XL) \
	KEY(j);                         \
	VMOVD   -4(DX)(CX*1), X;        \
	VPINSRD $1, (DX), X, X;         \
	LENGTH0(XL);                    \
	KEY(k);                         \
	VPINSRD $2, -4(DX)(CX*1), X, X; \
	VPINSRD $3, (DX), X, X;         \
	LENGTH1(XL)

// 9..16 bytes: first and last 8 bytes of key j to X.
#define LOAD9(j, X) \
	KEY(j);          \
	VMOVQ   (DX), X; \
	VMOVHPS -8(DX)(CX*1), X, X

// 17..64 bytes: first and last 16 bytes of key j to the lower half of XF and XE.
#define LOAD17(j, XF, XE) \
	KEY(j);           \
	VMOVDQU (DX), XF; \
	VMOVDQU -16(DX)(CX*1), XE

// The same to the upper half of YF and YE.
#define LOAD17H(j, YF, YE) \
	KEY(j);                       \
	VINSERTI128 $1, (DX), YF, YF; \
	VINSERTI128 $1, -16(DX)(CX*1), YE, YE

// 33..64 bytes: the second 16 bytes, and the last but one, of the same key.
#define LOAD33(XF, XE) \
	VMOVDQU64 16(DX), XF; \
	VMOVDQU64 -32(DX)(CX*1), XE
#define LOAD33H(YF, YE) \
	VINSERTI64X2 $1, 16(DX), YF, YF; \
	VINSERTI64X2 $1, -32(DX)(CX*1), YE, YE

// A and C = folds of the 16 bytes of keys 0,2,4,6 (A, C) and 1,3,5,7 (B, D) under
// K0..K3: two at a time, which fill the wait for each other's products.
#define MIX2(A, B, K0, K1, C, D, K2, K3) \
	VPUNPCKHQDQ B, A, Z14;     \
	VPUNPCKHQDQ D, C, Z15;     \
	VPUNPCKLQDQ B, A, A;       \
	VPUNPCKLQDQ D, C, C;       \
	VPXORQ      K0, A, A;      \
	VPXORQ      K2, C, C;      \
	VPXORQ      K1, Z14, Z14;  \
	VPXORQ      K3, Z15, Z15;  \
	VPSRLQ      $32, A, Z16;   \
	VPSRLQ      $32, C, B;     \
	VPSRLQ      $32, Z14, Z17; \
	VPSRLQ      $32, Z15, D;   \
	VPMULUDQ    Z14, A, Z18;   \
	VPMULUDQ    Z15, C, Z12;   \
	VPMULUDQ    Z14, Z16, Z19; \
	VPMULUDQ    Z15, B, Z13;   \
	VPMULUDQ    Z17, A, A;     \
	VPMULUDQ    D, C, C;       \
	VPMULUDQ    Z17, Z16, Z16; \
	VPMULUDQ    D, B, B;       \
	VPSRLQ      $32, Z18, Z17; \
	VPSRLQ      $32, Z12, D;   \
	VPADDQ      Z17, Z19, Z19; \
	VPADDQ      D, Z13, Z13;   \
	VPANDQ      Z31, Z19, Z17; \
	VPANDQ      Z31, Z13, D;   \
	VPADDQ      Z17, A, A;     \
	VPADDQ      D, C, C;       \
	VPSRLQ      $32, Z19, Z19; \
	VPSRLQ      $32, Z13, Z13; \
	VPADDQ      Z19, Z16, Z16; \
	VPADDQ      Z13, B, B;     \
	VPSRLQ      $32, A, Z17;   \
	VPSRLQ      $32, C, D;     \
	VPADDQ      Z17, Z16, Z16; \
	VPADDQ      D, B, B;       \
	VMOVSLDUP   A, K7, Z18;    \
	VMOVSLDUP   C, K7, Z12;    \
	VPXORQ      Z18, Z16, A;   \
	VPXORQ      Z12, B, C

// func batchAVX512(dst *uint64, keys *string, n uintptr, seed uint64, others *batchOthers) uintptr
TEXT ·batchAVX512(SB), 0, $1088-48
	NO_LOCAL_POINTERS
	MOVQ dst+0(FP), DI
	MOVQ keys+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ others+32(FP), R12
	LEAQ QUEUE4(SP), R8
	LEAQ QUEUE9(SP), R9
	LEAQ QUEUE17(SP), R10
	LEAQ QUEUE33(SP), R11

	// Sort. Z15 = indexes of 64 keys, Z14 = the last index there is.
	VPBROADCASTB ·batchClass+0(SB), Z20
	VPBROADCASTB ·batchClass+1(SB), Z21
	VPBROADCASTB ·batchClass+2(SB), Z22
	VPBROADCASTB ·batchClass+3(SB), Z23
	VPBROADCASTB ·batchClass+4(SB), Z24
	VPBROADCASTB ·batchClass+5(SB), Z25
	VPBROADCASTB ·batchClass+6(SB), Z26
	VPBROADCASTB ·batchClass+7(SB), Z27
	VPBROADCASTB ·batchClass+8(SB), Z28
	VMOVDQU64    ·batchOrder(SB), Z15
	LEAL         -1(CX), AX
	VPBROADCASTB AX, Z14
	MOVQ         SI, BX

sort:
	// R13 and then DX: a bit for each word of the next 64 headers that there is.
	MOVL    $64, AX
	CMPQ    CX, AX
	CMOVQLS CX, AX
	ADDQ    AX, AX
	MOVQ    $-1, R13
	XORL    DX, DX
	SUBQ    $64, AX
	CMOVQHI AX, DX
	ADDQ    $64, AX
	BZHIQ   DX, R13, DX
	BZHIQ   AX, R13, R13
	LENGTHS16(0, R13, X0)
	LENGTHS16(256, R13, X1)
	LENGTHS16(512, DX, X2)
	LENGTHS16(768, DX, X3)
	JOIN(Y0, Z0, X1, Y2, X3)
	VPCMPUB       $2, Z14, Z15, K6
	SORT(Z20, Z24, K1, R8)
	SORT(Z21, Z25, K2, R9)
	SORT(Z22, Z26, K3, R10)
	SORT(Z23, Z27, K4, R11)
	KORQ          K1, K2, K1
	KORQ          K3, K4, K3
	KORQ          K1, K3, K1
	KANDNQ        K6, K1, K1
	VPCOMPRESSB.Z Z15, K1, Z4
	VMOVDQU64     Z4, (R12)
	KMOVQ         K1, AX
	POPCNTQ       AX, AX
	ADDQ          AX, R12
	VPADDB        Z28, Z15, Z15
	ADDQ          $1024, BX
	SUBQ          $64, CX
	JA            sort
	SUBQ          others+32(FP), R12
	MOVQ          R12, ret+40(FP)

	VPBROADCASTQ ·batchConst+88(SB), Z31
	VPBROADCASTQ ·batchConst+64(SB), Z30
	VPBROADCASTQ ·batchConst+72(SB), Z29
	MOVL         $0xaaaa, AX
	KMOVW        AX, K7

	// 4..8 bytes. The seed is changed first: seed ^= bswap32(seed) << 32.
	BEGIN(QUEUE4, R8, done4, whole4, ready4)
	MOVQ         seed+24(FP), DX
	MOVL         DX, AX
	BSWAPL       AX
	SHLQ         $32, AX
	XORQ         DX, AX
	VPBROADCASTQ AX, Z13
	VPBROADCASTQ ·batchConst+8(SB), Z20
	VPBROADCASTQ ·batchConst+16(SB), Z21
	VPXORQ       Z21, Z20, Z20
	VPSUBQ       Z13, Z20, Z20
	VPBROADCASTQ ·batchConst+80(SB), Z21

loop4:
	LOAD4(0, 1, X0, X4)
	LOAD4(2, 3, X1, X5)
	LOAD4(4, 5, X2, X6)
	LOAD4(6, 7, X3, X7)
	JOIN(Y0, Z0, X1, Y2, X3)
	JOIN(Y4, Z4, X5, Y6, X7)
	VPXORQ     Z20, Z0, Z0
	VPROLQ     $49, Z0, Z1
	VPROLQ     $24, Z0, Z2
	VPTERNLOGQ $0x96, Z1, Z2, Z0
	VPMULLQ    Z21, Z0, Z0
	VPSRLQ     $35, Z0, Z1
	VPADDQ     Z4, Z1, Z1
	VPXORQ     Z1, Z0, Z0
	VPMULLQ    Z21, Z0, Z0
	VPSRLQ     $28, Z0, Z1
	VPXORQ     Z1, Z0, Z0
	STORE(Z0, scatter4, stored4)
	NEXT(R8, loop4, done4)

	// 9..16 bytes. Z20 = k024^k032 + seed, Z21 = k040^k048 - seed.
	VPBROADCASTQ seed+24(FP), Z13
	BEGIN(QUEUE9, R9, done9, whole9, ready9)
	VPBROADCASTQ    ·batchConst+24(SB), Z20
	VPXORQ.BCST     ·batchConst+32(SB), Z20, Z20
	VPADDQ          Z13, Z20, Z20
	VPBROADCASTQ    ·batchConst+40(SB), Z21
	VPXORQ.BCST     ·batchConst+48(SB), Z21, Z21
	VPSUBQ          Z13, Z21, Z21
	VBROADCASTI64X2 ·batchSwap(SB), Z22

loop9:
	LOAD9(0, X0)
	LENGTH0(X8)
	LOAD9(1, X4)
	LENGTH1(X8)
	LOAD9(2, X1)
	LENGTH0(X9)
	LOAD9(3, X5)
	LENGTH1(X9)
	LOAD9(4, X2)
	LENGTH0(X10)
	LOAD9(5, X6)
	LENGTH1(X10)
	LOAD9(6, X3)
	LENGTH0(X11)
	LOAD9(7, X7)
	LENGTH1(X11)
	JOIN(Y0, Z0, X1, Y2, X3)
	JOIN(Y4, Z4, X5, Y6, X7)
	JOIN(Y8, Z8, X9, Y10, X11)
	VPUNPCKHQDQ Z4, Z0, Z1
	VPUNPCKLQDQ Z4, Z0, Z0
	VPXORQ      Z20, Z0, Z0
	VPXORQ      Z21, Z1, Z1
	VPSHUFB     Z22, Z0, Z2
	VPADDQ      Z1, Z8, Z8
	VPADDQ      Z2, Z8, Z8
	FOLD(Z0, Z1, Z16, Z17, Z18, Z19)
	VPADDQ      Z8, Z0, Z0
	AVALANCHE(Z0, Z1)
	STORE(Z0, scatter9, stored9)
	NEXT(R9, loop9, done9)

	// 17..32 bytes. Z20..Z23 serve 33..64 bytes too.
	SECRET(0, VPADDQ, Z20)
	SECRET(8, VPSUBQ, Z21)
	SECRET(16, VPADDQ, Z22)
	SECRET(24, VPSUBQ, Z23)
	BEGIN(QUEUE17, R10, done17, whole17, ready17)

loop17:
	LOAD17(0, X0, X4)
	LENGTH0(X8)
	LOAD17(1, X1, X5)
	LENGTH1(X8)
	LOAD17H(2, Y0, Y4)
	LENGTH0(X9)
	LOAD17H(3, Y1, Y5)
	LENGTH1(X9)
	LOAD17(4, X2, X6)
	LENGTH0(X10)
	LOAD17(5, X3, X7)
	LENGTH1(X10)
	LOAD17H(6, Y2, Y6)
	LENGTH0(X11)
	LOAD17H(7, Y3, Y7)
	LENGTH1(X11)
	VINSERTI64X4 $1, Y2, Z0, Z0
	VINSERTI64X4 $1, Y3, Z1, Z1
	VINSERTI64X4 $1, Y6, Z4, Z4
	VINSERTI64X4 $1, Y7, Z5, Z5
	JOIN(Y8, Z8, X9, Y10, X11)
	VPMULLQ      Z30, Z8, Z8
	MIX2(Z0, Z1, Z20, Z21, Z4, Z5, Z22, Z23)
	VPADDQ       Z0, Z8, Z8
	VPADDQ       Z4, Z8, Z8
	AVALANCHE(Z8, Z0)
	STORE(Z8, scatter17, stored17)
	NEXT(R10, loop17, done17)

	// 33..64 bytes. The inner 16 bytes of each end go to Z12..Z19 first, which takes
	// the seed's register.
	BEGIN(QUEUE33, R11, done33, whole33, ready33)
	VPBROADCASTQ seed+24(FP), Z13
	SECRET(32, VPADDQ, Z24)
	SECRET(40, VPSUBQ, Z25)
	SECRET(48, VPADDQ, Z26)
	SECRET(56, VPSUBQ, Z27)

loop33:
	LOAD17(0, X0, X4)
	LOAD33(X16, X18)
	LENGTH0(X8)
	LOAD17(1, X1, X5)
	LOAD33(X17, X19)
	LENGTH1(X8)
	LOAD17H(2, Y0, Y4)
	LOAD33H(Y16, Y18)
	LENGTH0(X9)
	LOAD17H(3, Y1, Y5)
	LOAD33H(Y17, Y19)
	LENGTH1(X9)
	LOAD17(4, X2, X6)
	LOAD33(X12, X14)
	LENGTH0(X10)
	LOAD17(5, X3, X7)
	LOAD33(X13, X15)
	LENGTH1(X10)
	LOAD17H(6, Y2, Y6)
	LOAD33H(Y12, Y14)
	LENGTH0(X11)
	LOAD17H(7, Y3, Y7)
	LOAD33H(Y13, Y15)
	LENGTH1(X11)
	VINSERTI64X4 $1, Y2, Z0, Z0
	VINSERTI64X4 $1, Y3, Z1, Z1
	VINSERTI64X4 $1, Y6, Z4, Z4
	VINSERTI64X4 $1, Y7, Z5, Z5
	VINSERTI64X4 $1, Y12, Z16, Z2
	VINSERTI64X4 $1, Y13, Z17, Z3
	VINSERTI64X4 $1, Y14, Z18, Z6
	VINSERTI64X4 $1, Y15, Z19, Z7
	JOIN(Y8, Z8, X9, Y10, X11)
	VPMULLQ      Z30, Z8, Z8
	MIX2(Z0, Z1, Z20, Z21, Z4, Z5, Z22, Z23)
	MIX2(Z2, Z3, Z24, Z25, Z6, Z7, Z26, Z27)
	VPADDQ       Z0, Z8, Z8
	VPADDQ       Z4, Z2, Z2
	VPADDQ       Z6, Z8, Z8
	VPADDQ       Z2, Z8, Z8
	AVALANCHE(Z8, Z0)
	STORE(Z8, scatter33, stored33)
	NEXT(R11, loop33, done33)

	VZEROUPPER
	RET
