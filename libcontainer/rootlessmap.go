// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// helperDeadline is how long newuidmap(1) may take: it looks into two files.
const helperDeadline = 10 * time.Second

// isOwnID says that a map is the one that everybody may write: the writer's own id, and nothing else
// (user_namespaces(7), "Defining user and group ID mappings").
func isOwnID(ids []specs.LinuxIDMapping, id int) bool {
	return len(ids) == 1 && ids[0].Size == 1 && int(ids[0].HostID) == id
}

// writeUserMaps fills in the maps of a new user namespace for an ordinary user. More than the user's own ids only
// newuidmap(1) and newgidmap(1) may map, which ask /etc/subuid and /etc/subgid.
func (n *creation) writeUserMaps() error {
	pid := n.stage.pid
	maps := idMaps(n.spec.Linux)
	for i, own := range [...]int{os.Geteuid(), os.Getegid()} {
		m := &maps[i]
		if !isOwnID(m.ids, own) {
			if err := n.runMapHelper(m, own); err != nil {
				return err
			}
			continue
		}
		if m.name == "gid_map" {
			// Whoever could leave a group would gain what is kept from its members (CVE-2014-8989).
			if err := sys.WriteFile("/proc/"+strconv.Itoa(pid)+"/setgroups", "deny"); err != nil {
				return fmt.Errorf("%s: deny setgroups: %w", m.member, err)
			}
		}
		if err := writeIDMaps(pid, maps[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// runMapHelper runs newuidmap or newgidmap on one of the maps.
func (n *creation) runMapHelper(m *idMap, own int) error {
	name := "newuidmap"
	if m.name == "gid_map" {
		name = "newgidmap"
	}
	path, err := findMapHelper(name, n.c.saved.Rootfs)
	if err != nil {
		return fmt.Errorf("%s: %w", m.member, err)
	}
	args := []string{strconv.Itoa(n.stage.pid)}
	for _, id := range m.ids {
		for _, number := range [...]uint32{id.ContainerID, id.HostID, id.Size} {
			args = append(args, strconv.FormatUint(uint64(number), 10))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperDeadline)
	defer cancel()
	var output bytes.Buffer
	command := exec.CommandContext(ctx, path, args...)
	command.Env, command.Dir = []string{"LC_ALL=C", "PATH=" + defaultHelperPath}, "/"
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		said := strings.Join(strings.Fields(strings.ToValidUTF8(output.String(), "?")), " ")
		return fmt.Errorf("%s: run %q: %w: %q%s", m.member, path, err, said, explainRanges(m, own))
	}
	return nil
}

// defaultHelperPath is where the helpers are looked for if the caller has no PATH.
const defaultHelperPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// findMapHelper finds newuidmap or newgidmap in the caller's PATH. It must be the host's root that vouches for it: a
// program of anybody else has no right that we lack. An image has no say in it, also
// where it is in the PATH.
func findMapHelper(name, rootfs string) (string, error) {
	search := os.Getenv("PATH")
	if search == "" {
		search = defaultHelperPath
	}
	var refused error
	for _, dir := range filepath.SplitList(search) {
		if !filepath.IsAbs(dir) {
			continue // "." is wherever the caller happens to be
		}
		path, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if strings.HasPrefix(path, rootfs+"/") {
			continue
		}
		if err := checkMapHelper(path); err != nil {
			refused = err
			continue
		}
		return path, nil
	}
	if refused != nil {
		return "", refused
	}
	return "", fmt.Errorf("%s: not found in PATH: it maps more than the caller's own id (install it: package uidmap or shadow-utils)", name)
}

// checkMapHelper wants a program of the host's root that runs with more rights than ours.
func checkMapHelper(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("stat %q: %w", path, err)
	}
	capable := st.Mode&unix.S_ISUID != 0
	if size, err := unix.Getxattr(path, "security.capability", nil); err == nil && size > 0 {
		capable = true
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0:
		return fmt.Errorf("%q is no program", path)
	case st.Uid != 0 || st.Mode&0o022 != 0 && st.Gid != 0 || st.Mode&0o002 != 0:
		return fmt.Errorf("%q can be changed by others than root", path)
	case !capable:
		return fmt.Errorf("%q is neither set-user-ID nor has it file capabilities, so it can map nothing (reinstall the package uidmap or shadow-utils)", path)
	}
	return nil
}

// explainRanges names the first range that /etc/subuid or /etc/subgid does not give to the user.
func explainRanges(m *idMap, own int) string {
	file := "/etc/subuid"
	if m.name == "gid_map" {
		file = "/etc/subgid"
	}
	name := userName(os.Getuid())
	if name == "" {
		return fmt.Sprintf(" (user #%d has no entry in /etc/passwd, which the helper needs)", os.Getuid())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Sprintf(" (%v)", err)
	}
	for _, id := range m.ids {
		if id.Size == 1 && int(id.HostID) == own || grants(data, name, id) {
			continue
		}
		return fmt.Sprintf(" (%s lacks a line for user %s that covers %d to %d, such as %q)", file, name,
			id.HostID, uint64(id.HostID)+uint64(id.Size)-1, fmt.Sprintf("%s:%d:%d", name, id.HostID, id.Size))
	}
	return ""
}

// grants says that a line of subuid(5) gives the user all ids of a range.
func grants(subids []byte, name string, id specs.LinuxIDMapping) bool {
	for line := range strings.Lines(string(subids)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != name && fields[0] != strconv.Itoa(os.Getuid()) {
			continue
		}
		first, firstErr := strconv.ParseUint(fields[1], 10, 32)
		count, countErr := strconv.ParseUint(fields[2], 10, 32)
		if firstErr == nil && countErr == nil && first <= uint64(id.HostID) && uint64(id.HostID)+uint64(id.Size) <= first+count {
			return true
		}
	}
	return false
}
