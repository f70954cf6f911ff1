//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// AX front       BX hash bits, then the key's length   CX table   DX line of slots
// SI matches, then the value    DI slot in the line, then dst     R8 the slot's word
// R9 first slot of the line     R10 chunk number, then the key    R11 chunk, then scratch
// R12 cell       R13 head       R15 info, then the value's length
// X0 hash bits four times       X1..X4 the line, then what is compared and copied

// func fetchAsm(f *front, h uint64, key string, dst []byte) (n int, head uint64)
TEXT ·fetchAsm(SB), NOSPLIT, $0-72
	MOVQ   f+0(FP), AX
	MOVQ   h+8(FP), BX
	ANDL   $0x0fffffff, BX
	MOVQ   front_slots(AX), CX
	MOVQ   BX, X0
	PSHUFL $0, X0, X0
	MOVQ   (CX), R9
	CMPQ   8(CX), $0
	JNE    unsure              // it counts hits
	ANDQ   BX, R9
	ANDQ   $~7, R9
	LEAQ   64(CX)(R9*8), DX

	// The high halves of the eight slots, without their low 4 bits, are the hash bits.
	MOVOU    (DX), X1
	MOVOU    16(DX), X2
	MOVOU    32(DX), X3
	MOVOU    48(DX), X4
	SHUFPS   $0xdd, X2, X1
	SHUFPS   $0xdd, X4, X3
	PSRLL    $4, X1
	PSRLL    $4, X3
	PCMPEQL  X0, X1
	PCMPEQL  X0, X3
	PACKSSLW X3, X1
	PACKSSWB X1, X1
	PMOVMSKB X1, SI
	BSFL     SI, DI
	JZ       none

	// The first match: its chunk, its cell. Chunk 0, a tombstone's, has no memory.
	MOVQ       (DX)(DI*8), R8
	MOVQ       R8, R10
	SHLQ       $28, R10
	SHRQ       $44, R10
	MOVQ       front_dir(AX), R11
	MOVQ       (R11)(R10*8), R11
	TESTQ      R11, R11
	JZ         unsure
	MOVWLZX    R8, R12
	LEAQ       (R11)(R12*8), R12
	PREFETCHT0 64(R12)
	PREFETCHT0 112(R12)

	// An entry that is not being written, of a chunk of this table.
	MOVQ    (R12), R13
	MOVQ    8(R12), R15
	MOVQ    key_base+16(FP), R10
	MOVQ    key_len+24(FP), BX
	TESTQ   R13, R13
	JZ      unsure
	TESTB   $1, R13
	JNZ     unsure
	CMPQ    (R12), R13
	JNE     unsure
	CMPQ    front_slots(AX), CX
	JNE     unsure
	MOVWLZX R15, R11
	INCL    R11
	CMPQ    R11, BX
	JNE     unsure

	CMPQ     BX, $16
	JB       key0to15
	CMPQ     BX, $32
	JA       unsure
	MOVOU    16(R12), X1
	MOVOU    (R10), X2
	PCMPEQB  X2, X1
	MOVOU    (R12)(BX*1), X3
	MOVOU    -16(R10)(BX*1), X4
	PCMPEQB  X4, X3
	PAND     X3, X1
	PMOVMSKB X1, R11
	CMPL     R11, $0xffff
	JNE      unsure

value:
	BTL  $16, R15
	JCS  unsure               // it ends some time
	SHRQ $32, R15
	MOVQ dst_len+40(FP), DI
	MOVQ dst_cap+48(FP), R8
	SUBQ DI, R8
	CMPQ R15, R8
	JA   unsure
	ADDQ dst_base+32(FP), DI
	LEAQ 16(R12)(BX*1), SI
	CMPQ R15, $32
	JB   value0to31
	CMPQ R15, $64
	JA   value65
	MOVOU (SI), X1
	MOVOU 16(SI), X2
	MOVOU -32(SI)(R15*1), X3
	MOVOU -16(SI)(R15*1), X4
	MOVOU X1, (DI)
	MOVOU X2, 16(DI)
	MOVOU X3, -32(DI)(R15*1)
	MOVOU X4, -16(DI)(R15*1)

check:
	// Still the same entry, and no batch half done.
	CMPQ (R12), R13
	JNE  unsure
	CMPL front_batch(AX), $0
	JNE  unsure
	MOVQ R15, n+56(FP)
	MOVQ R13, head+64(FP)
	RET

key0to15:
	CMPQ BX, $8
	JB   key0to7
	MOVQ 16(R12), R11
	CMPQ R11, (R10)
	JNE  unsure
	MOVQ 8(R12)(BX*1), R11
	CMPQ R11, -8(R10)(BX*1)
	JNE  unsure
	JMP  value

key0to7:
	CMPQ BX, $4
	JB   key0to3
	MOVL 16(R12), R11
	CMPL R11, (R10)
	JNE  unsure
	MOVL 12(R12)(BX*1), R11
	CMPL R11, -4(R10)(BX*1)
	JNE  unsure
	JMP  value

key0to3:
	MOVQ BX, R9

key1:
	MOVB 15(R12)(R9*1), R11
	CMPB R11, -1(R10)(R9*1)
	JNE  unsure
	DECQ R9
	JNZ  key1
	JMP  value

value0to31:
	CMPQ  R15, $16
	JB    value0to15
	MOVOU (SI), X1
	MOVOU -16(SI)(R15*1), X2
	MOVOU X1, (DI)
	MOVOU X2, -16(DI)(R15*1)
	JMP   check

value0to15:
	CMPQ R15, $8
	JB   value0to7
	MOVQ (SI), R8
	MOVQ -8(SI)(R15*1), R9
	MOVQ R8, (DI)
	MOVQ R9, -8(DI)(R15*1)
	JMP  check

value0to7:
	CMPQ R15, $4
	JB   value0to3
	MOVL (SI), R8
	MOVL -4(SI)(R15*1), R9
	MOVL R8, (DI)
	MOVL R9, -4(DI)(R15*1)
	JMP  check

value0to3:
	TESTQ R15, R15
	JZ    check
	MOVQ  R15, R9

value1:
	MOVB -1(SI)(R9*1), R8
	MOVB R8, -1(DI)(R9*1)
	DECQ R9
	JNZ  value1
	JMP  check

	// 64 bytes a step, and the last 64 again from the end.
value65:
	CMPQ R15, $4096
	JA   unsure
	LEAQ -64(R15), R9
	XORL R8, R8

value64:
	MOVOU (SI)(R8*1), X1
	MOVOU 16(SI)(R8*1), X2
	MOVOU 32(SI)(R8*1), X3
	MOVOU 48(SI)(R8*1), X4
	MOVOU X1, (DI)(R8*1)
	MOVOU X2, 16(DI)(R8*1)
	MOVOU X3, 32(DI)(R8*1)
	MOVOU X4, 48(DI)(R8*1)
	ADDQ  $64, R8
	CMPQ  R8, R9
	JB    value64
	MOVOU (SI)(R9*1), X1
	MOVOU 16(SI)(R9*1), X2
	MOVOU 32(SI)(R9*1), X3
	MOVOU 48(SI)(R9*1), X4
	MOVOU X1, (DI)(R9*1)
	MOVOU X2, 16(DI)(R9*1)
	MOVOU X3, 32(DI)(R9*1)
	MOVOU X4, 48(DI)(R9*1)
	JMP   check

	// No slot matches. One that was never used ends the search.
none:
	MOVOU    (DX), X1
	MOVOU    16(DX), X2
	MOVOU    32(DX), X3
	MOVOU    48(DX), X4
	MOVO     X1, X0
	MOVO     X3, X5
	SHUFPS   $0xdd, X2, X1
	SHUFPS   $0xdd, X4, X3
	SHUFPS   $0x88, X2, X0
	SHUFPS   $0x88, X4, X5
	POR      X0, X1
	POR      X5, X3
	PXOR     X0, X0
	PCMPEQL  X0, X1
	PCMPEQL  X0, X3
	POR      X1, X3
	PMOVMSKB X3, SI
	TESTL    SI, SI
	JZ       unsure
	CMPL     front_batch(AX), $0
	JNE      unsure
	MOVQ     $const_fetchAbsent, n+56(FP)
	MOVQ     $0, head+64(FP)
	RET

unsure:
	MOVQ $const_fetchUnsure, n+56(FP)
	MOVQ $0, head+64(FP)
	RET
