// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/nsenter"
)

// messageText is a NUL-terminated text of a message.
func messageText(field []int8) string {
	var text strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		text.WriteByte(byte(c))
	}
	return text.String()
}

// callError is the error of a message without its step: system call, the kernel's own words, errno.
func callError(m *nsenter.Message) error {
	call, detail := messageText(m.Call[:]), kernelWords(messageText(m.Detail[:]))
	err := error(unix.Errno(m.Error))
	if detail != "" {
		return fmt.Errorf("%s: %w: %s", call, err, detail)
	}
	return fmt.Errorf("%s: %w", call, err)
}

// kernelWords puts a log of a file system context on one line, without the letters e, w and i that give the level.
func kernelWords(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i, line := range lines {
		if len(line) > 2 && line[1] == ' ' && strings.IndexByte("ewi", line[0]) >= 0 {
			lines[i] = line[2:]
		}
	}
	return strings.Join(lines, "; ")
}

// stepError gives the words to an error of the stage: the config's member, what was done, the cause, and a hint where
// its meaning is known.
func stepError(p *plan.Plan, m *nsenter.Message) error {
	if int(m.Step) >= len(p.Steps) {
		return fmt.Errorf("step %d of %d: %w", m.Step, len(p.Steps), callError(m))
	}
	entry := &p.Steps[m.Step]
	if find, ok := entry.Step.(plan.FindProgram); ok {
		return findError(find, unix.Errno(m.Error))
	}
	err := callError(m)
	if hint := stepHint(entry.Step, m); hint != "" {
		err = fmt.Errorf("%w (%s)", err, hint)
	}
	if entry.Member == "" {
		return fmt.Errorf("%s: %w", plan.Name(entry.Step), err)
	}
	return fmt.Errorf("%s: %w", entry.Member, err)
}

const namespaceHint = "too few privileges, or a limit in /proc/sys/user is reached"

// stepHint says what the reader can do about an errno of a step, or nothing.
func stepHint(step plan.Step, m *nsenter.Message) string {
	errno := unix.Errno(m.Error)
	switch s := step.(type) {
	case plan.Attach:
		return attachHint(&s, errno, messageText(m.Call[:]))
	case plan.NewMount:
		return newMountHint(&s, errno)
	case plan.CloneTree:
		if errno == unix.ENOENT && s.Flags&nsenter.CloneFromOldRoot != 0 {
			return sourceHint(s.Path)
		}
	case plan.Attributes, plan.PathAttributes:
		return attributesHint(step, errno)
	case plan.Label:
		return labelHint(&s, errno)
	case plan.MemoryPolicy:
		return memoryPolicyHint(errno)
	case plan.Sysctl:
		if errno == unix.ENOENT {
			return "this kernel, or this kind of namespace, has no such sysctl"
		}
	case plan.MakeDirectory, plan.ChangeDirectory:
		if errno == unix.ENOTDIR {
			return "the working directory must be a directory"
		}
	case plan.Rootfs:
		if errno == unix.ENOENT && s.Path != "" {
			return "it is looked up in the mount namespace that is joined"
		}
	case plan.Console:
		if errno == unix.ENOENT {
			return "a terminal needs a mount of type devpts at /dev/pts"
		}
	case plan.Pivot:
		if errno == unix.EINVAL {
			return "the root file system may be on an initial ramfs: try --no-pivot"
		}
	case plan.MakeNode, plan.Symlink:
		if errno == unix.ELOOP {
			return "a directory on the way is a symbolic link, which is refused in /dev"
		}
	case plan.Groups:
		return groupsHint(errno)
	case plan.User, plan.BecomeRoot:
		return unmappedHint(errno)
	case plan.Capabilities:
		if errno == unix.EPERM {
			return "effective must be within permitted, inheritable within bounding (capabilities(7))"
		}
	case plan.JoinNamespace:
		return joinHint(&s, errno)
	case plan.Unshare:
		if errno == unix.EPERM || errno == unix.ENOSPC {
			return namespaceHint
		}
	}
	return ""
}

func attributesHint(step plan.Step, errno unix.Errno) string {
	_, placed := step.(plan.PathAttributes)
	switch {
	case errno == unix.EPERM:
		return "in a user namespace, ro, nosuid, nodev, noexec and access times of a host's mount can't be cleared: leave the option out"
	case errno == unix.EINVAL && placed:
		return "a remount changes a mount that an entry before has made: nothing is mounted there"
	}
	return ""
}

func joinHint(s *plan.JoinNamespace, errno unix.Errno) string {
	switch {
	case errno == unix.EINVAL && s.Type == unix.CLONE_NEWUSER:
		return "rt is in this user namespace already: leave it out"
	case errno == unix.EPERM && s.Type == unix.CLONE_NEWUSER && unprivileged():
		return "it was made by another user, or is above that of rt"
	case errno == unix.EPERM || errno == unix.ENOSPC:
		return namespaceHint
	}
	return ""
}

func groupsHint(errno unix.Errno) string {
	if errno == unix.EPERM {
		return "the user namespace that is joined denies setgroups(2): leave them out"
	}
	return unmappedHint(errno)
}

func unmappedHint(errno unix.Errno) string {
	if errno == unix.EINVAL {
		return "the id is not mapped in the user namespace"
	}
	return ""
}

func memoryPolicyHint(errno unix.Errno) string {
	switch errno {
	case unix.EINVAL:
		return "a node is not there (see /sys/devices/system/node/online) or not in the cpuset, or the flags don't go with the mode or with each other"
	case unix.ENOSYS:
		return "the kernel is built without NUMA"
	}
	return ""
}

func sourceHint(path string) string {
	return fmt.Sprintf("the source %q of a bind mount is looked up on the host, a relative one in the bundle", path)
}

func attachHint(s *plan.Attach, errno unix.Errno, call string) string {
	switch {
	case s.Flags&nsenter.AttachNoSymlinks != 0 && (errno == unix.ELOOP || errno == unix.ENOTDIR) && call != "file on directory":
		return s.Path + " must be mounted on ordinary directory, it is a symbolic link or a file in the image"
	case call == "directory on file":
		return "the source is a directory, the destination in the image is a file"
	case call == "file on directory":
		return "the source is a file, the destination in the image is a directory"
	case errno == unix.EROFS:
		return "the mount point is missing and the file system below it is read-only"
	case errno == unix.EOVERFLOW:
		return "the mount point is missing, and the id-mapped mount that it would be made in maps the container's root to no id: make it in the source"
	case errno == unix.EAGAIN:
		return "directories on the way were renamed again and again meanwhile"
	}
	return ""
}

func newMountHint(s *plan.NewMount, errno unix.Errno) string {
	switch errno {
	case unix.ENODEV:
		return fmt.Sprintf("the kernel has no file system type %q; a bind mount needs the option bind or rbind", s.Type)
	case unix.EINVAL:
		return "an option is unknown to the file system, or has a wrong value"
	case unix.EPERM:
		return "in a user namespace, /proc and /sys can only be mounted where nothing of them is covered"
	}
	return ""
}

// explainLimit says why a resource limit was refused.
func explainLimit(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return " (raising a hard limit needs CAP_SYS_RESOURCE, and NOFILE is bounded by fs.nr_open)"
	case errors.Is(err, unix.EINVAL):
		return " (the soft limit must not be above the hard limit)"
	}
	return ""
}
