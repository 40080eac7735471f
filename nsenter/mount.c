//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * mount.c: trees of mounts. A tree is built detached, gets all its attributes, and is then attached to the
 * descriptor of its mount point: nobody ever sees it half made, and no mount point is ever a string
 * (fsopen(2), open_tree(2), mount_setattr(2), move_mount(2)).
 */
#include "stage.h"

/* A directory's permissions in octal, for the parameter mode of tmpfs. */
static void format_mode(char out[8], uint32_t mode)
{
	int n = 0;

	out[n++] = '0';
	for (int shift = 9; shift >= 0; shift -= 3)
		out[n++] = (char)('0' + ((mode >> shift) & 7));
	out[n] = '\0';
}

/* The kernel explains a refused parameter in the log of the file system context. */
static _Noreturn void fail_with_log(int context, long error, const char *call)
{
	static char log[MESSAGE_DETAIL];
	long n = sys3(__NR_read, context, log, sizeof log - 1);

	log[n > 0 ? n : 0] = '\0';
	fail_with(error, call, log);
}

static void set_parameter(int context, const char *key, const char *value)
{
	long r = sys5(__NR_fsconfig, context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);

	if (r < 0)
		fail_with_log(context, r, "fsconfig");
}

/* A new tmpfs over a directory takes the directory's permissions, unless the config gives a mode. */
static void inherit_mode(int context, const char *path)
{
	struct stat st;
	char mode[8];
	long fd = open_below_root(path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return; /* it will be made, with the mode that the kernel gives a tmpfs */
	must(sys_fstat((int)fd, &st), "fstat");
	sys_close((int)fd);
	format_mode(mode, st.st_mode);
	set_parameter(context, "mode", mode);
}

static int finish_mount(int context, uint64_t attributes)
{
	long r = sys5(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);

	if (r < 0)
		fail_with_log(context, r, "fsconfig");
	r = sys3(__NR_fsmount, context, FSMOUNT_CLOEXEC, attributes);
	if (r < 0)
		fail_with_log(context, r, "fsmount");
	sys_close(context);
	return (int)r;
}

void step_new_mount(const struct step_new_mount *s)
{
	int context = (int)must(sys2(__NR_fsopen, text_at(s->type), FSOPEN_CLOEXEC), "fsopen");
	const uint64_t *entry = list_at(s->parameters);

	for (uint32_t i = 0; i + 1 < s->parameters.count; i += 2)
		set_parameter(context, text_at((text)entry[i]), optional_text_at((text)entry[i + 1]));
	if (s->inherit_mode)
		inherit_mode(context, text_at(s->inherit_mode));
	replace_fd(&reg.tree_fd, finish_mount(context, s->attributes));
}

/* A procfs of our own, attached nowhere: nothing in the container can lie over its files. */
int open_procfs(int processes_only)
{
	int context = (int)must(sys2(__NR_fsopen, "proc", FSOPEN_CLOEXEC), "fsopen");

	if (processes_only)
		set_parameter(context, "subset", "pid");
	return finish_mount(context, 0);
}

void step_root_propagation(const struct step_root_propagation *s)
{
	struct mount_attr attr = { .propagation = s->propagation };

	must(sys_mount_setattr(AT_FDCWD_, "/", AT_RECURSIVE_, &attr), "mount_setattr");
}

void step_stage_mounts(const struct step_stage_mounts *s)
{
	int dir = (int)must(sys_openat2(AT_FDCWD_, ".", O_PATH | O_DIRECTORY, 0), "openat2");

	(void)s;
	must(sys_attach(reg.tree_fd, dir), "move_mount");
	sys_close(dir);
	must(sys1(__NR_fchdir, reg.tree_fd), "fchdir");
	replace_fd(&reg.root_fd, reg.tree_fd);
	reg.tree_fd = -1;
}

void step_rootfs(const struct step_rootfs *s)
{
	const char *path = optional_text_at(s->path);
	long tree, dir = must(sys_openat2(AT_FDCWD_, path ? path : ".", O_PATH | O_DIRECTORY, 0), "openat2");

	if (!(s->flags & ROOTFS_CLONE)) {
		replace_fd(&reg.root_fd, (int)dir);
		return;
	}
	tree = must(sys_open_tree((int)dir, s->flags & ROOTFS_STAGED ? "rootfs" : "",
				  OPEN_TREE_CLONE | AT_EMPTY_PATH_ | AT_RECURSIVE_), "open_tree");
	must(sys_attach((int)tree, (int)dir), "move_mount");
	replace_fd(&reg.staging_fd, (int)dir);
	replace_fd(&reg.root_fd, (int)tree);
}

void step_take_tree(const struct step_take_tree *s)
{
	replace_fd(&reg.tree_fd, s->fd);
}

static int clone_tree(int fd, uint32_t recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | AT_EMPTY_PATH_ | (recursive ? AT_RECURSIVE_ : 0);

	return (int)must(sys_open_tree(fd, "", flags), "open_tree");
}

static int64_t file_system_type(int fd)
{
	struct file_system fs;

	must(sys2(__NR_fstatfs, fd, &fs), "fstatfs");
	return fs.type;
}

static int is_kernel_fs(int fd)
{
	int64_t type = file_system_type(fd);

	return type == PROC_MAGIC_ || type == SYSFS_MAGIC_;
}

static int same_object(int a, int b)
{
	struct stat left, right;

	must(sys_fstat(a, &left), "fstat");
	must(sys_fstat(b, &right), "fstat");
	return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* procfs and sysfs are not masked yet: a link in the image must not lead a source to them. */
static int open_source_below_root(const char *path)
{
	int fd = (int)must(open_below_root(path, O_PATH, 0), "openat2");

	if (is_kernel_fs(fd) || same_object(fd, reg.root_fd))
		fail_with(-EPERM, "open_tree", "the source leads to procfs, sysfs or the root of the container");
	return fd;
}

static void check_device(int tree, const struct step_clone_tree *s)
{
	struct stat st;

	must(sys_fstat(tree, &st), "fstat");
	if ((st.st_mode & S_IFMT) != s->mode || st.st_rdev != s->device)
		fail_with(-ENODEV, "fstat", "the host has another file there");
}

void step_clone_tree(const struct step_clone_tree *s)
{
	const char *path = text_at(s->path);
	int fd;

	if (s->flags & CLONE_FROM_OLD_ROOT)
		fd = (int)must(sys_openat2(AT_FDCWD_, path, O_PATH, 0), "openat2");
	else if (s->flags & CLONE_FROM_STAGING)
		fd = (int)must(sys_openat2(reg.staging_fd, path, O_PATH, RESOLVE_BENEATH), "openat2");
	else
		fd = open_source_below_root(path);
	replace_fd(&reg.tree_fd, clone_tree(fd, s->flags & CLONE_RECURSIVE));
	sys_close(fd);
	if (s->mode)
		check_device(reg.tree_fd, s);
}

void step_map_tree(const struct step_map_tree *s)
{
	(void)s; /* the host side looks its members up in the plan */
	send_message(MESSAGE_DESCRIPTOR, DESCRIPTOR_TREE, reg.tree_fd);
	wait_go();
}

void step_attributes(const struct step_attributes *s)
{
	struct mount_attr attr = { .attr_set = s->set, .attr_clr = s->clear, .propagation = s->propagation };

	must(sys_mount_setattr(reg.tree_fd, "", AT_EMPTY_PATH_ | (s->recursive ? AT_RECURSIVE_ : 0), &attr), "mount_setattr");
}

/* The tree's descriptor is O_PATH, hence the second open. */
void step_label_tree(const struct step_label_tree *s)
{
	const char *context = text_at(s->context);
	int fd = (int)must(sys_openat2(reg.tree_fd, ".", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH), "openat2");

	must(sys5(__NR_fsetxattr, fd, "security.selinux", context, length_of(context) + 1, 0), "fsetxattr");
	sys_close(fd);
}

/* A link in the image must not lead a mount to what the runtime and the container rely on (CVE-2019-16884,
 * CVE-2023-27561, CVE-2026-41579): into procfs or sysfs, or over /dev, /proc or /sys. */
static void check_mount_point(int point)
{
	static const char *const relied_on[] = { "dev", "proc", "sys" };

	if (is_kernel_fs(point))
		fail_with(-EPERM, "move_mount", "a link in the image leads the mount into procfs or sysfs");
	if (same_object(point, reg.root_fd))
		fail_with(-EPERM, "move_mount", "a link in the image leads the mount to the root");
	for (size_t i = 0; i < sizeof relied_on / sizeof *relied_on; i++) {
		long fd = open_below_root(relied_on[i], O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);

		if (fd < 0)
			continue;
		if (same_object(point, (int)fd))
			fail_with(-EPERM, "move_mount", "a link in the image leads the mount to /dev, /proc or /sys");
		sys_close((int)fd);
	}
}

/* Attaches a tree to path; the mount point is made as the kind of object that the tree's root is. */
static void attach(int tree, const char *path, uint32_t flags)
{
	struct stat source, target;
	uint32_t how = flags & ATTACH_NO_SYMLINKS ? WALK_NO_SYMLINKS : 0;
	long point = open_below_root(path, O_PATH, RESOLVE_NO_SYMLINKS);
	int linked = point == -ELOOP && !(flags & ATTACH_NO_SYMLINKS);

	if (linked)
		point = open_below_root(path, O_PATH, 0);
	must(sys_fstat(tree, &source), "fstat");
	if ((source.st_mode & S_IFMT) == S_IFDIR)
		how |= WALK_DIRECTORY;
	if (point == -ENOENT) {
		point = walk_below_root(path, how, 0755, NULL);
		linked |= walk_followed_links();
	}
	must(point, "openat2");
	must(sys_fstat((int)point, &target), "fstat");
	if (((source.st_mode & S_IFMT) == S_IFDIR) != ((target.st_mode & S_IFMT) == S_IFDIR))
		fail(-ENOTDIR, (how & WALK_DIRECTORY) ? "directory on file" : "file on directory");
	if (linked)
		check_mount_point((int)point);
	must(sys_attach(tree, (int)point), "move_mount");
	sys_close((int)point);
}

void step_attach(const struct step_attach *s)
{
	attach(reg.tree_fd, text_at(s->path), s->flags);
	if (!(s->flags & ATTACH_HOLD)) {
		replace_fd(&reg.tree_fd, -1);
		return;
	}
	if (reg.held_count == HELD_MAX)
		fail(-EMFILE, "decode");
	reg.held_fd[reg.held_count++] = reg.tree_fd;
	reg.tree_fd = -1;
}

void step_held_readonly(const struct step_held_readonly *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (s->index >= reg.held_count)
		fail(-EINVAL, "decode");
	must(sys_mount_setattr(reg.held_fd[s->index], "", AT_EMPTY_PATH_, &attr), "mount_setattr");
}

void step_path_attributes(const struct step_path_attributes *s)
{
	struct mount_attr attr = { .attr_set = s->set, .attr_clr = s->clear, .propagation = s->propagation };
	int fd = (int)must(open_below_root(text_at(s->path), O_PATH, 0), "openat2");

	must(sys_mount_setattr(fd, "", AT_EMPTY_PATH_ | (s->recursive ? AT_RECURSIVE_ : 0), &attr), "mount_setattr");
	sys_close(fd);
}

/* A path that is not there needs no protection; it can't come into being below a mount that is read-only. */
static long open_optional(const char *path)
{
	long fd = open_below_root(path, O_PATH, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return -1;
	return must(fd, "openat2");
}

void step_readonly_path(const struct step_readonly_path *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int tree, fd = (int)open_optional(text_at(s->path));

	if (fd < 0)
		return;
	tree = clone_tree(fd, 1);
	must(sys_mount_setattr(tree, "", AT_EMPTY_PATH_, &attr), "mount_setattr");
	must(sys_attach(tree, fd), "move_mount");
	sys_close(tree);
	sys_close(fd);
}

/* The empty directory has room for nothing: one block, and no inode beside its root (with nr_inodes=1 some
 * kernels refuse the mount). Read-only, the null device still takes what is written to it, but its owner and mode,
 * which are the host's, can't be changed. */
void step_mask_source(const struct step_mask_source *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
	int context = (int)must(sys2(__NR_fsopen, "tmpfs", FSOPEN_CLOEXEC), "fsopen");

	set_parameter(context, "nr_blocks", "1");
	set_parameter(context, "nr_inodes", "2");
	set_parameter(context, "mode", "0555");
	if (s->context)
		set_parameter(context, "context", text_at(s->context));
	reg.empty_fd = finish_mount(context, attr.attr_set | MOUNT_ATTR_NODEV);
	reg.null_fd = s->null_fd;
	if (s->null_fd < 0) {
		reg.null_fd = reg.tree_fd;
		reg.tree_fd = -1;
	}
	attr.propagation = MS_PRIVATE; /* what is mounted on the mask must not reach the host's /dev/null */
	must(sys_mount_setattr(reg.null_fd, "", AT_EMPTY_PATH_, &attr), "mount_setattr");
}

/* The first use attaches the mask itself; from then on it is in our mount namespace and can be cloned (kernels
 * before 6.15 clone no detached tree). */
void step_mask_path(const struct step_mask_path *s)
{
	struct stat st;
	int *mask, *used, fd = (int)open_optional(text_at(s->path));

	if (fd < 0)
		return;
	must(sys_fstat(fd, &st), "fstat");
	mask = (st.st_mode & S_IFMT) == S_IFDIR ? &reg.empty_fd : &reg.null_fd;
	used = (st.st_mode & S_IFMT) == S_IFDIR ? &reg.empty_used : &reg.null_used;
	if (*used) {
		int tree = clone_tree(*mask, 0);

		must(sys_attach(tree, fd), "move_mount");
		sys_close(tree);
	} else {
		must(sys_attach(*mask, fd), "move_mount");
		*used = 1;
	}
	sys_close(fd);
}

static void cover(const char *path)
{
	int point = (int)must(sys_openat2(AT_FDCWD_, path, O_PATH | O_DIRECTORY, 0), "openat2");
	int context = (int)must(sys2(__NR_fsopen, "tmpfs", FSOPEN_CLOEXEC), "fsopen");
	int tree = finish_mount(context, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	must(sys_attach(tree, point), "move_mount");
	sys_close(tree);
	sys_close(point);
}

void step_unmount(const struct step_unmount *s)
{
	long r = sys2(__NR_umount2, text_at(s->path), MNT_DETACH_);

	if (r == -EINVAL || r == -EPERM)
		cover(text_at(s->path));
	else
		must(r, "umount2");
}
