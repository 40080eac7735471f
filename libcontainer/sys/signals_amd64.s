// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The kernel enters with the number of the signal in DI, on the thread's signal stack and with the signal blocked.
// rt_sigreturn(2) brings all registers back.
TEXT ·noteSignal(SB), NOSPLIT|NOFRAME, $0
	MOVQ	DI, CX
	MOVQ	$1, DX
	SHLQ	CX, DX
	MOVQ	·noted(SB), AX
again:
	TESTQ	$1, AX // released
	JNE	late
	MOVQ	AX, SI
	ORQ	DX, SI
	LOCK
	CMPXCHGQ	SI, ·noted(SB) // brings what is there into AX if it is something else
	JNE	again
	RET

late:
	MOVQ	DI, R12
	SUBQ	$32, SP // struct sigaction, the handler first
	MOVQ	$0, SI
	MOVQ	SP, DX
	MOVQ	$8, R10
	MOVQ	$13, AX // rt_sigaction(2)
	SYSCALL
	LEAQ	·noteSignal(SB), AX
	CMPQ	AX, 0(SP)
	JEQ	done
	MOVQ	$39, AX // getpid(2)
	SYSCALL
	MOVQ	AX, R13
	MOVQ	$186, AX // gettid(2)
	SYSCALL
	MOVQ	R13, DI
	MOVQ	AX, SI
	MOVQ	R12, DX
	MOVQ	$234, AX // tgkill(2)
	SYSCALL
done:
	ADDQ	$32, SP
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
