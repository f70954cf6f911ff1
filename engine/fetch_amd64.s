//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// AX front       BX hash bits, then the key's length   CX table   DX home line of slots
// SI matches, then what is copied     DI slot in the line, then where to   R8 the slot's word
// R9 first slot of the line     R10 chunk number, then the key    R11 chunk, then scratch
// R12 cell       R13 head       R15 info, then the value's length
// X0 hash bits four times       X1..X4 the line, then what is compared and copied

// LOCATE is the first half of a lookup. It wants the front in AX and the hash in BX,
// finds the first slot of the home line that matches, and asks for the lines of its
// cell. It goes to none when no slot matches, and to unsure when the table counts hits
// or the chunk is gone. The high halves of the eight slots, without their low 4 bits,
// are the hash's bits. Chunk 0, which a tombstone names, has no memory.
#define LOCATE \
	ANDL       $0x0fffffff, BX         ; \
	MOVQ       front_slots(AX), CX     ; \
	MOVQ       BX, X0                  ; \
	PSHUFL     $0, X0, X0              ; \
	MOVQ       (CX), R9                ; \
	CMPQ       8(CX), $0               ; \
	JNE        unsure                  ; \
	ANDQ       BX, R9                  ; \
	ANDQ       $~7, R9                 ; \
	LEAQ       64(CX)(R9*8), DX        ; \
	MOVOU      (DX), X1                ; \
	MOVOU      16(DX), X2              ; \
	MOVOU      32(DX), X3              ; \
	MOVOU      48(DX), X4              ; \
	SHUFPS     $0xdd, X2, X1           ; \
	SHUFPS     $0xdd, X4, X3           ; \
	PSRLL      $4, X1                  ; \
	PSRLL      $4, X3                  ; \
	PCMPEQL    X0, X1                  ; \
	PCMPEQL    X0, X3                  ; \
	PACKSSLW   X3, X1                  ; \
	PACKSSWB   X1, X1                  ; \
	PMOVMSKB   X1, SI                  ; \
	BSFL       SI, DI                  ; \
	JZ         none                    ; \
	MOVQ       (DX)(DI*8), R8          ; \
	MOVQ       R8, R10                 ; \
	SHLQ       $28, R10                ; \
	SHRQ       $44, R10                ; \
	MOVQ       front_dir(AX), R11      ; \
	MOVQ       (R11)(R10*8), R11       ; \
	TESTQ      R11, R11                ; \
	JZ         unsure                  ; \
	MOVWLZX    R8, R12                 ; \
	LEAQ       (R11)(R12*8), R12       ; \
	PREFETCHT0 64(R12)                 ; \
	PREFETCHT0 112(R12)

// COMPARE is the second half. It wants the key in R10 and its length in BX, and goes
// to unsure unless the cell holds an entry of this key that is not being written, of a
// chunk of this table. It leaves the head in R13 and the info in R15.
#define COMPARE \
	MOVQ     (R12), R13                ; \
	MOVQ     8(R12), R15               ; \
	TESTQ    R13, R13                  ; \
	JZ       unsure                    ; \
	TESTB    $1, R13                   ; \
	JNZ      unsure                    ; \
	CMPQ     (R12), R13                ; \
	JNE      unsure                    ; \
	CMPQ     front_slots(AX), CX       ; \
	JNE      unsure                    ; \
	MOVWLZX  R15, R11                  ; \
	INCL     R11                       ; \
	CMPQ     R11, BX                   ; \
	JNE      unsure                    ; \
	CMPQ     BX, $16                   ; \
	JB       key0to15                  ; \
	CMPQ     BX, $32                   ; \
	JA       unsure                    ; \
	MOVOU    16(R12), X1               ; \
	MOVOU    (R10), X2                 ; \
	PCMPEQB  X2, X1                    ; \
	MOVOU    (R12)(BX*1), X3           ; \
	MOVOU    -16(R10)(BX*1), X4        ; \
	PCMPEQB  X4, X3                    ; \
	PAND     X3, X1                    ; \
	PMOVMSKB X1, R11                   ; \
	CMPL     R11, $0xffff              ; \
	JNE      unsure

// SHORTKEYS compares keys of 1 to 15 bytes for COMPARE, and goes on at same.
#define SHORTKEYS \
key0to15:                         \
	CMPQ BX, $8                        ; \
	JB   key0to7                       ; \
	MOVQ 16(R12), R11                  ; \
	CMPQ R11, (R10)                    ; \
	JNE  unsure                        ; \
	MOVQ 8(R12)(BX*1), R11             ; \
	CMPQ R11, -8(R10)(BX*1)            ; \
	JNE  unsure                        ; \
	JMP  same                          ; \
key0to7:                          \
	CMPQ BX, $4                        ; \
	JB   key0to3                       ; \
	MOVL 16(R12), R11                  ; \
	CMPL R11, (R10)                    ; \
	JNE  unsure                        ; \
	MOVL 12(R12)(BX*1), R11            ; \
	CMPL R11, -4(R10)(BX*1)            ; \
	JNE  unsure                        ; \
	JMP  same                          ; \
key0to3:                          \
	MOVQ BX, R9                        ; \
key1:                             \
	MOVB 15(R12)(R9*1), R11            ; \
	CMPB R11, -1(R10)(R9*1)            ; \
	JNE  unsure                        ; \
	DECQ R9                            ; \
	JNZ  key1                          ; \
	JMP  same

// COPY copies R15 bytes, at most 4096, from SI to DI and goes on at done. R8, R9 and
// X1 to X4 are scratch.
#define COPY \
	CMPQ  R15, $32                     ; \
	JB    copy0to31                    ; \
	CMPQ  R15, $64                     ; \
	JA    copy65                       ; \
	MOVOU (SI), X1                     ; \
	MOVOU 16(SI), X2                   ; \
	MOVOU -32(SI)(R15*1), X3           ; \
	MOVOU -16(SI)(R15*1), X4           ; \
	MOVOU X1, (DI)                     ; \
	MOVOU X2, 16(DI)                   ; \
	MOVOU X3, -32(DI)(R15*1)           ; \
	MOVOU X4, -16(DI)(R15*1)           ; \
	JMP   done                         ; \
copy0to31:                         \
	CMPQ  R15, $16                     ; \
	JB    copy0to15                    ; \
	MOVOU (SI), X1                     ; \
	MOVOU -16(SI)(R15*1), X2           ; \
	MOVOU X1, (DI)                     ; \
	MOVOU X2, -16(DI)(R15*1)           ; \
	JMP   done                         ; \
copy0to15:                         \
	CMPQ  R15, $8                      ; \
	JB    copy0to7                     ; \
	MOVQ  (SI), R8                     ; \
	MOVQ  -8(SI)(R15*1), R9            ; \
	MOVQ  R8, (DI)                     ; \
	MOVQ  R9, -8(DI)(R15*1)            ; \
	JMP   done                         ; \
copy0to7:                          \
	CMPQ  R15, $4                      ; \
	JB    copy0to3                     ; \
	MOVL  (SI), R8                     ; \
	MOVL  -4(SI)(R15*1), R9            ; \
	MOVL  R8, (DI)                     ; \
	MOVL  R9, -4(DI)(R15*1)            ; \
	JMP   done                         ; \
copy0to3:                          \
	TESTQ R15, R15                     ; \
	JZ    done                         ; \
	MOVQ  R15, R9                      ; \
copy1:                             \
	MOVB  -1(SI)(R9*1), R8             ; \
	MOVB  R8, -1(DI)(R9*1)             ; \
	DECQ  R9                           ; \
	JNZ   copy1                        ; \
	JMP   done                         ; \
copy65:                            \
	LEAQ  -64(R15), R9                 ; \
	XORL  R8, R8                       ; \
copy64:                            \
	MOVOU (SI)(R8*1), X1               ; \
	MOVOU 16(SI)(R8*1), X2             ; \
	MOVOU 32(SI)(R8*1), X3             ; \
	MOVOU 48(SI)(R8*1), X4             ; \
	MOVOU X1, (DI)(R8*1)               ; \
	MOVOU X2, 16(DI)(R8*1)             ; \
	MOVOU X3, 32(DI)(R8*1)             ; \
	MOVOU X4, 48(DI)(R8*1)             ; \
	ADDQ  $64, R8                      ; \
	CMPQ  R8, R9                       ; \
	JB    copy64                       ; \
	MOVOU (SI)(R9*1), X1               ; \
	MOVOU 16(SI)(R9*1), X2             ; \
	MOVOU 32(SI)(R9*1), X3             ; \
	MOVOU 48(SI)(R9*1), X4             ; \
	MOVOU X1, (DI)(R9*1)               ; \
	MOVOU X2, 16(DI)(R9*1)             ; \
	MOVOU X3, 32(DI)(R9*1)             ; \
	MOVOU X4, 48(DI)(R9*1)             ; \
	JMP   done

// func fetchAsm(f *front, h uint64, key string, dst []byte) (n int, head uint64)
TEXT ·fetchAsm(SB), NOSPLIT, $0-72
	MOVQ f+0(FP), AX
	MOVQ h+8(FP), BX
	LOCATE
	MOVQ key_base+16(FP), R10
	MOVQ key_len+24(FP), BX
	COMPARE

same:
	BTL  $16, R15
	JCS  unsure              // it ends some time
	LEAQ 16(R12)(BX*1), SI
	MOVQ dst_len+40(FP), DI
	MOVQ dst_cap+48(FP), R8
	SUBQ DI, R8
	SHRQ $32, R15
	CMPQ R15, R8
	JA   unsure
	CMPQ R15, $4096
	JA   unsure
	ADDQ dst_base+32(FP), DI
	COPY

done:
	// Still the same entry, and no batch half done.
	CMPQ (R12), R13
	JNE  unsure
	CMPL front_batch(AX), $0
	JNE  unsure
	MOVQ R15, n+56(FP)
	MOVQ R13, head+64(FP)
	RET

	SHORTKEYS

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

// func seekAsm(f *front, h uint64, key string) (c unsafe.Pointer, head, info uint64)
TEXT ·seekAsm(SB), NOSPLIT, $0-56
	MOVQ f+0(FP), AX
	MOVQ h+8(FP), BX
	LOCATE
	MOVQ key_base+16(FP), R10
	MOVQ key_len+24(FP), BX
	COMPARE

same:
	MOVQ R12, c+32(FP)
	MOVQ R13, head+40(FP)
	MOVQ R15, info+48(FP)
	RET

	SHORTKEYS

none:
unsure:
	MOVQ $0, c+32(FP)
	MOVQ $0, head+40(FP)
	MOVQ $0, info+48(FP)
	RET

// func overwriteAsm(c unsafe.Pointer, keyLen int, value []byte, head uint64)
TEXT ·overwriteAsm(SB), NOSPLIT, $0-48
	MOVQ c+0(FP), R12
	MOVQ keyLen+8(FP), BX
	MOVQ value_base+16(FP), SI
	MOVQ value_len+24(FP), R15
	MOVQ head+40(FP), R13
	LEAQ 16(R12)(BX*1), DI
	ORQ  $1, (R12)           // stores are seen in this order
	COPY

done:
	MOVQ R13, (R12)
	RET
