// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The kernel enters with the number of the signal in R0, on the thread's signal stack and with the signal blocked, and
// with the vDSO's rt_sigreturn(2) to return to, which brings all registers back.
TEXT ·noteSignal(SB), NOSPLIT|NOFRAME, $0
	MOVD	$1, R1
	LSL	R0, R1, R1
	MOVD	$·noted(SB), R2
again:
	LDAXR	(R2), R3
	TBNZ	$0, R3, late // released
	ORR	R1, R3, R4
	STLXR	R4, (R2), R5
	CBNZ	R5, again
	RET

late:
	MOVD	R0, R9
	SUB	$32, RSP // struct sigaction, the handler first
	MOVD	ZR, R1
	MOVD	RSP, R2
	MOVD	$8, R3
	MOVD	$134, R8 // rt_sigaction(2)
	SVC
	MOVD	0(RSP), R3
	MOVD	$·noteSignal(SB), R4
	CMP	R3, R4
	BEQ	done
	MOVD	$172, R8 // getpid(2)
	SVC
	MOVD	R0, R10
	MOVD	$178, R8 // gettid(2)
	SVC
	MOVD	R0, R1
	MOVD	R10, R0
	MOVD	R9, R2
	MOVD	$131, R8 // tgkill(2)
	SVC
done:
	ADD	$32, RSP
	RET

// func signalCode() (handler, restorer uintptr)
TEXT ·signalCode(SB), NOSPLIT, $0-16
	MOVD	$·noteSignal(SB), R0
	MOVD	R0, handler+0(FP)
	MOVD	ZR, restorer+8(FP)
	RET
