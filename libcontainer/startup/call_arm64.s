// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func call(number, first int, memory *byte, third int) int
// The fourth argument is 0: openat has one, the mode of a file that it creates.
TEXT ·call(SB), NOSPLIT, $0-40
	MOVD	number+0(FP), R8
	MOVD	first+8(FP), R0
	MOVD	memory+16(FP), R1
	MOVD	third+24(FP), R2
	MOVD	ZR, R3
	SVC
	MOVD	R0, ret+32(FP)
	RET
