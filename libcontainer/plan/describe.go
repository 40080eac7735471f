// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// Name returns the name of a step: its type, without the package.
func Name(s Step) string { return reflect.TypeOf(s).Name() }

// String returns the plan as text for people: what the stage is started with, what the host side opens, one line per
// step. Members that are zero are left out.
func (p *Plan) String() string {
	var out strings.Builder
	for _, w := range p.Warnings {
		fmt.Fprintf(&out, "warning: %s\n", w)
	}
	if p.CloneFlags != 0 {
		fmt.Fprintf(&out, "clone: %s\n", bits(uint64(p.CloneFlags), namespaceBits()))
	}
	if p.PreserveFDs != 0 {
		fmt.Fprintf(&out, "preserved descriptors: %d\n", p.PreserveFDs)
	}
	for i := range p.Files {
		fmt.Fprintf(&out, "file %d: %s\n", i, describeFile(&p.Files[i]))
	}
	for i := range p.IDMaps {
		fmt.Fprintf(&out, "id mapping %d: %s\n", i, describeIDMap(&p.IDMaps[i]))
	}
	for i := range p.Steps {
		fmt.Fprintf(&out, "%3d %s\n", i, describeEntry(&p.Steps[i]))
	}
	return out.String()
}

func describeFile(f *File) string {
	var what string
	switch f.Kind {
	case FileDirectory:
		what = "directory " + strconv.Quote(f.Path)
	case FileNamespace:
		what = "namespace " + bits(uint64(f.Namespace), namespaceBits()) + " " + strconv.Quote(f.Path)
	case FileTree:
		what = "tree " + strconv.Quote(f.Path)
		if f.Recursive {
			what += " recursive"
		}
	case FileNull:
		what = "null device " + strconv.Quote(f.Path)
	case FileDevice:
		what = fmt.Sprintf("device %q %s %d:%d", f.Path, f.Device.Type, f.Device.Major, f.Device.Minor)
	case FileTasks:
		what = "tasks " + strconv.Itoa(f.Index)
	case FileFifo:
		what = "exec.fifo"
	case FileInit:
		what = "pidfd of init"
	case FileResult:
		what = "exec.result"
	case FileNewNetwork:
		what = "new network namespace"
	default:
		what = "unknown kind " + strconv.Itoa(int(f.Kind))
	}
	return what + from(f.Member)
}

func from(member string) string {
	if member == "" {
		return ""
	}
	return "  [" + member + "]"
}

func describeEntry(e *Entry) string {
	var out strings.Builder
	step := reflect.ValueOf(e.Step)
	name := Name(e.Step)
	out.WriteString(name)
	for i := range step.NumField() {
		field := step.Type().Field(i).Name
		if value := describeField(name+"."+field, step.Field(i).Interface()); value != "" {
			out.WriteString(" " + field + "=" + value)
		}
	}
	return out.String() + from(e.Member)
}

// describeField returns the value of a member, which is called STEP.MEMBER; "" if there is nothing to tell.
func describeField(field string, value any) string {
	switch v := value.(type) {
	case Slot:
		if v == NoSlot {
			return ""
		}
		return "file " + strconv.Itoa(int(v))
	case string:
		if v == "" {
			return ""
		}
		return strconv.Quote(v)
	case bool:
		if !v {
			return ""
		}
		return "yes"
	case uint32:
		return describeNumber(field, uint64(v))
	case uint64:
		return describeNumber(field, v)
	case []byte: // the only program that there is
		return strconv.Itoa(len(v)/8) + " instructions"
	case []Parameter:
		parameters := make([]string, len(v))
		for i, p := range v {
			parameters[i] = strconv.Quote(p.Key)
			if !p.Flag {
				parameters[i] += "=" + strconv.Quote(p.Value)
			}
		}
		return "[" + strings.Join(parameters, " ") + "]"
	case []uint64: // a mask
		return fmt.Sprintf("%#x", v)
	case []string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%v", value)
}

// describeNumber knows what the bits of a number mean.
func describeNumber(field string, v uint64) string {
	if v == 0 && !zeroSaysSomething(field) {
		return ""
	}
	switch field {
	case "JoinNamespace.Type", "Unshare.Flags":
		return bits(v, namespaceBits())
	case "Sync.Message":
		return messageName(v)
	case "NewMount.Attributes", "Attributes.Set", "Attributes.Clear", "PathAttributes.Set", "PathAttributes.Clear":
		return attributeNames(v)
	case "RootPropagation.Propagation", "Attributes.Propagation", "PathAttributes.Propagation":
		return bits(v, []bitName{
			{unix.MS_SHARED, "shared"}, {unix.MS_SLAVE, "slave"}, {unix.MS_PRIVATE, "private"}, {unix.MS_UNBINDABLE, "unbindable"},
		})
	case "Bounding.Keep", "Capabilities.Effective", "Capabilities.Permitted", "Capabilities.Inheritable", "Ambient.Raise":
		return "{" + capabilityNames(v) + "}"
	case "CloneTree.Flags":
		return bits(v, []bitName{{nsenter.CloneRecursive, "recursive"}, {nsenter.CloneFromOldRoot, "old-root"}, {nsenter.CloneFromStaging, "staging"}})
	case "Rootfs.Flags":
		return bits(v, []bitName{{nsenter.RootfsClone, "clone"}, {nsenter.RootfsStaged, "staged"}})
	case "OpenProc.Flags":
		return bits(v, []bitName{{nsenter.OpenProcProcesses, "processes"}})
	case "Label.Flags":
		return bits(v, []bitName{{nsenter.LabelKeep, "keep"}, {nsenter.LabelAgain, "again"}})
	case "Chroot.Flags":
		return bits(v, []bitName{{nsenter.ChrootMove, "move"}})
	case "Attach.Flags", "MakeNode.Flags":
		return bits(v, []bitName{{nsenter.AttachNoSymlinks, "no-symlinks"}, {nsenter.AttachHold, "hold"}})
	case "Symlink.Flags":
		return bits(v, []bitName{{nsenter.SymlinkReplace, "replace"}})
	case "ChangeDirectory.Flags":
		return bits(v, []bitName{{nsenter.ChdirDeniedLater, "denied-later"}, {nsenter.ChdirIfDenied, "if-denied"}})
	case "MakeNode.Mode", "MakeDirectory.Mode", "Umask.Mask":
		return fmt.Sprintf("%#o", v)
	case "Personality.Persona", "Seccomp.Flags", "MemoryPolicy.Mode":
		return fmt.Sprintf("%#x", v)
	}
	return strconv.FormatUint(v, 10)
}

// zeroSaysSomething names the numbers that are a choice also when they are 0.
func zeroSaysSomething(field string) bool {
	switch field {
	case "User.UID", "User.GID", "Bounding.Keep", "Capabilities.Effective", "Personality.Persona":
		return true
	}
	return false
}

func messageName(v uint64) string {
	switch v {
	case nsenter.MessageMapIds:
		return "map-ids"
	case nsenter.MessageTimeOffsets:
		return "time-offsets"
	case nsenter.MessageNetDevices:
		return "net-devices"
	case nsenter.MessageLimits:
		return "limits"
	case nsenter.MessageGroup:
		return "group"
	case nsenter.MessageOomScore:
		return "oom-score"
	case nsenter.MessageHooks:
		return "hooks"
	case nsenter.MessageReady:
		return "ready"
	}
	return strconv.FormatUint(v, 10)
}

// bitName is the name of one bit, or of some that go together.
type bitName struct {
	bit  uint64
	name string
}

// bits joins the names of the bits of v; what has no name is given as a number.
func bits(v uint64, known []bitName) string {
	var names []string
	for _, b := range known {
		if v&b.bit == b.bit {
			names = append(names, b.name)
			v &^= b.bit
		}
	}
	if v != 0 {
		names = append(names, fmt.Sprintf("%#x", v))
	}
	return strings.Join(names, "+")
}

func namespaceBits() []bitName {
	return []bitName{
		{unix.CLONE_NEWCGROUP, "cgroup"},
		{unix.CLONE_NEWIPC, "ipc"},
		{unix.CLONE_NEWNS, "mount"},
		{unix.CLONE_NEWNET, "network"},
		{unix.CLONE_NEWPID, "pid"},
		{unix.CLONE_NEWTIME, "time"},
		{unix.CLONE_NEWUSER, "user"},
		{unix.CLONE_NEWUTS, "uts"},
	}
}

func attributeNames(v uint64) string {
	return bits(v, []bitName{
		{unix.MOUNT_ATTR__ATIME, "atime"}, // the whole field: all its bits are cleared
		{unix.MOUNT_ATTR_RDONLY, "ro"},
		{unix.MOUNT_ATTR_NOSUID, "nosuid"},
		{unix.MOUNT_ATTR_NODEV, "nodev"},
		{unix.MOUNT_ATTR_NOEXEC, "noexec"},
		{unix.MOUNT_ATTR_NOATIME, "noatime"},
		{unix.MOUNT_ATTR_STRICTATIME, "strictatime"},
		{unix.MOUNT_ATTR_NODIRATIME, "nodiratime"},
		{unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
		{unix.MOUNT_ATTR_IDMAP, "idmap"},
	})
}
