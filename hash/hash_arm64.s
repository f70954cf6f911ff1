//go:build !purego

#include "textflag.h"

// XXH3-64 of more than 240 bytes.
//
// R0  p, the next stripe              R1  n
// R2  secret                          R3  p + n
// R4  blocks, then stripes, to go     R5  secret of the next stripe
// R6  stripes of this block to go     R7..R11 scratch
//
// V0..V3    M: acc, to which the products go
// V4..V7    D: the input words themselves. Each belongs to its neighbour's lane; the
//           sum is swapped over once a block, not each word once a stripe.
// V16..V19  a stripe                  V20..V23 its key, then stripe ^ key
// V24..V27  low and high halves       V28, V29 products
// V31       prime32_1 in each 32-bit lane
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

// Products of 32-bit lanes, which the Go assembler has no names for. m, n and d are
// register numbers; UMLAL and UMULL take lanes 0 and 1, the 2 forms lanes 2 and 3:
// Vd.2D += Vn.S * Vm.S (UMLAL), Vd.2D = Vn.S * Vm.S (UMULL).
#define UMLAL(m, n, d) WORD $(0x2ea08000 | (m)<<16 | (n)<<5 | (d))
#define UMLAL2(m, n, d) WORD $(0x6ea08000 | (m)<<16 | (n)<<5 | (d))
#define UMULL(m, n, d) WORD $(0x2ea0c000 | (m)<<16 | (n)<<5 | (d))
#define UMULL2(m, n, d) WORD $(0x6ea0c000 | (m)<<16 | (n)<<5 | (d))

// Adds the stripe at V16..V19 under the key at V20..V23.
#define STRIPE \
	VEOR  V16.B16, V20.B16, V20.B16; \
	VEOR  V17.B16, V21.B16, V21.B16; \
	VEOR  V18.B16, V22.B16, V22.B16; \
	VEOR  V19.B16, V23.B16, V23.B16; \
	VADD  V16.D2, V4.D2, V4.D2;      \
	VADD  V17.D2, V5.D2, V5.D2;      \
	VADD  V18.D2, V6.D2, V6.D2;      \
	VADD  V19.D2, V7.D2, V7.D2;      \
	VUZP1 V21.S4, V20.S4, V24.S4;    \
	VUZP2 V21.S4, V20.S4, V25.S4;    \
	VUZP1 V23.S4, V22.S4, V26.S4;    \
	VUZP2 V23.S4, V22.S4, V27.S4;    \
	UMLAL(25, 24, 0);                \
	UMLAL2(25, 24, 1);               \
	UMLAL(27, 26, 2);                \
	UMLAL2(27, 26, 3)

// The next stripe, keyed by the next 8 bytes of the secret.
#define NEXT_STRIPE \
	VLD1.P 64(R0), [V16.B16, V17.B16, V18.B16, V19.B16]; \
	VLD1   (R5), [V20.B16, V21.B16, V22.B16, V23.B16];   \
	ADD    $8, R5, R5;                                   \
	STRIPE

// M += D with the lanes of each pair swapped; D = 0.
#define SWAP(M, D) \
	VEXT $8, D.B16, D.B16, D.B16; \
	VADD D.D2, M.D2, M.D2;        \
	VEOR D.B16, D.B16, D.B16

// M ^= M>>47 ^ K
#define SCRAMBLE_XOR(M, K) \
	VUSHR $47, M.D2, V28.D2;   \
	VEOR  K.B16, M.B16, M.B16; \
	VEOR  V28.B16, M.B16, M.B16

// Va, Vb *= prime32_1, the products put together from their halves. Takes the
// registers and their numbers.
#define SCRAMBLE_MUL(Va, a, Vb, b) \
	VUZP1 Vb.S4, Va.S4, V24.S4; \
	VUZP2 Vb.S4, Va.S4, V25.S4; \
	UMULL(31, 25, a);           \
	UMULL2(31, 25, b);          \
	VSHL  $32, Va.D2, Va.D2;    \
	VSHL  $32, Vb.D2, Vb.D2;    \
	UMLAL(31, 24, a);           \
	UMLAL2(31, 24, b)

// R8 += fold of the two lanes of M ^ K. Breaks M and R9..R11.
#define MERGE_PAIR(M, K) \
	VEOR  K.B16, M.B16, M.B16; \
	VMOV  M.D[0], R9;          \
	VMOV  M.D[1], R10;         \
	MUL   R9, R10, R11;        \
	UMULH R9, R10, R9;         \
	EOR   R9, R11, R11;        \
	ADD   R11, R8, R8

// func sumLongNEON(p unsafe.Pointer, n uintptr, secret *secretTable) uint64
TEXT ·sumLongNEON(SB), NOSPLIT, $0-32
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	MOVD secret+16(FP), R2
	ADD  R0, R1, R3
	SUB  $1, R1, R4
	LSR  $10, R4, R4
	MOVD $·accStart(SB), R7
	VLD1 (R7), [V0.B16, V1.B16, V2.B16, V3.B16]
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	MOVD $0x9e3779b1, R7
	VDUP R7, V31.S4
	CBZ  R4, last

block:
	MOVD R2, R5
	MOVD $8, R6

inBlock:
	NEXT_STRIPE
	NEXT_STRIPE
	SUBS $1, R6, R6
	BNE  inBlock

	// R5 is at the last 64 bytes of the secret now.
	SWAP(V0, V4)
	SWAP(V1, V5)
	SWAP(V2, V6)
	SWAP(V3, V7)
	VLD1 (R5), [V20.B16, V21.B16, V22.B16, V23.B16]
	SCRAMBLE_XOR(V0, V20)
	SCRAMBLE_XOR(V1, V21)
	SCRAMBLE_XOR(V2, V22)
	SCRAMBLE_XOR(V3, V23)
	SCRAMBLE_MUL(V0, 0, V1, 1)
	SCRAMBLE_MUL(V2, 2, V3, 3)
	SUBS $1, R4, R4
	BNE  block

last:
	// Whole stripes of the last block, less the last stripe of the input.
	SUB  $1, R1, R4
	AND  $1023, R4, R4
	LSR  $6, R4, R4
	MOVD R2, R5
	CBZ  R4, lastStripe

inLast:
	NEXT_STRIPE
	SUBS $1, R4, R4
	BNE  inLast

lastStripe:
	SUB  $64, R3, R0
	ADD  $121, R2, R5
	NEXT_STRIPE
	SWAP(V0, V4)
	SWAP(V1, V5)
	SWAP(V2, V6)
	SWAP(V3, V7)
	ADD  $11, R2, R5
	VLD1 (R5), [V20.B16, V21.B16, V22.B16, V23.B16]
	MOVD $0x9e3779b185ebca87, R8
	MUL  R1, R8, R8
	MERGE_PAIR(V0, V20)
	MERGE_PAIR(V1, V21)
	MERGE_PAIR(V2, V22)
	MERGE_PAIR(V3, V23)
	EOR  R8>>37, R8, R8
	MOVD $0x165667919e3779f9, R9
	MUL  R9, R8, R8
	EOR  R8>>32, R8, R8
	MOVD R8, ret+24(FP)
	RET
