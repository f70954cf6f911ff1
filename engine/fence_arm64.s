#include "textflag.h"

// No registers are used. The options of DMB: 9 is ISHLD, 10 is ISHST
// (Arm Architecture Reference Manual, DMB).

// func loadFence()
TEXT ·loadFence(SB), NOSPLIT, $0-0
	DMB $9
	RET

// func storeFence()
TEXT ·storeFence(SB), NOSPLIT, $0-0
	DMB $10
	RET
