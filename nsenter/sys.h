/* SPDX-License-Identifier: Apache-2.0
 *
 * sys.h: system calls without a C library. Every call returns the result or -errno, as the kernel gives it.
 * With STAGE_HOSTED the calls go to stage_syscall() of a test harness.
 */
#ifndef RT_SYS_H
#define RT_SYS_H

#include <asm/ioctls.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

#ifdef STAGE_HOSTED
long stage_syscall(long number, long a, long b, long c, long d, long e, long f);
#define syscall6 stage_syscall
#elif defined(__x86_64__)
static inline long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "the stage knows x86_64 and aarch64"
#endif

/* To wait for another process to change word without a system call: a turn of the loop, and a clock that the processor has.
 * Its ticks are of some 1 to 5 GHz on x86-64; aarch64 tells. */
#ifdef STAGE_HOSTED
void relax(volatile int32_t *word);
#define ticks() ((uint64_t)0)
#define some_seconds() ((uint64_t)0)
#else
static inline void relax(volatile int32_t *word)
{
	(void)word;
#ifdef __x86_64__
	__asm__ volatile("pause");
#else
	__asm__ volatile("yield");
#endif
}

static inline uint64_t ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	uint64_t count;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
	return count;
#endif
}

static inline uint64_t some_seconds(void)
{
#ifdef __x86_64__
	return 1ull << 35;
#else
	uint64_t frequency;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	return 10 * frequency;
#endif
}
#endif

#define ARG(x) ((long)(x))
#define sys0(n) syscall6(n, 0, 0, 0, 0, 0, 0)
#define sys1(n, a) syscall6(n, ARG(a), 0, 0, 0, 0, 0)
#define sys2(n, a, b) syscall6(n, ARG(a), ARG(b), 0, 0, 0, 0)
#define sys3(n, a, b, c) syscall6(n, ARG(a), ARG(b), ARG(c), 0, 0, 0)
#define sys4(n, a, b, c, d) syscall6(n, ARG(a), ARG(b), ARG(c), ARG(d), 0, 0)
#define sys5(n, a, b, c, d, e) syscall6(n, ARG(a), ARG(b), ARG(c), ARG(d), ARG(e), 0)

/* Kernel interfaces that Debian 12's headers lack or that only a C library's headers have. */
#define AT_FDCWD_ (-100)
#define AT_EMPTY_PATH_ 0x1000
#define AT_RECURSIVE_ 0x8000
#define MNT_DETACH_ 2
#define SOL_SOCKET_ 1
#define SCM_RIGHTS_ 1
#define AF_UNIX_ 1
#define SOCK_DGRAM_ 2
#define SOCK_CLOEXEC_ 02000000
#define MSG_NOSIGNAL_ 0x4000
#define SIGCHLD_ 17
#define SIGKILL_ 9
#define POLLIN_ 1
#define PROC_MAGIC_ 0x9fa0
#define SYSFS_MAGIC_ 0x62656572

struct io_vector {
	void *base;
	uint64_t length;
};

struct message_header {
	void *name;
	int32_t name_length;
	struct io_vector *vectors;
	uint64_t vector_count;
	void *control;
	uint64_t control_length;
	uint32_t flags;
};

struct descriptor_control {
	uint64_t length;
	int32_t level;
	int32_t type;
	int32_t fd;
	int32_t pad;
};

struct file_system { /* struct statfs */
	int64_t type;
	int64_t rest[14];
};

struct poll_entry {
	int32_t fd;
	int16_t events;
	int16_t revents;
};

static inline long sys_close(int fd)
{
	return sys1(__NR_close, fd);
}

static inline long sys_fstat(int fd, struct stat *st)
{
	return sys2(__NR_fstat, fd, st);
}

static inline long sys_open_tree(int dir, const char *path, unsigned int flags)
{
	return sys3(__NR_open_tree, dir, path, flags | OPEN_TREE_CLOEXEC);
}

static inline long sys_mount_setattr(int fd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	return sys5(__NR_mount_setattr, fd, path, flags, attr, sizeof *attr);
}

/* Attaches the tree tree_fd on the object that target_fd is open on. */
static inline long sys_attach(int tree_fd, int target_fd)
{
	return sys5(__NR_move_mount, tree_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline long sys_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

	return sys4(__NR_openat2, dir, path, &how, sizeof how);
}

#endif
