// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The kernel enters with the number of the signal in R0, on the thread's signal stack, and with the vDSO's
// rt_sigreturn(2) to return to.
TEXT ·noteSignal(SB), NOSPLIT|NOFRAME, $0
	MOVD	$1, R1
	LSL	R0, R1, R1
	MOVD	$·noted(SB), R2
again:
	LDAXR	(R2), R3
	ORR	R1, R3, R3
	STLXR	R3, (R2), R4
	CBNZ	R4, again
	RET

// func signalCode() (handler, restorer uintptr)
TEXT ·signalCode(SB), NOSPLIT, $0-16
	MOVD	$·noteSignal(SB), R0
	MOVD	R0, handler+0(FP)
	MOVD	ZR, restorer+8(FP)
	RET
