//go:build !purego

#include "textflag.h"

// AX next pointer   CX pointers left   DX the pointer itself

// func prefetchAll(p *unsafe.Pointer, n int)
TEXT ·prefetchAll(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), CX
	TESTQ CX, CX
	JZ   done

loop:
	MOVQ       (AX), DX
	PREFETCHT0 (DX)
	ADDQ       $8, AX
	DECQ       CX
	JNZ        loop

done:
	RET

// func prefetchPairs(p *unsafe.Pointer, n int)
TEXT ·prefetchPairs(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), CX
	TESTQ CX, CX
	JZ   donePairs

loopPairs:
	MOVQ       (AX), DX
	PREFETCHT0 (DX)
	PREFETCHT0 64(DX)
	ADDQ       $8, AX
	DECQ       CX
	JNZ        loopPairs

donePairs:
	RET

// AX the pointer

// func prefetchRest(p unsafe.Pointer)
TEXT ·prefetchRest(SB), NOSPLIT, $0-8
	MOVQ       p+0(FP), AX
	PREFETCHT0 64(AX)
	PREFETCHT0 112(AX)
	RET
