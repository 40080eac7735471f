/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h: everything that the Go planner and the C stage must agree on: the plan's layout, the steps, the
 * messages. It is the only place where these numbers and structures are written down; wire_gen.go is made from it
 * (go generate) and a test compares sizes and offsets.
 *
 * A plan is one block of memory:
 *
 *     struct plan_header | step | step | ... | data (texts, lists, BPF)
 *
 * Steps lie one behind the other, each begins with a struct step_head and is a multiple of 8 bytes long. A text
 * is the offset of a NUL-terminated string from the beginning of the plan; offset 0 means "none". The last byte
 * of a plan is 0, so that every text ends inside it. All numbers are in the byte order of the machine: the plan
 * never leaves it.
 */
#ifndef RT_WIRE_H
#define RT_WIRE_H

#include <linux/types.h>

#define STAGE_NAME "rt-stage" /* of the process, until execve(2) gives it the program's */
#define PLAN_MAGIC 0x6e6c7072u /* "rpln" */
#define PLAN_VERSION 1u

typedef __u32 text;

/* count entries of 8 bytes each at offset; what an entry is, the step that has the list says. */
struct list {
	__u32 offset;
	__u32 count;
};

struct plan_header {
	__u32 magic;
	__u32 version;
	__u32 size;       /* of the whole plan in bytes */
	__u32 step_count;
	__s32 socket_fd;  /* SOCK_SEQPACKET to the host side */
	__u32 payload_fds; /* the user's process keeps the descriptors 0 to payload_fds - 1 */
};

struct step_head {
	__u32 op;   /* enum op */
	__u32 size; /* of this step, with its head */
};

enum op {
	OP_INVALID,
	/* join.c: who we are a part of */
	OP_SESSION_KEYRING,
	OP_JOIN_CGROUP,
	OP_RESET_AFFINITY,
	OP_MEMORY_POLICY,
	OP_SET_AFFINITY,
	OP_ENTER_DIRECTORY,
	OP_JOIN_NAMESPACE,
	OP_UNSHARE,
	OP_SYNC,
	OP_FORK,
	OP_BECOME_ROOT,
	OP_HOST_NAME,
	OP_DOMAIN_NAME,
	OP_LOOPBACK_UP,
	/* mount.c: trees of mounts, built detached and then attached */
	OP_ROOT_PROPAGATION,
	OP_STAGE_MOUNTS,
	OP_ROOTFS,
	OP_NEW_MOUNT,
	OP_TAKE_TREE,
	OP_CLONE_TREE,
	OP_MAP_TREE,
	OP_ATTRIBUTES,
	OP_COPY_UP,
	OP_LABEL_TREE,
	OP_ATTACH,
	OP_HELD_READONLY,
	OP_PATH_ATTRIBUTES,
	OP_READONLY_PATH,
	OP_MASK_SOURCE,
	OP_MASK_PATH,
	OP_UNMOUNT,
	OP_PIVOT,
	OP_CHROOT,
	/* files.c: nodes, links, procfs, terminal */
	OP_MAKE_NODE,
	OP_SYMLINK,
	OP_OPEN_PROC,
	OP_SYSCTL,
	OP_LABEL,
	OP_CONSOLE,
	/* identity.c: who the user's process is */
	OP_NEW_SESSION,
	OP_TAKE_TERMINAL,
	OP_OWN_STDIO,
	OP_PERSONALITY,
	OP_BOUNDING,
	OP_GROUPS,
	OP_USER,
	OP_CAPABILITIES,
	OP_AMBIENT,
	OP_UMASK,
	OP_CLOSE_DESCRIPTORS,
	OP_NO_NEW_PRIVILEGES,
	OP_SECCOMP,
	/* finish.c: from a prepared container to the user's process */
	OP_MAKE_DIRECTORY,
	OP_CHANGE_DIRECTORY,
	OP_HOME,
	OP_FIND_PROGRAM,
	OP_WAIT_START,
	OP_EXECUTE,
	OP_COUNT,
};

/* keyctl(KEYCTL_JOIN_SESSION_KEYRING): the name of the new session keyring. */
struct step_session_keyring { struct step_head head; text name; __u32 pad; };

/* Writes "0" to a `tasks` file of a v1 hierarchy: a single thread that moves itself needs no global lock. */
struct step_join_cgroup { struct step_head head; __s32 fd; __u32 pad; };

/* sched_setaffinity to every CPU: what the caller was bound to must not be inherited; the cpuset limits it. */
struct step_reset_affinity { struct step_head head; };

/* set_mempolicy; mode has the mode and the flags, nodes are words of a mask. */
struct step_memory_policy { struct step_head head; struct list nodes; __u32 mode; __u32 pad; };

/* sched_setaffinity; cpus: words of a mask, CPU 0 is the lowest bit of the first. */
struct step_set_affinity { struct step_head head; struct list cpus; };

/* fchdir: the current directory follows the process into a copied mount namespace, a descriptor does not. */
struct step_enter_directory { struct step_head head; __s32 fd; __u32 pad; };

/* setns; type is the CLONE_NEW* constant that the namespace must have. With the pidfd of a process, type is one or more
 * of them: those namespaces of the process are entered in one go. */
struct step_join_namespace { struct step_head head; __s32 fd; __u32 type; };

/* unshare; flags are CLONE_NEW* constants. */
struct step_unshare { struct step_head head; __u32 flags; __u32 pad; };

#define SYNC_DUMPABLE 1u /* meanwhile the host side, which has no rights over other users' processes, may write to /proc/PID */
/* Sends the message (enum message_type) and waits for MESSAGE_GO. */
struct step_sync { struct step_head head; __u32 message; __u32 flags; };

#define FORK_READY 1u /* the answer to MESSAGE_FORKED is that to MESSAGE_READY */
/* clone(CLONE_PARENT): the child goes on with the plan as the first process of the new namespaces, once the host side
 * has answered its parent's MESSAGE_FORKED. */
struct step_fork { struct step_head head; __u32 flags; __u32 pad; };

/* Takes uid and gid 0 of the user namespace that was just entered. */
struct step_become_root { struct step_head head; };

struct step_host_name { struct step_head head; text name; __u32 pad; };
struct step_domain_name { struct step_head head; text name; __u32 pad; };
struct step_loopback_up { struct step_head head; };

/* mount_setattr on the tree at "/" with AT_RECURSIVE; propagation is MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE. */
struct step_root_propagation { struct step_head head; __u64 propagation; };

/* The current tree becomes the staging directory: it covers the current directory, is the new one, and the root for
 * the steps that follow. What is attached in it by the host's root is locked in the mount namespace that a user
 * namespace makes of this one (mount_namespaces(7), "Restrictions on mount namespaces"). */
struct step_stage_mounts { struct step_head head; };

#define ROOTFS_CLONE 1u  /* in a private mount namespace: attach a clone of the tree, so that pivot_root has a mount point */
#define ROOTFS_STAGED 2u /* the tree is "rootfs" in the staging directory, which is the current one */
/* Makes the current directory (or path, if it is not 0) the root below which all later paths are resolved. */
struct step_rootfs { struct step_head head; text path; __u32 flags; };

/* fsopen, fsconfig, fsmount: the new tree becomes "the current tree". parameters: texts, key and value in turn;
 * a value 0 means a flag. inherit_mode: if it is not 0, the parameter "mode" becomes the mode of this directory,
 * if that exists. attributes: MOUNT_ATTR_*. */
struct step_new_mount { struct step_head head; text type; text inherit_mode; struct list parameters; __u64 attributes; };

/* The descriptor of a detached tree that the host side opened becomes the current tree. */
struct step_take_tree { struct step_head head; __s32 fd; __u32 pad; };

#define CLONE_RECURSIVE 1u
#define CLONE_FROM_OLD_ROOT 2u /* path is one of the host, which is still "/" */
#define CLONE_FROM_STAGING 4u  /* path is below the staging directory */
/* A clone of what is at path below the root becomes the current tree; of procfs, sysfs and the root as a whole there
 * is none. If mode is not 0, it must be a node of this type (S_IFCHR, S_IFBLK) and device (st_rdev). */
struct step_clone_tree { struct step_head head; text path; __u32 flags; __u64 device; __u32 mode; __u32 pad; };

/* Sends the current tree (DESCRIPTOR_TREE), which the host side gives an id mapping (mount_setattr, MOUNT_ATTR_IDMAP):
 * that takes rights over the file system that a user namespace does not have. mapping is an index into the plan's. */
struct step_map_tree { struct step_head head; __u32 mapping; __u32 recursive; };

/* mount_setattr on the current tree. */
struct step_attributes { struct step_head head; __u64 set; __u64 clear; __u64 propagation; __u32 recursive; __u32 pad; };

/* Copies what lies at path below the root into the current tree (mount option tmpcopyup). */
struct step_copy_up { struct step_head head; text path; __u32 pad; };

/* Sets the extended attribute security.selinux of the current tree's root: for a file system that is there already, and
 * so takes no mount option. */
struct step_label_tree { struct step_head head; text context; __u32 pad; };

#define ATTACH_NO_SYMLINKS 1u /* the mount point must not be reached through a symbolic link; only then may it be /dev, or in procfs or sysfs */
#define ATTACH_HOLD 2u        /* for a later OP_HELD_READONLY */
#define HELD_MAX 64
/* move_mount of the current tree to path below the root; missing components are created. */
struct step_attach { struct step_head head; text path; __u32 flags; };

/* Makes the index-th tree that was attached with ATTACH_HOLD read-only: by then all has been written to it. */
struct step_held_readonly { struct step_head head; __u32 index; __u32 pad; };

/* mount_setattr on the mount that is at path below the root. */
struct step_path_attributes { struct step_head head; text path; __u32 recursive; __u64 set; __u64 clear; __u64 propagation; };

/* Puts a read-only clone of the tree at path over it; a missing path is skipped. */
struct step_readonly_path { struct step_head head; text path; __u32 pad; };

/* null_fd: a detached clone of a verified /dev/null; -1: it is the current tree. Makes the empty directory too, with the SELinux label context, if
 * that is not 0. */
struct step_mask_source { struct step_head head; __s32 null_fd; text context; };

/* Covers path with the null device or the empty directory; a missing path is skipped. */
struct step_mask_path { struct step_head head; text path; __u32 pad; };

/* umount2(MNT_DETACH) of a path of the old root. What is locked there (mount_namespaces(7)) is covered instead. */
struct step_unmount { struct step_head head; text path; __u32 pad; };

/* pivot_root and detach the old root. */
struct step_pivot { struct step_head head; };

#define CHROOT_MOVE 1u /* move the root's mount over "/" before */
struct step_chroot { struct step_head head; __u32 flags; __u32 pad; };

#define NODE_NO_SYMLINKS 1u
/* mknod; mode has the type and the permissions. */
struct step_make_node { struct step_head head; text path; __u32 mode; __u32 major; __u32 minor; __u32 uid; __u32 gid; __u32 flags; __u32 pad; };

#define SYMLINK_REPLACE 1u /* what is there and is not a directory goes */
struct step_symlink { struct step_head head; text target; text path; __u32 flags; __u32 pad; };

#define OPEN_PROC_PROCESSES 1u /* without what is not about processes (proc(5), subset=pid) */
/* Mounts a procfs that is attached nowhere; all writes to procfs go through it. */
struct step_open_proc { struct step_head head; __u32 flags; __u32 pad; };

/* Writes value to sys/path of our own procfs. */
struct step_sysctl { struct step_head head; text path; text value; };

#define LABEL_KEEP 1u  /* leave the file open for LABEL_AGAIN */
#define LABEL_AGAIN 2u /* write to that file, and close it */
/* Writes value to this process's own attr/file of our own procfs: what an LSM shall do at the next execve, or with the
 * next key. */
struct step_label { struct step_head head; text file; text value; __u32 flags; __u32 pad; };

#define CONSOLE_ATTACH 1u /* it is /dev/console */
/* Opens a terminal of the container's devpts, sends its master (DESCRIPTOR_CONSOLE), and makes it stdio. */
struct step_console { struct step_head head; __u32 uid; __u32 rows; __u32 columns; __u32 flags; };

struct step_new_session { struct step_head head; };

/* The terminal that is descriptor 0 controls the session. */
struct step_take_terminal { struct step_head head; };

/* fchown of those of 0 to 2 that are pipes or sockets, so that the user can open /dev/stdout again. */
struct step_own_stdio { struct step_head head; __u32 uid; __u32 pad; };

struct step_personality { struct step_head head; __u64 persona; };

/* Drops every capability that is not in keep from the bounding set. */
struct step_bounding { struct step_head head; __u64 keep; };

#define GROUPS_KEEP_IF_DENIED 1u /* where the user namespace denies setgroups(2) the caller's are kept */
/* setgroups; ids: 8 bytes each, of which the low 4 count. */
struct step_groups { struct step_head head; struct list ids; __u32 flags; __u32 pad; };

#define USER_DUMPABLE 1u /* from then on */
/* setresgid, setresuid; permitted capabilities are kept. */
struct step_user { struct step_head head; __u32 uid; __u32 gid; __u32 flags; __u32 pad; };

struct step_capabilities { struct step_head head; __u64 effective; __u64 permitted; __u64 inheritable; };
struct step_ambient { struct step_head head; __u64 raise; };
/* umask(2): the caller's, or mask if set is not 0. */
struct step_umask { struct step_head head; __u32 set; __u32 mask; };

/* Marks everything but what the user's process keeps close-on-exec. */
struct step_close_descriptors { struct step_head head; };
struct step_no_new_privileges { struct step_head head; };

#define GATED_CLOSES 2u /* and the listener is closed when the host side has it */
/* seccomp(SECCOMP_SET_MODE_FILTER); program: struct sock_filter each. If gated is not 0, the host side is told before where
 * the gate is (MESSAGE_GATE); with SECCOMP_FILTER_FLAG_NEW_LISTENER in flags, which needs that, it goes on only when the host
 * side has the listener. */
struct step_seccomp { struct step_head head; struct list program; __u32 flags; __u32 gated; };

/* Makes the directory at path below the root, with its parents, if it is missing. */
struct step_make_directory { struct step_head head; text path; __u32 mode; };

#define CHDIR_DENIED_LATER 1u /* EACCES and EPERM: leave it to the step with CHDIR_IF_DENIED */
#define CHDIR_IF_DENIED 2u
/* chdir, and a check that the directory is inside the root. */
struct step_change_directory { struct step_head head; text path; __u32 flags; };

/* Sends /etc/passwd (DESCRIPTOR_PASSWD); the detail of the answer to MESSAGE_READY is the HOME entry of the environment. */
struct step_home { struct step_head head; };

/* Checks that one of the candidates (texts) is a program. */
/* Bit n of refused: the program may not be found at candidate n, which is relative to the working directory. */
struct step_find_program { struct step_head head; struct list candidates; __u64 refused; };

#define WAIT_AT_GATE 1u /* behind a gated OP_SECCOMP */
/* Waits for a byte in exec.fifo, or at the gate; from then on errors go to exec.result. */
struct step_wait_start { struct step_head head; __s32 fifo_fd; __s32 result_fd; __u32 flags; __u32 pad; };

/* execve of the first candidate that can be executed. Nothing else is called, unless it fails: the user's seccomp
 * filter may be in force. All lists: texts; an entry 0 of the environment stands for
 * the HOME that OP_HOME got. */
struct step_execute { struct step_head head; struct list candidates; struct list arguments; struct list environment; };

enum message_type {
	MESSAGE_INVALID,
	/* stage to host */
	MESSAGE_MAP_IDS,      /* in a user namespace: write its maps, or compare those of one that was joined */
	MESSAGE_TIME_OFFSETS, /* a time namespace was made: write its offsets */
	MESSAGE_FORKED,       /* value: the process that goes on with the plan */
	MESSAGE_NET_DEVICES,  /* the network namespace is there: move devices to it */
	MESSAGE_LIMITS,       /* exec: set resource limits while the process has rt's ids */
	MESSAGE_GROUP,        /* before anything else: move this process to its control group, which it can't do itself */
	MESSAGE_OOM_SCORE,    /* exec: set oom_score_adj while /proc/PID is an ordinary user's */
	MESSAGE_HOOKS,        /* namespaces and mounts are there, the old root can still be seen */
	MESSAGE_DESCRIPTOR,   /* value: enum descriptor_kind; one descriptor by SCM_RIGHTS, or none */
	MESSAGE_READY,        /* everything that create does is done */
	MESSAGE_GATE,         /* a filter is about to be loaded under which no call can be made; value: the address of the gate */
	MESSAGE_ERROR,        /* step, error, call, detail */
	/* host to stage */
	MESSAGE_GO,
};

enum descriptor_kind {
	DESCRIPTOR_NONE,
	DESCRIPTOR_CONSOLE, /* master of the terminal; no answer is awaited */
	DESCRIPTOR_PASSWD,  /* the container's /etc/passwd; no answer is awaited */
	DESCRIPTOR_TREE,    /* a detached tree; it has its id mapping when the answer comes */
};

/* The gate: an __s32 through which stage and host side speak when a filter may refuse, or make wait, any system call of the
 * stage. The host side reads and writes it in the stage's memory. Other values are the listener's descriptor. */
enum gate {
	GATE_SHUT = -1,  /* not at it yet */
	GATE_OPEN = -2,  /* go on */
	GATE_START = -3, /* the stage is at OP_WAIT_START */
};

#define MESSAGE_CALL 24
#define MESSAGE_DETAIL 984

/* Both directions; 1 KiB, which is one atomic write to exec.result too (pipe(7), PIPE_BUF). */
struct message {
	__u32 type;
	__u32 step;  /* index of the step that the stage is at */
	__s32 error; /* errno */
	__s32 value;
	char call[MESSAGE_CALL];     /* the system call that gave the error */
	char detail[MESSAGE_DETAIL]; /* the kernel's words, or the answer's text; NUL-terminated */
};

#endif
