// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// The input of `go tool cgo -godefs`, which makes wire_gen.go of it (see nsenter.go): every number and structure of
// wire.h under its Go name.
package nsenter

// #include "wire.h"
import "C"

const (
	StageName          = C.STAGE_NAME
	PlanMagic          = C.PLAN_MAGIC
	PlanVersion        = C.PLAN_VERSION
	RootfsClone        = C.ROOTFS_CLONE
	AttachHold         = C.ATTACH_HOLD
	HeldMax            = C.HELD_MAX
	AttachNoSymlinks   = C.ATTACH_NO_SYMLINKS
	CloneRecursive     = C.CLONE_RECURSIVE
	CloneFromOldRoot   = C.CLONE_FROM_OLD_ROOT
	CloneFromStaging   = C.CLONE_FROM_STAGING
	RootfsStaged       = C.ROOTFS_STAGED
	ChrootMove         = C.CHROOT_MOVE
	OpenProcProcesses  = C.OPEN_PROC_PROCESSES
	LabelKeep          = C.LABEL_KEEP
	LabelAgain         = C.LABEL_AGAIN
	WaitAtGate         = C.WAIT_AT_GATE
	GatedCloses        = C.GATED_CLOSES
	ConsoleAttach      = C.CONSOLE_ATTACH
	ForkReady          = C.FORK_READY
	SyncDumpable       = C.SYNC_DUMPABLE
	UserDumpable       = C.USER_DUMPABLE
	GroupsKeepIfDenied = C.GROUPS_KEEP_IF_DENIED
	NodeNoSymlinks     = C.NODE_NO_SYMLINKS
	SymlinkReplace     = C.SYMLINK_REPLACE
	ChdirDeniedLater   = C.CHDIR_DENIED_LATER
	ChdirIfDenied      = C.CHDIR_IF_DENIED
	MessageCall        = C.MESSAGE_CALL
	MessageDetail      = C.MESSAGE_DETAIL
)

// Numbers of the steps.
const (
	OpInvalid          = C.OP_INVALID
	OpSessionKeyring   = C.OP_SESSION_KEYRING
	OpJoinCgroup       = C.OP_JOIN_CGROUP
	OpResetAffinity    = C.OP_RESET_AFFINITY
	OpMemoryPolicy     = C.OP_MEMORY_POLICY
	OpSetAffinity      = C.OP_SET_AFFINITY
	OpEnterDirectory   = C.OP_ENTER_DIRECTORY
	OpJoinNamespace    = C.OP_JOIN_NAMESPACE
	OpUnshare          = C.OP_UNSHARE
	OpSync             = C.OP_SYNC
	OpFork             = C.OP_FORK
	OpBecomeRoot       = C.OP_BECOME_ROOT
	OpHostName         = C.OP_HOST_NAME
	OpDomainName       = C.OP_DOMAIN_NAME
	OpLoopbackUp       = C.OP_LOOPBACK_UP
	OpRootPropagation  = C.OP_ROOT_PROPAGATION
	OpStageMounts      = C.OP_STAGE_MOUNTS
	OpRootfs           = C.OP_ROOTFS
	OpNewMount         = C.OP_NEW_MOUNT
	OpTakeTree         = C.OP_TAKE_TREE
	OpCloneTree        = C.OP_CLONE_TREE
	OpMapTree          = C.OP_MAP_TREE
	OpAttributes       = C.OP_ATTRIBUTES
	OpCopyUp           = C.OP_COPY_UP
	OpHeldReadonly     = C.OP_HELD_READONLY
	OpLabelTree        = C.OP_LABEL_TREE
	OpAttach           = C.OP_ATTACH
	OpPathAttributes   = C.OP_PATH_ATTRIBUTES
	OpReadonlyPath     = C.OP_READONLY_PATH
	OpMaskSource       = C.OP_MASK_SOURCE
	OpMaskPath         = C.OP_MASK_PATH
	OpUnmount          = C.OP_UNMOUNT
	OpPivot            = C.OP_PIVOT
	OpChroot           = C.OP_CHROOT
	OpMakeNode         = C.OP_MAKE_NODE
	OpSymlink          = C.OP_SYMLINK
	OpOpenProc         = C.OP_OPEN_PROC
	OpSysctl           = C.OP_SYSCTL
	OpLabel            = C.OP_LABEL
	OpConsole          = C.OP_CONSOLE
	OpNewSession       = C.OP_NEW_SESSION
	OpTakeTerminal     = C.OP_TAKE_TERMINAL
	OpOwnStdio         = C.OP_OWN_STDIO
	OpPersonality      = C.OP_PERSONALITY
	OpBounding         = C.OP_BOUNDING
	OpGroups           = C.OP_GROUPS
	OpUser             = C.OP_USER
	OpCapabilities     = C.OP_CAPABILITIES
	OpAmbient          = C.OP_AMBIENT
	OpCloseDescriptors = C.OP_CLOSE_DESCRIPTORS
	OpUmask            = C.OP_UMASK
	OpNoNewPrivileges  = C.OP_NO_NEW_PRIVILEGES
	OpSeccomp          = C.OP_SECCOMP
	OpMakeDirectory    = C.OP_MAKE_DIRECTORY
	OpChangeDirectory  = C.OP_CHANGE_DIRECTORY
	OpHome             = C.OP_HOME
	OpFindProgram      = C.OP_FIND_PROGRAM
	OpWaitStart        = C.OP_WAIT_START
	OpExecute          = C.OP_EXECUTE
	OpCount            = C.OP_COUNT
)

// Types of messages.
const (
	MessageInvalid     = C.MESSAGE_INVALID
	MessageMapIds      = C.MESSAGE_MAP_IDS
	MessageTimeOffsets = C.MESSAGE_TIME_OFFSETS
	MessageForked      = C.MESSAGE_FORKED
	MessageNetDevices  = C.MESSAGE_NET_DEVICES
	MessageLimits      = C.MESSAGE_LIMITS
	MessageGroup       = C.MESSAGE_GROUP
	MessageOomScore    = C.MESSAGE_OOM_SCORE
	MessageHooks       = C.MESSAGE_HOOKS
	MessageDescriptor  = C.MESSAGE_DESCRIPTOR
	MessageReady       = C.MESSAGE_READY
	MessageGate        = C.MESSAGE_GATE
	MessageError       = C.MESSAGE_ERROR
	MessageGo          = C.MESSAGE_GO
)

// What a descriptor in a message is.
const (
	DescriptorNone    = C.DESCRIPTOR_NONE
	DescriptorConsole = C.DESCRIPTOR_CONSOLE
	DescriptorPasswd  = C.DESCRIPTOR_PASSWD
	DescriptorTree    = C.DESCRIPTOR_TREE
)

// The gate, where it is no descriptor.
const (
	GateShut  = C.GATE_SHUT
	GateOpen  = C.GATE_OPEN
	GateStart = C.GATE_START
)

type (
	List                 C.struct_list
	PlanHeader           C.struct_plan_header
	StepHead             C.struct_step_head
	StepSessionKeyring   C.struct_step_session_keyring
	StepJoinCgroup       C.struct_step_join_cgroup
	StepResetAffinity    C.struct_step_reset_affinity
	StepMemoryPolicy     C.struct_step_memory_policy
	StepSetAffinity      C.struct_step_set_affinity
	StepEnterDirectory   C.struct_step_enter_directory
	StepJoinNamespace    C.struct_step_join_namespace
	StepUnshare          C.struct_step_unshare
	StepSync             C.struct_step_sync
	StepFork             C.struct_step_fork
	StepBecomeRoot       C.struct_step_become_root
	StepHostName         C.struct_step_host_name
	StepDomainName       C.struct_step_domain_name
	StepLoopbackUp       C.struct_step_loopback_up
	StepRootPropagation  C.struct_step_root_propagation
	StepStageMounts      C.struct_step_stage_mounts
	StepRootfs           C.struct_step_rootfs
	StepNewMount         C.struct_step_new_mount
	StepTakeTree         C.struct_step_take_tree
	StepCloneTree        C.struct_step_clone_tree
	StepMapTree          C.struct_step_map_tree
	StepAttributes       C.struct_step_attributes
	StepCopyUp           C.struct_step_copy_up
	StepHeldReadonly     C.struct_step_held_readonly
	StepLabelTree        C.struct_step_label_tree
	StepAttach           C.struct_step_attach
	StepPathAttributes   C.struct_step_path_attributes
	StepReadonlyPath     C.struct_step_readonly_path
	StepMaskSource       C.struct_step_mask_source
	StepMaskPath         C.struct_step_mask_path
	StepUnmount          C.struct_step_unmount
	StepPivot            C.struct_step_pivot
	StepChroot           C.struct_step_chroot
	StepMakeNode         C.struct_step_make_node
	StepSymlink          C.struct_step_symlink
	StepOpenProc         C.struct_step_open_proc
	StepSysctl           C.struct_step_sysctl
	StepLabel            C.struct_step_label
	StepConsole          C.struct_step_console
	StepNewSession       C.struct_step_new_session
	StepTakeTerminal     C.struct_step_take_terminal
	StepOwnStdio         C.struct_step_own_stdio
	StepPersonality      C.struct_step_personality
	StepBounding         C.struct_step_bounding
	StepGroups           C.struct_step_groups
	StepUser             C.struct_step_user
	StepCapabilities     C.struct_step_capabilities
	StepAmbient          C.struct_step_ambient
	StepCloseDescriptors C.struct_step_close_descriptors
	StepUmask            C.struct_step_umask
	StepNoNewPrivileges  C.struct_step_no_new_privileges
	StepSeccomp          C.struct_step_seccomp
	StepMakeDirectory    C.struct_step_make_directory
	StepChangeDirectory  C.struct_step_change_directory
	StepHome             C.struct_step_home
	StepFindProgram      C.struct_step_find_program
	StepWaitStart        C.struct_step_wait_start
	StepExecute          C.struct_step_execute
	Message              C.struct_message
)
