//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// AX fronts    CX shift      SI hashes    BX how many are left
// DI front     DX hash, then its bits     R8 table, then the line of slots
// R9, R10 scratch            X0..X4 as in fetch

// func warmAsm(fronts *front, shift uint64, hashes *uint64, n int)
TEXT ·warmAsm(SB), NOSPLIT, $0-32
	MOVQ fronts+0(FP), AX
	MOVQ shift+8(FP), CX
	MOVQ hashes+16(FP), SI
	MOVQ n+24(FP), BX

slots:
	MOVQ (SI), DX
	MOVQ DX, DI
	SHRQ $1, DI
	SHRQ CX, DI
	SHLQ $5, DI
	MOVQ front_slots(AX)(DI*1), R8
	ANDL $0x0fffffff, DX
	ANDQ (R8), DX
	PREFETCHT0 64(R8)(DX*8)
	ADDQ $8, SI
	DECQ BX
	JNZ  slots

	MOVQ hashes+16(FP), SI
	MOVQ n+24(FP), BX

cells:
	MOVQ   (SI), DX
	MOVQ   DX, DI
	SHRQ   $1, DI
	SHRQ   CX, DI
	SHLQ   $5, DI
	ADDQ   AX, DI
	MOVQ   front_slots(DI), R8
	ANDL   $0x0fffffff, DX
	MOVQ   DX, X0
	PSHUFL $0, X0, X0
	ANDQ   (R8), DX
	ANDQ   $~7, DX
	LEAQ   64(R8)(DX*8), R8

	MOVOU    (R8), X1
	MOVOU    16(R8), X2
	MOVOU    32(R8), X3
	MOVOU    48(R8), X4
	SHUFPS   $0xdd, X2, X1
	SHUFPS   $0xdd, X4, X3
	PSRLL    $4, X1
	PSRLL    $4, X3
	PCMPEQL  X0, X1
	PCMPEQL  X0, X3
	PACKSSLW X3, X1
	PACKSSWB X1, X1
	PMOVMSKB X1, R9
	BSFL     R9, R9
	JZ       next

	MOVQ  (R8)(R9*8), R9
	MOVQ  R9, R10
	SHLQ  $28, R10
	SHRQ  $44, R10
	MOVQ  front_dir(DI), DI
	MOVQ  (DI)(R10*8), R10
	MOVWLZX R9, R9
	LEAQ  (R10)(R9*8), R10
	PREFETCHT0 (R10)
	PREFETCHT0 64(R10)
	PREFETCHT0 112(R10)

next:
	ADDQ $8, SI
	DECQ BX
	JNZ  cells
	RET
