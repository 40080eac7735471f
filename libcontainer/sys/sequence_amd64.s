// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// All signals (rt_sigprocmask(2)).
DATA ·everySignal(SB)/8, $0xffffffffffffffff
GLOBL ·everySignal(SB), RODATA|NOPTR, $8

// CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, CHILD_CLEARTID (clone(2)).
#define FLAGS $0x250f00

// func beginSequence(calls *Call, count int, running *uint32) int
// The thread has the stack pointer of its parent, and does not use it.
TEXT ·beginSequence(SB), NOSPLIT, $8-32
	MOVQ	$14, AX // rt_sigprocmask
	MOVQ	$0, DI  // SIG_BLOCK
	LEAQ	·everySignal(SB), SI
	LEAQ	before-8(SP), DX
	MOVQ	$8, R10
	SYSCALL
	MOVQ	calls+0(FP), R12
	MOVQ	count+8(FP), R13
	MOVQ	$56, AX // clone
	MOVQ	FLAGS, DI
	MOVQ	$0, SI
	MOVQ	$0, DX
	MOVQ	running+16(FP), R10
	MOVQ	$0, R8
	SYSCALL
	TESTQ	AX, AX
	JEQ	next
	MOVQ	AX, R12
	MOVQ	$14, AX
	MOVQ	$2, DI // SIG_SETMASK
	LEAQ	before-8(SP), SI
	MOVQ	$0, DX
	MOVQ	$8, R10
	SYSCALL
	MOVQ	R12, ret+24(FP)
	RET
next:
	MOVQ	0(R12), AX
	MOVQ	8(R12), DI
	MOVQ	(DI), DI
	MOVQ	16(R12), SI
	MOVQ	24(R12), DX
	MOVQ	32(R12), R10
	SYSCALL
	MOVQ	AX, 40(R12)
	TESTQ	AX, AX
	JLT	end
	ADDQ	$48, R12
	DECQ	R13
	JNE	next
end:
	MOVQ	$60, AX // exit, of the thread
	MOVQ	$0, DI
	SYSCALL
	INT	$3
