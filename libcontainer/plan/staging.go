// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// stages says that the mounts of the host are staged: a container's root with CAP_SYS_ADMIN in its user namespace may
// otherwise make a bind mount writable that is read-only on the host, or look below a mount of an rbind. The kernel
// locks what is in a mount namespace when a less privileged one is made of it, and only that
// (mount_namespaces(7), "Restrictions on mount namespaces"). So there are two: in the first, the host's, all trees are
// attached in a staging directory; the second belongs to the user namespace, and takes its clones from there.
//
// An ordinary user's stage is in the user namespace from its birth: in the copy that it makes of the host's mount
// namespace all is locked already.
func (b *builder) stages() bool {
	return b.userNamespaced() && b.private(specs.MountNamespace) && !b.host.Unprivileged
}

// staging remembers the place of the steps that insertStaging adds when all trees are known.
func staging(b *builder) error {
	b.stagingAt = len(b.plan.Steps)
	return nil
}

// addStaged makes a clone of a tree of the host, which is staged before, the current tree.
func (b *builder) addStaged(f File, recursive bool) {
	name := strconv.Itoa(len(b.staged))
	b.staged = append(b.staged, b.file(f))
	b.add(CloneTree{Path: name, Flags: nsenter.CloneRecursive*number(recursive) | nsenter.CloneFromStaging})
}

func (b *builder) insertStaging() {
	if !b.stages() {
		return
	}
	after := b.plan.Steps[b.stagingAt:]
	b.plan.Steps = append([]Entry(nil), b.plan.Steps[:b.stagingAt]...)
	b.member = "staging"
	b.add(
		Unshare{Flags: unix.CLONE_NEWNS}, RootPropagation{Propagation: b.hostPropagation()},
		NewMount{Type: "tmpfs", Parameters: []Parameter{{Key: "mode", Value: "0755"}}}, StageMounts{},
	)
	for i, tree := range b.staged {
		b.member = b.plan.Files[tree].Member
		b.add(TakeTree{Tree: tree}, Attach{Path: "/" + strconv.Itoa(i)})
	}
	b.member = b.rootMember()
	root := b.file(File{Kind: FileTree, Path: b.host.Rootfs, Recursive: true})
	b.add(TakeTree{Tree: root}, Attach{Path: "/rootfs"})
	b.plan.Steps = append(b.plan.Steps, after...)
}
