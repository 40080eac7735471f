// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The kernel enters with the number of the signal in DI, on the thread's signal stack.
TEXT ·noteSignal(SB), NOSPLIT|NOFRAME, $0
	MOVQ	DI, CX
	MOVQ	$1, AX
	SHLQ	CX, AX
	LOCK
	ORQ	AX, ·noted(SB)
	RET

// Where noteSignal returns to: rt_sigreturn(2).
TEXT ·endSignal(SB), NOSPLIT|NOFRAME, $0
	MOVQ	$15, AX
	SYSCALL
	INT	$3

// func signalCode() (handler, restorer uintptr)
TEXT ·signalCode(SB), NOSPLIT, $0-16
	LEAQ	·noteSignal(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	·endSignal(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET
