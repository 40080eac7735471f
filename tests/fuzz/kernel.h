/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.h: the kernel that the stage meets in these tests. It does nothing; it looks at every argument as the real
 * one would (so that the sanitizers see what is read and written), and answers as the test says.
 */
#ifndef RT_KERNEL_H
#define RT_KERNEL_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#define OPEN_MAX_ 4096

enum outcome { RUNNING, QUIT, REPORTED, EXECUTED };

struct kernel {
	/* What the test says. */
	const uint8_t *plan; /* what mmap of the plan's descriptor gives */
	size_t plan_bytes;
	const uint8_t *script; /* one byte per system call, and what that asks for; without a byte all succeeds */
	size_t script_bytes;
	int strict;    /* the plan is a real one: no descriptor is used that is not open */
	int open_fds;  /* strict: this many descriptors are open at the beginning */
	int fail_at;   /* the number of the call that fails with error, -1 for none */
	int error;

	/* What came of it. */
	enum outcome outcome;
	int calls;
	long failed_call;  /* number of the system call that failed */
	int talk_failed;   /* it was talk with the host side */
	uint32_t bad_step; /* REPORTED: step and words of the message */
	char words[128];

	uint8_t *mapped;
	uint8_t open[OPEN_MAX_];
	jmp_buf end;
};

extern struct kernel kernel;

/* What an argument of a system call points to is read, or written, as the kernel would. */
void look(const void *data, size_t bytes);
void look_text(const void *text);
long fill(void *data, size_t bytes, size_t from_script);

long new_fd(void);
uint8_t next_byte(void); /* of the script, 0 behind its end */
_Noreturn void complain(const char *what, long number);

/* Talk (talk.c). */
struct message_header;
long give_read(long fd, void *data, size_t size, uint8_t variant);
long take_write(const void *data, size_t size);
long take_message(const struct message_header *header);

/* Executes the plan with the kernel as it was set up. */
void run_stage(void);

#endif
