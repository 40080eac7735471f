//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * root.c: the root file system becomes "/".
 */
#include "stage.h"

/* pivot_root(".", ".") puts the old root on top of the new one, from where it is detached (pivot_root(2)). */
void step_pivot(const struct step_pivot *s)
{
	(void)s;
	must(sys1(__NR_fchdir, reg.root_fd), "fchdir");
	must(sys2(__NR_pivot_root, ".", "."), "pivot_root");
	must(sys2(__NR_umount2, ".", MNT_DETACH_), "umount2");
	must(sys1(__NR_chdir, "/"), "chdir");
	replace_fd(&reg.staging_fd, -1);
}

void step_chroot(const struct step_chroot *s)
{
	must(sys1(__NR_fchdir, reg.root_fd), "fchdir");
	if (s->flags & CHROOT_MOVE)
		must(sys5(__NR_move_mount, reg.root_fd, "", AT_FDCWD_, "/", MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	must(sys1(__NR_chroot, "."), "chroot");
	must(sys1(__NR_chdir, "/"), "chdir");
}
