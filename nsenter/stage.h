/* SPDX-License-Identifier: Apache-2.0
 *
 * stage.h: what the files of the stage share: its registers, access to the plan's data, talk with the host side.
 */
#ifndef RT_STAGE_H
#define RT_STAGE_H

#include "sys.h"
#include "wire.h"

/* The registers: all that one step leaves for a later one. A descriptor that is not there is -1. */
struct registers {
	uint8_t *plan;
	uint32_t plan_size;
	uint32_t payload_fds;
	uint32_t step;   /* index of the step that is executed */
	int socket_fd;   /* to the host side, -1 once the container waits for its start */
	int fifo_fd;     /* exec.fifo, while a failed execve is reported */
	int result_fd;   /* exec.result, from the start on */
	int root_fd;     /* the container's root */
	int tree_fd;     /* the current tree */
	int staging_fd;  /* the staging directory, until pivot_root */
	int held_fd[HELD_MAX]; /* attached trees that become read-only later */
	uint32_t held_count;
	int proc_fd;     /* our own procfs */
	int label_fd;    /* our own attribute for an LSM, to be written again after the start */
	int null_fd;     /* mask for files */
	int empty_fd;    /* mask for directories */
	int null_used;   /* the mask is attached somewhere: clone it from there */
	int empty_used;
	int chdir_denied;
	uint32_t umask;  /* the caller's */
	volatile int32_t gate; /* enum gate, or the listener's descriptor */
	char home[MESSAGE_DETAIL];
};

extern struct registers reg;

_Noreturn void fail(long error, const char *call);
_Noreturn void fail_with(long error, const char *call, const char *detail);
_Noreturn void quit(int status);

/* Result of a call that must succeed: r itself, or the end of the stage. */
static inline long must(long r, const char *call)
{
	if (r < 0)
		fail(r, call);
	return r;
}

const char *text_at(text offset);
const char *optional_text_at(text offset);
uint64_t *list_at(struct list l);
void relocate(struct list l, uint64_t *extra);

extern struct message outgoing;
void send_message(uint32_t type, int32_t value, int fd);
const char *wait_go(void);
void wait_at_gate(void);

size_t length_of(const char *s);
size_t copy_text(char *to, size_t size, const char *from);
void replace_fd(int *slot, int fd);
void die_with_parent(void);
void close_registers(void);

/* Resolution below the root (path.c). */
#define WALK_DIRECTORY 1u  /* a missing last component is made as a directory, not as a file */
#define WALK_NO_SYMLINKS 2u
#define WALK_PARENT 4u     /* stop at the parent of the last component, which *last then is */
long open_below_root(const char *path, uint64_t flags, uint64_t resolve);
int walk_followed_links(void); /* the last walk */
int walk_below_root(const char *path, uint32_t flags, uint32_t mode, const char **last);

int open_procfs(int processes_only);

void step_session_keyring(const struct step_session_keyring *s);
void step_join_cgroup(const struct step_join_cgroup *s);
void step_reset_affinity(const struct step_reset_affinity *s);
void step_memory_policy(const struct step_memory_policy *s);
void step_set_affinity(const struct step_set_affinity *s);
void step_enter_directory(const struct step_enter_directory *s);
void step_join_namespace(const struct step_join_namespace *s);
void step_unshare(const struct step_unshare *s);
void step_sync(const struct step_sync *s);
void step_fork(const struct step_fork *s);
void step_become_root(const struct step_become_root *s);
void step_host_name(const struct step_host_name *s);
void step_domain_name(const struct step_domain_name *s);
void step_loopback_up(const struct step_loopback_up *s);
void step_root_propagation(const struct step_root_propagation *s);
void step_stage_mounts(const struct step_stage_mounts *s);
void step_rootfs(const struct step_rootfs *s);
void step_new_mount(const struct step_new_mount *s);
void step_take_tree(const struct step_take_tree *s);
void step_clone_tree(const struct step_clone_tree *s);
void step_map_tree(const struct step_map_tree *s);
void step_attributes(const struct step_attributes *s);
void step_copy_up(const struct step_copy_up *s);
void step_label_tree(const struct step_label_tree *s);
void step_attach(const struct step_attach *s);
void step_held_readonly(const struct step_held_readonly *s);
void step_path_attributes(const struct step_path_attributes *s);
void step_readonly_path(const struct step_readonly_path *s);
void step_mask_source(const struct step_mask_source *s);
void step_mask_path(const struct step_mask_path *s);
void step_unmount(const struct step_unmount *s);
void step_pivot(const struct step_pivot *s);
void step_chroot(const struct step_chroot *s);
void step_make_node(const struct step_make_node *s);
void step_symlink(const struct step_symlink *s);
void step_open_proc(const struct step_open_proc *s);
void step_sysctl(const struct step_sysctl *s);
void step_label(const struct step_label *s);
void step_console(const struct step_console *s);
void step_new_session(const struct step_new_session *s);
void step_take_terminal(const struct step_take_terminal *s);
void step_own_stdio(const struct step_own_stdio *s);
void step_personality(const struct step_personality *s);
void step_bounding(const struct step_bounding *s);
void step_groups(const struct step_groups *s);
void step_user(const struct step_user *s);
void step_capabilities(const struct step_capabilities *s);
void step_ambient(const struct step_ambient *s);
void step_umask(const struct step_umask *s);
void step_close_descriptors(const struct step_close_descriptors *s);
void step_no_new_privileges(const struct step_no_new_privileges *s);
void step_seccomp(const struct step_seccomp *s);
void step_make_directory(const struct step_make_directory *s);
void step_change_directory(const struct step_change_directory *s);
void step_home(const struct step_home *s);
void step_find_program(const struct step_find_program *s);
void step_wait_start(const struct step_wait_start *s);
void step_execute(const struct step_execute *s);

#endif
