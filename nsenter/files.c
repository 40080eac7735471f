//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c: device nodes, links, sysctls, labels and the terminal.
 */
#include <asm/termbits.h>
#include <asm/termios.h>

#include "stage.h"

static uint64_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major << 8) | ((uint64_t)(minor & ~0xffu) << 12);
}

/* What is there already must be the same device; nothing else is taken for it. */
static void check_node(int fd, const struct step_make_node *s)
{
	struct stat st;

	must(sys_fstat(fd, &st), "fstat");
	if ((st.st_mode & S_IFMT) != (s->mode & S_IFMT) ||
	    ((s->mode & S_IFMT) != S_IFIFO && st.st_rdev != device_number(s->major, s->minor)))
		fail_with(-EEXIST, "mknodat", "another file is there");
}

void step_make_node(const struct step_make_node *s)
{
	const char *name = "";
	uint32_t flags = WALK_PARENT | WALK_DIRECTORY | (s->flags & NODE_NO_SYMLINKS ? WALK_NO_SYMLINKS : 0);
	int dir = walk_below_root(text_at(s->path), flags, 0755, &name);
	long r = sys4(__NR_mknodat, dir, name, s->mode, device_number(s->major, s->minor));
	int fd;

	if (r < 0 && r != -EEXIST)
		fail(r, "mknodat");
	fd = (int)must(sys_openat2(dir, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH), "openat2");
	check_node(fd, s);
	if (r == 0 && (s->uid != 0 || s->gid != 0))
		must(sys5(__NR_fchownat, fd, "", s->uid, s->gid, AT_EMPTY_PATH_), "fchownat");
	sys_close(fd);
	sys_close(dir);
}

void step_symlink(const struct step_symlink *s)
{
	const char *name = "", *target = text_at(s->target);
	int dir = walk_below_root(text_at(s->path), WALK_PARENT | WALK_DIRECTORY | WALK_NO_SYMLINKS, 0755, &name);
	long r = sys3(__NR_symlinkat, target, dir, name);

	if (r == -EEXIST && s->flags & SYMLINK_REPLACE) {
		must(sys3(__NR_unlinkat, dir, name, 0), "unlinkat");
		r = sys3(__NR_symlinkat, target, dir, name);
	}
	if (r < 0 && r != -EEXIST)
		fail(r, "symlinkat");
	sys_close(dir);
}

void step_open_proc(const struct step_open_proc *s)
{
	replace_fd(&reg.proc_fd, open_procfs(s->flags & OPEN_PROC_PROCESSES));
}

void step_sysctl(const struct step_sysctl *s)
{
	const char *value = text_at(s->value);
	uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
	int fd = (int)must(sys_openat2(reg.proc_fd, text_at(s->path), O_WRONLY, resolve), "openat2");

	must(sys3(__NR_write, fd, value, length_of(value)), "write");
	sys_close(fd);
}

/* thread-self is a link of procfs to the numbers of the process that reads it, in the pid namespace that this procfs is
 * of: our own, or one around it. No walk leaves the file system, and nobody else can mount on it (CVE-2019-16884,
 * CVE-2025-52881). The kernel takes only what a process writes to its own attributes in a file that it has opened itself. */
void step_label(const struct step_label *s)
{
	const char *value = text_at(s->value);
	uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

	if (!(s->flags & LABEL_AGAIN)) {
		int self = (int)must(sys_openat2(reg.proc_fd, "thread-self/attr", O_PATH | O_DIRECTORY, resolve), "openat2");

		replace_fd(&reg.label_fd, (int)must(sys_openat2(self, text_at(s->file), O_WRONLY, resolve), "openat2"));
		sys_close(self);
	}
	must(sys3(__NR_write, reg.label_fd, value, length_of(value)), "write"); /* which leaves the position at 0 */
	if (!(s->flags & LABEL_KEEP))
		replace_fd(&reg.label_fd, -1);
}

/* The modes stay as the kernel makes them: who takes the master decides about them, before the program starts. */
static void set_up_terminal(int fd, const struct step_console *s)
{
	struct winsize size = { .ws_row = (uint16_t)s->rows, .ws_col = (uint16_t)s->columns };

	if (s->rows != 0 || s->columns != 0)
		must(sys3(__NR_ioctl, fd, TIOCSWINSZ, &size), "ioctl TIOCSWINSZ");
	must(sys3(__NR_fchown, fd, s->uid, -1), "fchown");
}

/* /dev/console becomes the terminal itself, by descriptor: there is no path that could be exchanged. */
static void attach_console(int terminal)
{
	int target = walk_below_root("dev/console", WALK_NO_SYMLINKS, 0, NULL);
	long tree = must(sys_open_tree(terminal, "", OPEN_TREE_CLONE | AT_EMPTY_PATH_), "open_tree");
	long r = sys_attach((int)tree, target);

	if (r < 0)
		fail_with(r, "move_mount", "/dev/console");
	sys_close((int)tree);
	sys_close(target);
}

void step_console(const struct step_console *s)
{
	int unlock = 0;
	int master = (int)must(open_below_root("dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS), "openat2");
	int terminal;

	must(sys3(__NR_ioctl, master, TIOCSPTLCK, &unlock), "ioctl TIOCSPTLCK");
	terminal = (int)must(sys3(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "ioctl TIOCGPTPEER");
	set_up_terminal(terminal, s);
	if (s->flags & CONSOLE_ATTACH)
		attach_console(terminal);
	send_message(MESSAGE_DESCRIPTOR, DESCRIPTOR_CONSOLE, master);
	sys_close(master);
	for (int fd = 0; fd <= 2; fd++)
		must(sys3(__NR_dup3, terminal, fd, 0), "dup3");
	sys_close(terminal);
}
