//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * copyup.c: the mount option tmpcopyup: a new tmpfs begins with a copy of what it covers: contents, owners and
 * permissions of directories, files, links, FIFOs and device nodes; not sockets, times and extended attributes.
 */
#include "stage.h"

#define DEPTH_MAX 64

struct directory_entry { /* struct linux_dirent64 of getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static void copy_directory(int from, int to, int depth);

static void copy_data(int from, int to)
{
	long n;

	do {
		n = must(sys4(__NR_sendfile, to, from, 0, 1 << 20), "sendfile");
	} while (n > 0);
}

static void copy_regular(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	int from = (int)must(sys_openat2(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, RESOLVE_BENEATH), "openat2");
	int to = (int)must(sys4(__NR_openat, to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), "openat");

	copy_data(from, to);
	must(sys3(__NR_fchown, to, st->st_uid, st->st_gid), "fchown");
	must(sys2(__NR_fchmod, to, st->st_mode & 07777), "fchmod");
	sys_close(from);
	sys_close(to);
}

static void copy_link(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	static char target[4096];
	long n = must(sys4(__NR_readlinkat, from_dir, name, target, sizeof target - 1), "readlinkat");

	target[n] = '\0';
	must(sys3(__NR_symlinkat, target, to_dir, name), "symlinkat");
	must(sys5(__NR_fchownat, to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW), "fchownat");
}

static void copy_subdirectory(int from_dir, int to_dir, const char *name, int depth)
{
	uint64_t flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	int from = (int)must(sys_openat2(from_dir, name, flags, RESOLVE_BENEATH), "openat2");
	int to;

	must(sys3(__NR_mkdirat, to_dir, name, 0700), "mkdirat");
	to = (int)must(sys_openat2(to_dir, name, flags, RESOLVE_BENEATH), "openat2");
	copy_directory(from, to, depth + 1);
	sys_close(from);
	sys_close(to);
}

static void copy_entry(int from_dir, int to_dir, const char *name, int depth)
{
	struct stat st;

	must(sys4(__NR_newfstatat, from_dir, name, &st, AT_SYMLINK_NOFOLLOW), "newfstatat");
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		copy_subdirectory(from_dir, to_dir, name, depth);
		break;
	case S_IFREG:
		copy_regular(from_dir, to_dir, name, &st);
		break;
	case S_IFLNK:
		copy_link(from_dir, to_dir, name, &st);
		break;
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		must(sys4(__NR_mknodat, to_dir, name, st.st_mode, st.st_rdev), "mknodat");
		must(sys5(__NR_fchownat, to_dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW), "fchownat");
		break;
	default: /* a socket is of no use without its server */
		break;
	}
}

static int is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static void copy_directory(int from, int to, int depth)
{
	_Alignas(8) char buffer[2048];
	struct stat st;
	long n;

	if (depth > DEPTH_MAX)
		fail(-ELOOP, "tmpcopyup");
	while ((n = must(sys3(__NR_getdents64, from, buffer, sizeof buffer), "getdents64")) > 0) {
		for (long at = 0; at < n;) {
			const struct directory_entry *entry = (const void *)(buffer + at);

			if (!is_dot(entry->name))
				copy_entry(from, to, entry->name, depth);
			at += entry->length;
		}
	}
	must(sys_fstat(from, &st), "fstat");
	must(sys3(__NR_fchown, to, st.st_uid, st.st_gid), "fchown");
	must(sys2(__NR_fchmod, to, st.st_mode & 07777), "fchmod");
}

/* The tree is not attached yet, so that nobody sees it half full; its descriptor is O_PATH, hence the second open. */
void step_copy_up(const struct step_copy_up *s)
{
	long from = open_below_root(text_at(s->path), O_RDONLY | O_DIRECTORY, 0);
	int to;

	if (from == -ENOENT)
		return;
	must(from, "openat2");
	to = (int)must(sys_openat2(reg.tree_fd, ".", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH), "openat2");
	copy_directory((int)from, to, 0);
	sys_close((int)from);
	sys_close(to);
}
