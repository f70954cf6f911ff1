//go:build !purego

#include "textflag.h"

// Registers:
//	SI  the next byte
//	CX  bytes left
//	DI  the first byte
//	X0  '"' in each byte
//	X1  '\\' in each byte
//	X2  0x20 in each byte
//	X3..X10  blocks of text and what was found in them

DATA special<>+0(SB)/8, $0x2222222222222222
DATA special<>+8(SB)/8, $0x2222222222222222
DATA special<>+16(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA special<>+24(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA special<>+32(SB)/8, $0x2020202020202020
DATA special<>+40(SB)/8, $0x2020202020202020
GLOBL special<>(SB), RODATA|NOPTR, $48

// HITS sets the bytes of found where those of 16 bytes of text are special: a
// quote, a backslash, or below 0x20 as a signed byte, which control characters
// and all that is not ASCII are. It uses X5.
#define HITS(offset, text, found) \
	MOVOU offset(SI), text; \
	MOVO  text, found;      \
	PCMPEQB X0, found;      \
	MOVO  text, X5;         \
	PCMPEQB X1, X5;         \
	POR   X5, found;        \
	MOVO  X2, X5;           \
	PCMPGTB text, X5;       \
	POR   X5, found

// func skipBlocks(text *byte, n int) int
TEXT ·skipBlocks(SB), NOSPLIT, $0-24
	MOVQ  text+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  SI, DI
	MOVOU special<>+0(SB), X0
	MOVOU special<>+16(SB), X1
	MOVOU special<>+32(SB), X2

loop:
	CMPQ  CX, $64
	JLT   done
	HITS(0, X3, X4)
	HITS(16, X3, X6)
	HITS(32, X3, X7)
	HITS(48, X3, X8)
	MOVO  X4, X9
	POR   X6, X9
	MOVO  X7, X10
	POR   X8, X10
	POR   X10, X9
	PMOVMSKB X9, AX
	TESTL AX, AX
	JNZ   found
	ADDQ  $64, SI
	SUBQ  $64, CX
	JMP   loop

found:
	PMOVMSKB X4, AX
	PMOVMSKB X6, BX
	SHLQ  $16, BX
	ORQ   BX, AX
	PMOVMSKB X7, BX
	SHLQ  $32, BX
	ORQ   BX, AX
	PMOVMSKB X8, BX
	SHLQ  $48, BX
	ORQ   BX, AX
	BSFQ  AX, AX
	ADDQ  AX, SI

done:
	SUBQ  DI, SI
	MOVQ  SI, ret+16(FP)
	RET
