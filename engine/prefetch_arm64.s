//go:build !purego

#include "textflag.h"

// R0 next pointer   R1 pointers left   R2 the pointer itself

// func prefetchAll(p *unsafe.Pointer, n int)
TEXT ·prefetchAll(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	CBZ  R1, done

loop:
	MOVD.P 8(R0), R2
	PRFM   (R2), PLDL1KEEP
	SUB    $1, R1
	CBNZ   R1, loop

done:
	RET

// func prefetchPairs(p *unsafe.Pointer, n int)
TEXT ·prefetchPairs(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	CBZ  R1, donePairs

loopPairs:
	MOVD.P 8(R0), R2
	PRFM   (R2), PLDL1KEEP
	PRFM   64(R2), PLDL1KEEP
	SUB    $1, R1
	CBNZ   R1, loopPairs

donePairs:
	RET

// R0 the pointer

// func prefetchRest(p unsafe.Pointer)
TEXT ·prefetchRest(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM 64(R0), PLDL1KEEP
	PRFM 112(R0), PLDL1KEEP
	RET
