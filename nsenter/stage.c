//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * stage.c: the stage's entry and the interpreter of the plan.
 *
 * The stage is what runs inside a container before the user's process. It is started from a sealed memfd with the
 * number of the plan's descriptor as argv[1], maps the plan, and executes one step after the other. The first step
 * that fails ends it; the host side is told index, errno and call.
 */
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/time_types.h>

#include "stage.h"

typedef void (*step_function)(const void *);

struct dispatch {
	step_function run;
	uint32_t size;
};

#define ROW(op, name) [op] = { (step_function)(void (*)(void))step_##name, sizeof(struct step_##name) }

/* One row per step; the order of the rows has no meaning. */
static const struct dispatch dispatch[OP_COUNT] = {
	ROW(OP_SESSION_KEYRING, session_keyring),
	ROW(OP_JOIN_CGROUP, join_cgroup),
	ROW(OP_RESET_AFFINITY, reset_affinity),
	ROW(OP_MEMORY_POLICY, memory_policy),
	ROW(OP_SET_AFFINITY, set_affinity),
	ROW(OP_ENTER_DIRECTORY, enter_directory),
	ROW(OP_JOIN_NAMESPACE, join_namespace),
	ROW(OP_UNSHARE, unshare),
	ROW(OP_SYNC, sync),
	ROW(OP_FORK, fork),
	ROW(OP_BECOME_ROOT, become_root),
	ROW(OP_HOST_NAME, host_name),
	ROW(OP_DOMAIN_NAME, domain_name),
	ROW(OP_LOOPBACK_UP, loopback_up),
	ROW(OP_ROOT_PROPAGATION, root_propagation),
	ROW(OP_STAGE_MOUNTS, stage_mounts),
	ROW(OP_ROOTFS, rootfs),
	ROW(OP_NEW_MOUNT, new_mount),
	ROW(OP_TAKE_TREE, take_tree),
	ROW(OP_CLONE_TREE, clone_tree),
	ROW(OP_MAP_TREE, map_tree),
	ROW(OP_ATTRIBUTES, attributes),
	ROW(OP_COPY_UP, copy_up),
	ROW(OP_LABEL_TREE, label_tree),
	ROW(OP_ATTACH, attach),
	ROW(OP_HELD_READONLY, held_readonly),
	ROW(OP_PATH_ATTRIBUTES, path_attributes),
	ROW(OP_READONLY_PATH, readonly_path),
	ROW(OP_MASK_SOURCE, mask_source),
	ROW(OP_MASK_PATH, mask_path),
	ROW(OP_UNMOUNT, unmount),
	ROW(OP_PIVOT, pivot),
	ROW(OP_CHROOT, chroot),
	ROW(OP_MAKE_NODE, make_node),
	ROW(OP_SYMLINK, symlink),
	ROW(OP_OPEN_PROC, open_proc),
	ROW(OP_SYSCTL, sysctl),
	ROW(OP_LABEL, label),
	ROW(OP_CONSOLE, console),
	ROW(OP_NEW_SESSION, new_session),
	ROW(OP_TAKE_TERMINAL, take_terminal),
	ROW(OP_OWN_STDIO, own_stdio),
	ROW(OP_PERSONALITY, personality),
	ROW(OP_BOUNDING, bounding),
	ROW(OP_GROUPS, groups),
	ROW(OP_USER, user),
	ROW(OP_CAPABILITIES, capabilities),
	ROW(OP_AMBIENT, ambient),
	ROW(OP_UMASK, umask),
	ROW(OP_CLOSE_DESCRIPTORS, close_descriptors),
	ROW(OP_NO_NEW_PRIVILEGES, no_new_privileges),
	ROW(OP_SECCOMP, seccomp),
	ROW(OP_MAKE_DIRECTORY, make_directory),
	ROW(OP_CHANGE_DIRECTORY, change_directory),
	ROW(OP_HOME, home),
	ROW(OP_FIND_PROGRAM, find_program),
	ROW(OP_WAIT_START, wait_start),
	ROW(OP_EXECUTE, execute),
};

struct registers reg = {
	.socket_fd = -1,
	.fifo_fd = -1,
	.result_fd = -1,
	.root_fd = -1,
	.tree_fd = -1,
	.staging_fd = -1,
	.proc_fd = -1,
	.label_fd = -1,
	.null_fd = -1,
	.empty_fd = -1,
};

/* Where the plan is mapped if there is room: beside the program, so that both share one page table. */
#define PLAN_HINT 0x580000

size_t length_of(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

/* Copies at most size - 1 bytes and a NUL; returns the length of the copy. */
size_t copy_text(char *to, size_t size, const char *from)
{
	size_t n = 0;

	while (n + 1 < size && from[n] != '\0') {
		to[n] = from[n];
		n++;
	}
	to[n] = '\0';
	return n;
}

void replace_fd(int *slot, int fd)
{
	if (*slot >= 0)
		sys_close(*slot);
	*slot = fd;
}

/* What the steps leave open, except the way to the host side. */
void close_registers(void)
{
	int *all[] = { &reg.root_fd, &reg.tree_fd, &reg.staging_fd, &reg.proc_fd, &reg.null_fd, &reg.empty_fd };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		replace_fd(all[i], -1);
	while (reg.held_count > 0)
		sys_close(reg.held_fd[--reg.held_count]);
}

/* A filter may refuse even that; it can't refuse the trap. */
_Noreturn void quit(int status)
{
	sys1(__NR_exit_group, status);
	__builtin_trap();
}

/* Reports the error over the socket; after the start there is none any more, and it goes to exec.result. Then the host
 * side gets one second to look at what it wants to see of this process: a byte in exec.fifo, or the end of the socket,
 * says that it has. */
static void report(void)
{
	struct poll_entry entry = { .fd = reg.socket_fd, .events = POLLIN_ };
	struct __kernel_timespec limit = { .tv_sec = 1 };

	if (reg.result_fd >= 0) {
		outgoing.type = MESSAGE_ERROR;
		outgoing.step = reg.step;
		sys3(__NR_write, reg.result_fd, &outgoing, sizeof outgoing);
		entry.fd = reg.fifo_fd;
	} else {
		send_message(MESSAGE_ERROR, 0, -1);
	}
	sys5(__NR_ppoll, &entry, 1, &limit, 0, 0);
}

_Noreturn void fail_with(long error, const char *call, const char *detail)
{
	outgoing.error = (int32_t)-error;
	copy_text(outgoing.call, sizeof outgoing.call, call);
	copy_text(outgoing.detail, sizeof outgoing.detail, detail);
	report();
	quit(127);
}

_Noreturn void fail(long error, const char *call)
{
	fail_with(error, call, "");
}

const char *text_at(text offset)
{
	if (offset < sizeof(struct plan_header) || offset >= reg.plan_size)
		fail_with(-EINVAL, "decode", "text outside of the plan");
	return (const char *)reg.plan + offset;
}

const char *optional_text_at(text offset)
{
	return offset == 0 ? NULL : text_at(offset);
}

uint64_t *list_at(struct list l)
{
	uint64_t end = (uint64_t)l.offset + (uint64_t)l.count * 8;

	if (l.offset < sizeof(struct plan_header) || l.offset % 8 != 0 || end > reg.plan_size)
		fail_with(-EINVAL, "decode", "list outside of the plan");
	return (uint64_t *)(void *)(reg.plan + l.offset);
}

/* Turns a list of texts, in place, into the NULL-terminated array of pointers that execve wants; its last entry
 * must be 0. Other entries that are 0 become extra. */
void relocate(struct list l, uint64_t *extra)
{
	uint64_t *entry = list_at(l);

	if (l.count == 0 || entry[l.count - 1] != 0)
		fail_with(-EINVAL, "decode", "list without an end");
	for (uint32_t i = 0; i + 1 < l.count; i++) {
		if (entry[i] == 0 && extra)
			entry[i] = (uint64_t)(uintptr_t)extra;
		else if (entry[i] > UINT32_MAX)
			fail_with(-EINVAL, "decode", "text outside of the plan");
		else
			entry[i] = (uint64_t)(uintptr_t)text_at((text)entry[i]);
	}
}

/* The container must not outlive an rt that dies while it is made. The kernel forgets this at fork and when the
 * ids change. Not dumpable: nobody in the container can look into the stage (ptrace, /proc/PID/fd). */
void die_with_parent(void)
{
	sys2(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL_);
	sys2(__NR_prctl, PR_SET_DUMPABLE, 0);
}

/* Maps the plan and checks what all later accesses rely on. */
static void load_plan(int fd)
{
	struct stat st;
	struct plan_header *header;
	long base;

	if (sys_fstat(fd, &st) < 0 || st.st_size < (long)sizeof *header || st.st_size > INT32_MAX)
		quit(2);
	base = syscall6(__NR_mmap, PLAN_HINT, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (base < 0 && base > -4096)
		quit(2);
	sys_close(fd);
	reg.plan = (uint8_t *)base;
	reg.plan_size = (uint32_t)st.st_size;
	header = (struct plan_header *)base;
	if (header->magic != PLAN_MAGIC || header->version != PLAN_VERSION || header->size != reg.plan_size ||
	    reg.plan[reg.plan_size - 1] != 0)
		quit(2);
	reg.socket_fd = header->socket_fd;
	reg.payload_fds = header->payload_fds;
}

void run_plan(int plan_fd)
{
	uint32_t count, offset = sizeof(struct plan_header);

	load_plan(plan_fd);
	count = ((struct plan_header *)(void *)reg.plan)->step_count;
	for (reg.step = 0; reg.step < count; reg.step++) {
		const struct step_head *head = (const void *)(reg.plan + offset);

		if (reg.plan_size - offset < sizeof *head)
			fail_with(-EINVAL, "decode", "step outside of the plan");
		if (head->op == OP_INVALID || head->op >= OP_COUNT || head->size != dispatch[head->op].size ||
		    head->size > reg.plan_size - offset)
			fail_with(-EINVAL, "decode", "unknown step or wrong size");
		dispatch[head->op].run(head);
		offset += head->size;
	}
	fail_with(-EINVAL, "decode", "a plan must end with the start of a program");
}

#ifndef STAGE_HOSTED
/* A compiler may call these by itself, also where there is no C library (gcc, "Language Standards Supported"). */
void *memset(void *to, int byte, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

void *memset(void *to, int byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)byte;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}

/* argv[1] is the decimal number of the plan's descriptor. */
static int plan_descriptor(const long *stack)
{
	const char *digits = (const char *)stack[2];
	int fd = 0;

	if (stack[0] != 2)
		quit(2);
	for (; *digits >= '0' && *digits <= '9' && fd < 100000; digits++)
		fd = fd * 10 + (*digits - '0');
	return fd;
}

/* The compiler's stack protector compares this word (-mstack-protector-guard=global). */
uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

_Noreturn void __stack_chk_fail(void)
{
	quit(3);
}

/* Behind the arguments and the environment lies the auxiliary vector, in it 16 random bytes (getauxval(3)). */
static __attribute__((no_stack_protector)) void seed_stack_guard(const long *stack)
{
	const long *entry = stack + 1 + stack[0] + 1;

	while (*entry != 0)
		entry++;
	for (entry++; entry[0] != AT_NULL; entry += 2) {
		if (entry[0] == AT_RANDOM)
			__stack_chk_guard = *(const uintptr_t *)entry[1];
	}
}

_Noreturn __attribute__((used, no_stack_protector)) void stage_main(const long *stack)
{
	seed_stack_guard(stack);
	reg.umask = (uint32_t)sys1(__NR_umask, 0);
	sys2(__NR_prctl, PR_SET_NAME, STAGE_NAME); /* execve has named it after the descriptor's number */
	die_with_parent();
	run_plan(plan_descriptor(stack));
	quit(2);
}

#ifdef __x86_64__
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall stage_main\n");
#else
__asm__(".globl _start\n_start:\n\tmov x29, xzr\n\tmov x30, xzr\n\tmov x0, sp\n\tbl stage_main\n");
#endif
#endif
