// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func call(number, first int, memory *byte, third int) int
// The fourth argument is 0: openat has one, the mode of a file that it creates.
TEXT ·call(SB), NOSPLIT, $0-40
	MOVQ	number+0(FP), AX
	MOVQ	first+8(FP), DI
	MOVQ	memory+16(FP), SI
	MOVQ	third+24(FP), DX
	XORQ	R10, R10
	SYSCALL
	MOVQ	AX, ret+32(FP)
	RET
