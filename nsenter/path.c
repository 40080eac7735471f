//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * path.c: resolution of untrusted paths below the container's root. Whatever the root file system holds, and
 * whoever exchanges directories and links in it meanwhile, nothing outside of the root is reached: every lookup is
 * an openat2(2) that the kernel confines, and what was looked up is used by its descriptor.
 */
#include "stage.h"

#define PATH_BYTES 4096
#define NAME_BYTES 256
#define LINKS_MAX 40
#define RETRIES_MAX 1000 /* openat2 gives EAGAIN when a rename was under way */

static long retry_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	long fd = -EAGAIN;

	for (int i = 0; i < RETRIES_MAX && fd == -EAGAIN; i++)
		fd = sys_openat2(dir, path, flags, resolve);
	return fd;
}

long open_below_root(const char *path, uint64_t flags, uint64_t resolve)
{
	return retry_openat2(reg.root_fd, path, flags, resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* A walk along a path, component by component. done has no symbolic links: it is where dir is, seen from the root. */
struct walk {
	int dir;
	int links;
	uint32_t flags;
	uint32_t mode;
	char name[NAME_BYTES];
	char rest[PATH_BYTES];
	char done[PATH_BYTES];
};

static struct walk walk;

/* Takes the next component from rest to name; 0 at the end. Only slashes may follow the last one. */
static int next_component(void)
{
	size_t from = 0, n = 0, to = 0;

	while (walk.rest[from] == '/')
		from++;
	while (walk.rest[from + n] != '\0' && walk.rest[from + n] != '/')
		n++;
	if (n >= NAME_BYTES)
		fail(-ENAMETOOLONG, "openat2");
	for (size_t i = 0; i < n; i++)
		walk.name[i] = walk.rest[from + i];
	walk.name[n] = '\0';
	from += n;
	while (walk.rest[from] == '/')
		from++;
	do {
		walk.rest[to++] = walk.rest[from];
	} while (walk.rest[from++] != '\0');
	return n > 0;
}

static void enter(int fd)
{
	if (walk.dir != reg.root_fd)
		sys_close(walk.dir);
	walk.dir = fd;
}

static void go_to_root(void)
{
	enter(reg.root_fd);
	walk.done[0] = '\0';
}

static void go_up(void)
{
	size_t n = length_of(walk.done);

	while (n > 0 && walk.done[n - 1] != '/')
		n--;
	walk.done[n > 0 ? n - 1 : 0] = '\0';
	if (walk.done[0] == '\0')
		go_to_root();
	else
		enter((int)must(open_below_root(walk.done, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS), "openat2"));
}

static void go_down(int fd)
{
	size_t n = length_of(walk.done);

	if (n + length_of(walk.name) + 2 > PATH_BYTES)
		fail(-ENAMETOOLONG, "openat2");
	walk.done[n] = '/';
	copy_text(walk.done + n + 1, PATH_BYTES - n - 1, walk.name);
	enter(fd);
}

/* Puts the target of the link fd before the rest of the path. */
static void follow(int fd)
{
	static char target[PATH_BYTES];
	long n = must(sys4(__NR_readlinkat, fd, "", target, PATH_BYTES - 1), "readlinkat");
	size_t rest = length_of(walk.rest);

	sys_close(fd);
	if (walk.flags & WALK_NO_SYMLINKS || ++walk.links > LINKS_MAX)
		fail(-ELOOP, "openat2");
	if ((size_t)n + rest + 2 > PATH_BYTES)
		fail(-ENAMETOOLONG, "openat2");
	for (size_t i = rest + 1; i-- > 0;)
		walk.rest[(size_t)n + 1 + i] = walk.rest[i];
	walk.rest[n] = '/';
	for (long i = 0; i < n; i++)
		walk.rest[i] = target[i];
	if (target[0] == '/')
		go_to_root();
}

/* Makes the missing component; another creator that was faster is fine. */
static long make_component(int is_last)
{
	long r;

	if (is_last && !(walk.flags & WALK_DIRECTORY))
		r = sys4(__NR_mknodat, walk.dir, walk.name, S_IFREG | 0644, 0);
	else
		r = sys3(__NR_mkdirat, walk.dir, walk.name, is_last ? walk.mode : 0755);
	if (r < 0 && r != -EEXIST)
		fail(r, is_last && !(walk.flags & WALK_DIRECTORY) ? "mknodat" : "mkdirat");
	return retry_openat2(walk.dir, walk.name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);
}

static void step_into(void)
{
	struct stat st;
	int is_last = walk.rest[0] == '\0';
	long fd = retry_openat2(walk.dir, walk.name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);

	if (fd == -ENOENT)
		fd = make_component(is_last);
	must(fd, "openat2");
	must(sys_fstat((int)fd, &st), "fstat");
	if ((st.st_mode & S_IFMT) == S_IFLNK)
		follow((int)fd);
	else if (!is_last && (st.st_mode & S_IFMT) != S_IFDIR)
		fail(-ENOTDIR, "openat2");
	else
		go_down((int)fd);
}

/* Mostly the last component alone is missing. Then all before it is entered with one call, if no link is in it; a walk
 * from the root finds out about anything else. done must be as a walk leaves it, so odd spellings are walked, too. */
static void enter_parent(void)
{
	size_t last = 0;
	long fd;

	for (size_t i = 0; walk.rest[i] != '\0'; i++) {
		char next = walk.rest[i + 1];

		if (walk.rest[i] != '/')
			continue;
		if (next == '/' || next == '.' || next == '\0')
			return;
		last = i;
	}
	if (last == 0 || walk.rest[0] != '/')
		return;
	copy_text(walk.done, last + 1, walk.rest);
	fd = open_below_root(walk.done, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (fd < 0) {
		walk.done[0] = '\0';
		return;
	}
	enter((int)fd);
	for (size_t to = 0, from = last; (walk.rest[to++] = walk.rest[from++]) != '\0';)
		;
}

/* Opens path below the root with O_PATH and makes what is missing of it. The caller closes the result. */
int walk_below_root(const char *path, uint32_t flags, uint32_t mode, const char **last)
{
	walk.dir = reg.root_fd;
	walk.links = 0;
	walk.flags = flags;
	walk.mode = mode;
	walk.done[0] = '\0';
	if (copy_text(walk.rest, PATH_BYTES, path) != length_of(path))
		fail(-ENAMETOOLONG, "openat2");
	enter_parent();
	while (next_component()) {
		if (flags & WALK_PARENT && walk.rest[0] == '\0') {
			*last = walk.name;
			break;
		}
		if (walk.name[0] == '.' && walk.name[1] == '\0')
			continue;
		if (walk.name[0] == '.' && walk.name[1] == '.' && walk.name[2] == '\0')
			go_up();
		else
			step_into();
	}
	if (walk.dir == reg.root_fd)
		return (int)must(sys_openat2(reg.root_fd, ".", O_PATH | O_DIRECTORY, RESOLVE_BENEATH), "openat2");
	return walk.dir;
}

int walk_followed_links(void)
{
	return walk.links > 0;
}
