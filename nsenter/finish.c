//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * finish.c: from a container that is ready to the user's process: working directory, HOME, the wait for
 * `rt start`, execve.
 */
#include "stage.h"

#define X_OK_ 1

void step_make_directory(const struct step_make_directory *s)
{
	struct stat st;
	int fd = walk_below_root(text_at(s->path), WALK_DIRECTORY, s->mode, NULL);

	must(sys_fstat(fd, &st), "fstat");
	if ((st.st_mode & S_IFMT) != S_IFDIR)
		fail(-ENOTDIR, "openat2");
	sys_close(fd);
}

/* A directory that a leaked descriptor or a magic link led to outside of the root has no path inside of it: the
 * kernel then prefixes "(unreachable)" (CVE-2024-21626). */
static void check_inside_root(void)
{
	static char path[4096];
	long n = must(sys2(__NR_getcwd, path, sizeof path), "getcwd");

	if (n < 1 || path[0] != '/')
		fail_with(-ENOENT, "getcwd", "the directory is not inside the container");
}

void step_change_directory(const struct step_change_directory *s)
{
	long r;

	if (s->flags & CHDIR_IF_DENIED && !reg.chdir_denied)
		return;
	r = sys1(__NR_chdir, text_at(s->path));
	if (s->flags & CHDIR_DENIED_LATER && (r == -EACCES || r == -EPERM)) {
		reg.chdir_denied = 1;
		return;
	}
	must(r, "chdir");
	check_inside_root();
}

/* The host side reads it: here no text is parsed. Its answer comes with that to MESSAGE_READY. O_NONBLOCK: it may be a
 * FIFO. */
void step_home(const struct step_home *s)
{
	long fd = open_below_root("etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	(void)s;
	send_message(MESSAGE_DESCRIPTOR, DESCRIPTOR_PASSWD, fd < 0 ? -1 : (int)fd);
	if (fd >= 0)
		sys_close((int)fd);
}

/* As execvp(3) goes on after ENOENT, ENOTDIR and EACCES, and reports EACCES if it met it; likewise after a loop of links. */
static int try_next(long r, long *result)
{
	if (r != -ENOENT && r != -ENOTDIR && r != -EACCES && r != -ELOOP)
		return 0;
	if (*result != -EACCES)
		*result = r;
	return 1;
}

static long check_program(const char *path)
{
	struct stat st;
	long r = sys4(__NR_newfstatat, AT_FDCWD_, path, &st, 0);

	if (r < 0)
		return r;
	if ((st.st_mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	return sys3(__NR_faccessat, AT_FDCWD_, path, X_OK_);
}

/* With the privileges of the container's root: whether the user may execute it, execve finds out. */
void step_find_program(const struct step_find_program *s)
{
	const uint64_t *entry = list_at(s->candidates);
	long result = -ENOENT;

	for (uint32_t i = 0; i < s->candidates.count; i++) {
		long r = check_program(text_at((text)entry[i]));

		if (r == 0 && i < 64 && s->refused & (1ull << i))
			fail(-EXDEV, "execve");
		if (r == 0)
			return;
		if (r == -EISDIR)
			r = s->candidates.count > 1 ? -ENOENT : r;
		if (!try_next(r, &result)) {
			result = r;
			break;
		}
	}
	fail(result, "execve");
}

static long wait_at_fifo(int fifo_fd)
{
	char byte;
	long n;

	replace_fd(&reg.socket_fd, -1);
	do {
		n = sys3(__NR_read, fifo_fd, &byte, 1);
	} while (n == -EINTR);
	return n;
}

/* From here on nobody but `rt start` is interested in us. */
void step_wait_start(const struct step_wait_start *s)
{
	long n = 1;

	if (s->flags & WAIT_AT_GATE) {
		reg.gate = GATE_START;
		wait_at_gate();
	} else {
		n = wait_at_fifo(s->fifo_fd);
	}
	reg.fifo_fd = s->fifo_fd;
	reg.result_fd = s->result_fd;
	if (n != 1)
		fail(n < 0 ? n : -EPIPE, "read exec.fifo");
}

void step_execute(const struct step_execute *s)
{
	const uint64_t *candidate = list_at(s->candidates), *arguments = list_at(s->arguments);
	const uint64_t *environment = list_at(s->environment);
	long result = -ENOENT;

	relocate(s->arguments, NULL);
	relocate(s->environment, (uint64_t *)(void *)reg.home);
	for (uint32_t i = 0; i < s->candidates.count; i++) {
		long r = sys3(__NR_execve, text_at((text)candidate[i]), arguments, environment);

		if (!try_next(r, &result)) {
			result = r;
			break;
		}
	}
	fail(result, "execve");
}
