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
	MOVD	$135, R8 // rt_sigprocmask
	MOVD	$0, R0   // SIG_BLOCK
	MOVD	$·everySignal(SB), R1
	MOVD	$before-8(SP), R2
	MOVD	$8, R3
	SVC
	MOVD	calls+0(FP), R19
	MOVD	count+8(FP), R20
	MOVD	$220, R8 // clone
	MOVD	FLAGS, R0
	MOVD	$0, R1
	MOVD	$0, R2
	MOVD	$0, R3
	MOVD	running+16(FP), R4
	SVC
	CBZ	R0, next
	MOVD	R0, R19
	MOVD	$135, R8
	MOVD	$2, R0 // SIG_SETMASK
	MOVD	$before-8(SP), R1
	MOVD	$0, R2
	MOVD	$8, R3
	SVC
	MOVD	R19, ret+24(FP)
	RET
next:
	MOVD	0(R19), R8
	MOVD	8(R19), R0
	MOVD	(R0), R0
	MOVD	16(R19), R1
	MOVD	24(R19), R2
	MOVD	32(R19), R3
	SVC
	MOVD	R0, 40(R19)
	TBNZ	$63, R0, end
	ADD	$48, R19
	SUB	$1, R20
	CBNZ	R20, next
end:
	MOVD	$93, R8 // exit, of the thread
	MOVD	$0, R0
	SVC
	BRK	$0
