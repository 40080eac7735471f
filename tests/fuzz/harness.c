//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * harness.c: gives plans to the stage, which is built for a hosted environment here.
 *
 * An input is a struct input_head, the plan, and the script of the test kernel (kernel.h). With libFuzzer
 * (LIBFUZZER) inputs are made by it; without, the program reads the files that it is called with, each of which
 * must be a good plan, and executes each
 *   - as it is,
 *   - with each of its system calls failing, with each of some errors,
 *   - MUTATIONS times with bytes changed, by the same pseudo-random numbers every time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../nsenter/wire.h"
#include "kernel.h"

#define KEEP_HEADER 1 /* else magic, version, size and the last byte are put right, so that more inputs get far */
#define MUTATIONS 25000
#define INPUT_BYTES_MAX 16384
#define LOAD_CALLS 2 /* fstat and mmap of the plan: before them the stage does not know its socket */

struct input_head {
	uint8_t flags;
	uint8_t open_fds;
	uint8_t plan_bytes[2]; /* little-endian */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes an input apart; returns 0 if there is no plan in it. */
static int set_up(const uint8_t *data, size_t size, uint8_t *plan)
{
	const struct input_head *head = (const void *)data;
	struct plan_header header;
	size_t n;

	if (size < sizeof *head || size > INPUT_BYTES_MAX)
		return 0;
	n = head->plan_bytes[0] | (size_t)head->plan_bytes[1] << 8;
	if (n > size - sizeof *head)
		n = size - sizeof *head;
	memcpy(plan, data + sizeof *head, n);
	if (!(head->flags & KEEP_HEADER) && n > sizeof header) {
		memcpy(&header, plan, sizeof header);
		header.magic = PLAN_MAGIC;
		header.version = PLAN_VERSION;
		header.size = (uint32_t)n;
		memcpy(plan, &header, sizeof header);
		plan[n - 1] = 0;
	}
	memset(&kernel, 0, sizeof kernel);
	kernel.plan = plan;
	kernel.plan_bytes = n;
	kernel.script = data + sizeof *head + n;
	kernel.script_bytes = size - sizeof *head - n;
	kernel.open_fds = head->open_fds;
	kernel.fail_at = -1;
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t plan[INPUT_BYTES_MAX];

	if (set_up(data, size, plan))
		run_stage();
	return 0;
}

#ifndef LIBFUZZER
static long executions;

static _Noreturn void die(const char *file, const char *what)
{
	fprintf(stderr, "%s: %s (call %d, failing call %d is system call %ld with error %d, outcome %d, step %u: %s)\n",
		file, what, kernel.calls, kernel.fail_at, kernel.failed_call, kernel.error, kernel.outcome, kernel.bad_step,
		kernel.words);
	exit(1);
}

static size_t read_input(const char *file, uint8_t *data)
{
	FILE *f = fopen(file, "rb");
	size_t n;

	if (!f) {
		perror(file);
		exit(2);
	}
	n = fread(data, 1, INPUT_BYTES_MAX, f);
	fclose(f);
	return n;
}

static void run_strictly(int fail_at, int error)
{
	kernel.strict = 1;
	kernel.fail_at = fail_at;
	kernel.error = error;
	kernel.failed_call = -1;
	kernel.talk_failed = 0;
	run_stage();
	executions++;
}

/* A good plan runs to its end: a program, or, without one, what must not happen after the start. Whichever system
 * call fails, the stage goes on, or reports a step that there is, or, where it can't talk yet or any more, ends. */
static void run_with_failures(const char *file, const uint8_t *data, size_t size)
{
	static const int errors[] = { ENOENT, EEXIST, EACCES, EPERM, ENOTDIR, EAGAIN, EINTR, EINVAL, ENOSYS, EIO };
	static uint8_t plan[INPUT_BYTES_MAX];
	uint32_t steps;
	int calls;

	if (!set_up(data, size, plan))
		die(file, "no plan");
	steps = ((struct plan_header *)(void *)plan)->step_count;
	run_strictly(-1, 0);
	if (kernel.outcome != EXECUTED && (kernel.outcome != REPORTED || kernel.bad_step != steps))
		die(file, "the plan does not come to its end");
	calls = kernel.calls;
	for (int i = 0; i < calls; i++) {
		for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
			run_strictly(i, errors[e]);
			if (kernel.outcome == REPORTED && kernel.bad_step > steps)
				die(file, "the error is of a step that is not there");
			if (kernel.outcome == QUIT && i >= LOAD_CALLS && !kernel.talk_failed)
				die(file, "the stage ended without a word");
		}
	}
}

static uint32_t random_number(void)
{
	static uint32_t x = 2463534242u; /* xorshift32 (Marsaglia) */

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* Changes some bytes, favouring numbers that are at a limit of something. */
static void run_mutated(const uint8_t *data, size_t size)
{
	static const uint8_t telling[] = { 0, 1, 7, 8, 0x7f, 0x80, 0xff };
	static uint8_t mutated[INPUT_BYTES_MAX];
	size_t n = size;

	memcpy(mutated, data, size);
	for (uint32_t i = random_number() % 8 + 1; i > 0; i--) {
		size_t at = random_number() % size;

		mutated[at] = random_number() & 1 ? telling[random_number() % sizeof telling] : (uint8_t)random_number();
	}
	while (n < INPUT_BYTES_MAX && n < size + random_number() % 64) /* a script */
		mutated[n++] = (uint8_t)random_number();
	LLVMFuzzerTestOneInput(mutated, n);
	executions++;
}

int main(int argc, char **argv)
{
	static uint8_t data[INPUT_BYTES_MAX];

	for (int i = 1; i < argc; i++) {
		size_t size = read_input(argv[i], data);

		run_with_failures(argv[i], data, size);
		for (int n = 0; n < MUTATIONS; n++)
			run_mutated(data, size);
	}
	printf("%ld executions of %d plans\n", executions, argc - 1);
	return argc > 1 ? 0 : 2;
}
#endif
