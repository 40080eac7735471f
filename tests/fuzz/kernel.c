//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.c: see kernel.h.
 */
#include "../../nsenter/stage.h" /* first: linux/stat.h says nothing after a C library's header */

#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

struct kernel kernel;

static volatile uint8_t sink;

/* What mknodat has made last is what the next descriptor is open on. */
struct node {
	uint32_t mode;
	uint64_t device;
};

static struct node made, nodes[OPEN_MAX_];

uint8_t next_byte(void)
{
	if (kernel.script_bytes == 0)
		return 0;
	kernel.script_bytes--;
	return *kernel.script++;
}

_Noreturn void complain(const char *what, long number)
{
	fprintf(stderr, "%s (system call %ld, number %d of the run)\n", what, number, kernel.calls);
	abort();
}

void look(const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		sink ^= ((const uint8_t *)data)[i];
}

void look_text(const void *text)
{
	look(text, strlen(text) + 1);
}

static void look_texts(const char *const *texts)
{
	for (; *texts; texts++)
		look_text(*texts);
}

/* Writes what the kernel would write: zeroes, or bytes of the script. */
long fill(void *data, size_t bytes, size_t from_script)
{
	memset(data, 0, bytes);
	for (size_t i = 0; i < bytes && i < from_script; i++)
		((uint8_t *)data)[i] = next_byte();
	return 0;
}

static void use(long number, long fd)
{
	if (!kernel.strict || fd == AT_FDCWD_)
		return;
	if (fd < 0 || fd >= OPEN_MAX_ || !kernel.open[fd])
		complain("a descriptor is used that is not open", number);
}

long new_fd(void)
{
	for (int fd = 0; fd < OPEN_MAX_; fd++) {
		if (!kernel.open[fd]) {
			kernel.open[fd] = 1;
			nodes[fd] = made;
			made = (struct node){ 0 };
			return fd;
		}
	}
	return -EMFILE;
}

static long close_fd(long number, long fd)
{
	use(number, fd);
	if (fd >= 0 && fd < OPEN_MAX_)
		kernel.open[fd] = 0;
	return 0;
}

static uint32_t file_type(uint8_t variant, uint32_t usual)
{
	static const uint32_t types[] = { S_IFDIR, S_IFREG, S_IFLNK, S_IFCHR, S_IFIFO, S_IFSOCK, S_IFBLK };

	return variant == 0 ? usual : types[variant % (sizeof types / sizeof *types)];
}

static long make_node(uint32_t mode, uint64_t device)
{
	made = (struct node){ mode, device };
	return 0;
}

/* The first fstat asks for the plan's size. Every call is for another object, unless the script says so. */
static long give_stat(struct stat *st, uint8_t variant, uint32_t usual)
{
	memset(st, 0, sizeof *st);
	st->st_mode = file_type(variant, usual) | 0755;
	st->st_rdev = variant ? next_byte() : 0;
	st->st_ino = variant ? next_byte() : (unsigned long)kernel.calls;
	st->st_size = (long)kernel.plan_bytes;
	return 0;
}

static long map_plan(void)
{
	kernel.mapped = malloc(kernel.plan_bytes ? kernel.plan_bytes : 1);
	if (!kernel.mapped)
		return -ENOMEM;
	memcpy(kernel.mapped, kernel.plan, kernel.plan_bytes);
	return (long)kernel.mapped;
}

static long give_link(char *target, size_t size, uint8_t variant)
{
	size_t n = variant == 0 ? 1 : (size_t)next_byte() * (variant & 31) + 1;

	if (n > size)
		n = size;
	memset(target, 'a', n);
	for (size_t i = 0; i < n && kernel.script_bytes > 0; i++)
		target[i] = (char)next_byte();
	return (long)n;
}

/* Directory entries as of getdents64(2); usually none. */
static long give_entries(uint8_t *buffer, size_t size, uint8_t variant)
{
	size_t at = 0;

	for (int i = 0; i < (variant & 7); i++) {
		size_t name = next_byte() % 32u + 1, length = (19 + name + 1 + 7) & ~(size_t)7;

		if (at + length > size)
			break;
		memset(buffer + at, 0, length);
		buffer[at + 16] = (uint8_t)length;
		memset(buffer + at + 19, 'a' + i, name);
		if (variant & 64)
			memset(buffer + at + 19, '.', name % 3 + 1);
		at += length;
	}
	return (long)at;
}

static _Noreturn void finish(enum outcome outcome)
{
	if (kernel.outcome == RUNNING)
		kernel.outcome = outcome;
	longjmp(kernel.end, 1);
}

static void look_filter(const uint8_t *program)
{
	uint16_t length;
	const uint8_t *filter;

	memcpy(&length, program, sizeof length);
	memcpy(&filter, program + 8, sizeof filter);
	look(filter, (size_t)length * 8);
}

static long execute(const char *path, const char *const *arguments, const char *const *environment, uint8_t variant)
{
	look_text(path);
	look_texts(arguments);
	look_texts(environment);
	if (variant)
		return -ENOENT;
	finish(EXECUTED);
}

/* Calls that take a path after a descriptor. */
static long with_path(long n, long dir, const void *path, long c, long d, uint8_t variant)
{
	use(n, dir);
	look_text(path);
	switch (n) {
	case __NR_openat2:
		look((void *)c, (size_t)d);
		return new_fd();
	case __NR_openat:
	case __NR_open_tree:
		return new_fd();
	case __NR_newfstatat:
		return give_stat((struct stat *)c, variant, S_IFREG);
	case __NR_mknodat:
		return make_node((uint32_t)c, (uint64_t)d);
	case __NR_readlinkat:
		return give_link((char *)c, (size_t)d, variant);
	}
	return 0;
}

static long with_fd(long n, long a, long b, long c, uint8_t variant)
{
	use(n, a);
	switch (n) {
	case __NR_fstat:
		give_stat((struct stat *)b, variant, S_IFDIR);
		if (!variant && a >= 0 && a < OPEN_MAX_ && nodes[a].mode) {
			((struct stat *)b)->st_mode = nodes[a].mode;
			((struct stat *)b)->st_rdev = nodes[a].device;
		}
		return 0;
	case __NR_fstatfs:
		memset((void *)b, 0, sizeof(struct file_system));
		((struct file_system *)b)->type = variant & 1 ? PROC_SUPER_MAGIC : TMPFS_MAGIC;
		return 0;
	case __NR_read:
		return give_read(a, (void *)b, (size_t)c, variant);
	case __NR_write:
		return take_write((void *)b, (size_t)c);
	case __NR_sendmsg:
		return take_message((void *)b);
	case __NR_getdents64:
		return give_entries((void *)b, (size_t)c, variant);
	case __NR_fsmount:
		return new_fd();
	case __NR_ioctl:
		return b == TIOCGPTPEER ? new_fd() : 0;
	case __NR_dup3:
		kernel.open[b] = 1;
		return b;
	case __NR_sendfile:
		return variant & 1;
	}
	return 0;
}

static long keyring(const long *arg, uint8_t variant)
{
	static const char description[] = "keyring;0;0;3f130000;name";

	if (arg[0] == KEYCTL_DESCRIBE) {
		look((void *)arg[2], (size_t)arg[3]);
		memcpy((void *)arg[2], description + variant % sizeof description, sizeof description - variant % sizeof description);
		return variant & 1 ? arg[3] : (long)sizeof description;
	}
	if (arg[1] != 0)
		look_text((void *)arg[1]);
	return 1;
}

static long without_fd(long n, const long *arg, uint8_t variant)
{
	switch (n) {
	case __NR_keyctl:
		return keyring(arg, variant);
	case __NR_chdir: case __NR_chroot: case __NR_umount2: case __NR_pivot_root:
		look_text((void *)arg[0]);
		return 0;
	case __NR_sethostname: case __NR_setdomainname:
		look((void *)arg[0], (size_t)arg[1]);
		return 0;
	case __NR_getcwd:
		memcpy((void *)arg[0], variant ? "(unreachable)/" : "/", variant ? 15 : 2);
		return variant ? 15 : 2;
	case __NR_sched_setaffinity:
		look((void *)arg[2], (size_t)arg[1]);
		return 0;
	case __NR_set_mempolicy:
		look((void *)arg[1], (size_t)(arg[2] - 1) / 8);
		return 0;
	case __NR_setgroups:
		look((void *)arg[1], (size_t)arg[0] * 4);
		return 0;
	case __NR_capset:
		look((void *)arg[0], 8);
		look((void *)arg[1], 24);
		return 0;
	case __NR_seccomp:
		look_filter((void *)arg[2]);
		return arg[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER ? new_fd() : 0;
	case __NR_clone:
		return variant;
	case __NR_execve:
		return execute((void *)arg[0], (void *)arg[1], (void *)arg[2], variant);
	case __NR_prctl: case __NR_unshare: case __NR_setresgid: case __NR_setresuid: case __NR_setsid:
	case __NR_getuid: case __NR_personality: case __NR_umask: case __NR_close_range: case __NR_ppoll:
		return 0;
	}
	complain("this test kernel does not know the system call", n);
}

static long succeed(long n, const long *arg, uint8_t variant)
{
	switch (n) {
	case __NR_exit_group:
		finish(QUIT);
	case __NR_mmap:
		return map_plan();
	case __NR_close:
		return close_fd(n, arg[0]);
	case __NR_fstat: case __NR_read: case __NR_write: case __NR_sendmsg: case __NR_getdents64: case __NR_fsmount:
	case __NR_ioctl: case __NR_dup3: case __NR_sendfile: case __NR_fchdir: case __NR_setns: case __NR_fchown:
	case __NR_fchmod: case __NR_fstatfs:
		return with_fd(n, arg[0], arg[1], arg[2], variant);
	case __NR_openat2: case __NR_openat: case __NR_open_tree: case __NR_newfstatat: case __NR_readlinkat:
	case __NR_mkdirat: case __NR_mknodat: case __NR_unlinkat: case __NR_faccessat: case __NR_fchownat:
	case __NR_mount_setattr:
		return with_path(n, arg[0], (void *)arg[1], arg[2], arg[3], variant);
	case __NR_symlinkat:
		look_text((void *)arg[0]);
		return with_path(n, arg[1], (void *)arg[2], 0, 0, variant);
	case __NR_move_mount:
		use(n, arg[0]);
		return with_path(n, arg[2], (void *)arg[3], 0, 0, variant);
	case __NR_fsetxattr:
		use(n, arg[0]);
		look_text((void *)arg[1]);
		look((void *)arg[2], (size_t)arg[3]);
		return 0;
	case __NR_fsopen:
		look_text((void *)arg[0]);
		return new_fd();
	case __NR_socket:
		return new_fd();
	case __NR_fsconfig:
		use(n, arg[0]);
		if (arg[2])
			look_text((void *)arg[2]);
		if (arg[3])
			look_text((void *)arg[3]);
		return 0;
	}
	return without_fd(n, arg, variant);
}

long stage_syscall(long n, long a, long b, long c, long d, long e, long f)
{
	static const int errors[] = { ENOENT, EEXIST, EACCES, EPERM, ENOTDIR, EISDIR, ELOOP, EAGAIN, EINTR, EINVAL, ENOSYS, EROFS, ENODEV, EBUSY, EIO };
	const long arg[] = { a, b, c, d, e, f };
	uint8_t verdict = n == __NR_exit_group ? 0 : next_byte();

	if (++kernel.calls > 200000)
		complain("the stage does not come to an end", n);
	if (kernel.calls - 1 == kernel.fail_at && n != __NR_exit_group) {
		kernel.failed_call = n;
		kernel.talk_failed = n == __NR_sendmsg || ((n == __NR_read || n == __NR_write) && c == sizeof(struct message));
		if (n == __NR_close)
			close_fd(n, a);
		return -kernel.error;
	}
	if (verdict & 128 && n != __NR_close)
		return -errors[(verdict & 127) % (sizeof errors / sizeof *errors)];
	return succeed(n, arg, verdict);
}

/* The host side, which takes the listener, or starts the container. */
void relax(volatile int32_t *word)
{
	if (*word != GATE_START && (*word < 0 || !kernel.open[*word]))
		complain("the stage waits for somebody to take a listener that it does not have", *word);
	*word = GATE_OPEN;
}

void run_plan(int plan_fd);

void run_stage(void)
{
	static struct registers fresh;
	static int saved;

	if (!saved)
		fresh = reg;
	saved = 1;
	reg = fresh;
	kernel.outcome = RUNNING;
	kernel.calls = 0;
	kernel.mapped = NULL;
	made = (struct node){ 0 };
	memset(nodes, 0, sizeof nodes);
	memset(kernel.open, 0, sizeof kernel.open);
	memset(kernel.open, 1, (size_t)kernel.open_fds);
	if (setjmp(kernel.end) == 0)
		run_plan(4);
	free(kernel.mapped);
}
