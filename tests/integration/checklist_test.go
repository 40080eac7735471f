// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// Rows of docs/checklist.md that no other test shows.

// Members for other platforms and of other versions are no error (EXT-03, PROC-15, USR-05, RUNK-01, ANN-04, RO-03, SC-22).
func TestMembersForOthersAreIgnored(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "it runs")
	b.Spec.Linux.ReadonlyPaths = append(b.Spec.Linux.ReadonlyPaths, "/proc/no/such", "/nosuch")
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"bdflush", "no_such_call"}, Action: specs.ActAllow}},
	}
	data, err := json.Marshal(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	for _, platform := range []string{"windows", "solaris", "vm", "zos", "freebsd"} {
		config[platform] = map[string]any{"layerFolders": []string{"C:\\layer"}}
	}
	config["annotations"] = map[string]any{"org.opencontainers.image.stopSignal": "SIGKILL"}
	process := config["process"].(map[string]any)
	process["commandLine"] = "cmd /c dir"
	process["user"].(map[string]any)["username"] = "nobody"
	config["linux"].(map[string]any)["resources"].(map[string]any)["noSuchLimit"] = map[string]any{"limit": 1}
	if b.Config, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "it runs").WantStderrIs(t, "")
}

// What is not set stays as the caller has it (OOM-02, UTS-04).
func TestWhatIsNotSetStaysTheCallers(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /proc/self/oom_score_adj; hostname")
	b.Spec.Hostname, b.Spec.Process.OOMScoreAdj = "", nil
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.TrimSpace(harness.ReadFile(t, "/proc/self/oom_score_adj"))+"\n"+name)
}

// Pipes of the caller belong to the user, its files stay its own (USR-06).
func TestPipesBelongToTheUser(t *testing.T) {
	t.Parallel()
	b := shell(t, "echo x >/dev/stdout")
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	b.Write(t)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	file, err := os.Create(b.Path("stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := b.Command(t, "run", "--bundle", b.Dir, b.ID)
	cmd.Stdout, cmd.Stderr = in, file
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, harness.ReadFile(t, file.Name()))
	}
	for f, want := range map[*os.File]uint32{in: 1000, file: 0} {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != want {
			t.Errorf("%s belongs to %d, want %d", f.Name(), owner, want)
		}
	}
}

// What the kernel refuses is an error (RLIM-05, SCHED-07).
func TestWhatTheKernelRefusesForTheProcessIsAnError(t *testing.T) {
	t.Parallel()
	wantRefused(t, []badInput{
		{"more than fs.nr_open", edit(func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1 << 40}}
		}), []string{"process.rlimits[0] RLIMIT_NOFILE", "operation not permitted"}},
		{"less than the kernel plans with", edit(func(s *specs.Spec) {
			s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1, Deadline: 4e9, Period: 4e9}
		}), []string{"process.scheduler"}},
	})
}

// A class without a priority has priority 0 (IOP-03).
func TestAnIOPriorityMayBeMissing(t *testing.T) {
	t.Parallel()
	b := idle(t)
	b.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE}
	b.Run(t, "--detach").WantExit(t, 0)
	const process, classShift, bestEffort = 1, 13, 2 // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_BE (ioprio_get(2))
	priority, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, process, uintptr(b.State(t).Pid), 0)
	if errno != 0 || priority != bestEffort<<classShift {
		t.Errorf("priority %#x, %v", priority, errno)
	}
}

// The root file system keeps its owners (UNS-02).
func TestTheRootFileSystemKeepsItsOwners(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	mapIDs(t, b)
	b.Run(t).WantExit(t, 0) // makes the mount points
	owners := func() string {
		var all strings.Builder
		err := filepath.WalkDir(b.Rootfs, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			s := info.Sys().(*syscall.Stat_t)
			fmt.Fprintln(&all, path, s.Uid, s.Gid)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all.String()
	}
	before := owners()
	b.Run(t).WantExit(t, 0)
	if after := owners(); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

// A user namespace by path, and maps besides: they match, or it is an error (UNS-07).
func TestMapsOfAJoinedUserNamespaceHaveToMatch(t *testing.T) {
	t.Parallel()
	first := idle(t)
	mapIDs(t, first)
	first.Run(t, "--detach").WantExit(t, 0)
	b := harness.NewBundle(t, "true")
	mapIDs(t, b)
	setNamespace(b, specs.UserNamespace, "/proc/"+strconv.Itoa(first.State(t).Pid)+"/ns/user")
	b.Run(t).WantExit(t, 0)
	b.Spec.Linux.UIDMappings = append([]specs.LinuxIDMapping{}, b.Spec.Linux.UIDMappings...)
	b.Spec.Linux.UIDMappings[0].Size--
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "linux.uidMappings", "are not those of the user namespace that is joined")
	before.WantSame(t)
}

// A relative path counts from the root, and the same device may be there twice (DEV-04, DEV-08).
func TestRelativeAndRepeatedDevices(t *testing.T) {
	t.Parallel()
	b := shell(t, "stat -c '%n %t:%T' /mydev /dev/null2")
	b.Spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "mydev", Type: "c", Major: 1, Minor: 3}, {Path: "/dev/null2", Type: "c", Major: 1, Minor: 3},
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/mydev 1:3\n/dev/null2 1:3")
}

// Mounts below a read-only path stay writable (RO-04).
func TestMountsBelowAReadonlyPathStayWritable(t *testing.T) {
	t.Parallel()
	b := shell(t, "touch /tmp/a && exit 3; touch /tmp/sub/a && echo written")
	for _, place := range []string{"/tmp", "/tmp/sub"} {
		b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: place, Type: "tmpfs", Source: "tmpfs"})
	}
	b.Spec.Linux.ReadonlyPaths = append(b.Spec.Linux.ReadonlyPaths, "/tmp")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "written")
}
