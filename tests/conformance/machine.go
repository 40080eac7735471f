package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// A machine is what decides which results can be expected.
type machine struct {
	cgroup   string   // "v1" or "v2"
	viewOnly bool     // v2 although v1 controllers exist: they are hidden from the programs
	extra    []string // v1: controllers whose hierarchies have to be mounted for the programs
	features []string
	letGo    []chan struct{} // closed when the extra hierarchies are no longer needed
}

// Names of the features that rows of the table may ask for.
const (
	featureSysResource = "CAP_SYS_RESOURCE" // root may have it
	featureHugetlb     = "hugetlb"          // the controller is in a v1 hierarchy; makes no difference with v2
	featureNetwork     = "network"          // so are net_cls and net_prio
)

func knownFeatures() []string {
	return []string{featureSysResource, featureHugetlb, featureNetwork}
}

func (m machine) String() string {
	kernel := "unknown kernel"
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + string(bytes.TrimSpace(release))
	}
	var lacking []string
	for _, f := range knownFeatures() {
		if m.lacks(f) {
			lacking = append(lacking, f)
		}
	}
	text := "cgroup " + m.cgroup
	if m.viewOnly {
		text += " (v1 hidden)"
	}
	text += ", " + kernel
	if len(lacking) > 0 {
		text += ", lacking: " + strings.Join(lacking, " ")
	}
	return text
}

func (m machine) has(feature string) bool { return slices.Contains(m.features, feature) }

// lacks reports whether the feature is missing, of those that make a difference with this version of cgroup.
func (m machine) lacks(feature string) bool {
	return !m.has(feature) && (m.cgroup == "v1" || feature == featureSysResource)
}

// probeMachine finds out what the programs will see with the cgroup version wanted: "auto", "v1" or "v2".
func probeMachine(wanted string) (machine, error) {
	v1 := exists(filepath.Join(cgroupRoot, "memory")) || exists(filepath.Join(cgroupRoot, "pids"))
	m := machine{cgroup: wanted}
	switch wanted {
	case "auto":
		m.cgroup = "v2"
		if v1 {
			m.cgroup = "v1"
		}
	case "v1":
		if !v1 {
			return m, fmt.Errorf("probe control groups: no v1 controller is mounted below %s", cgroupRoot)
		}
	case "v2":
		m.viewOnly = v1
	default:
		return m, fmt.Errorf("probe control groups: unknown version %q (auto, v1 or v2)", wanted)
	}
	bounding, err := boundingSet()
	if err != nil {
		return m, err
	}
	const capSysResource = 24 // linux/capability.h
	if bounding&(1<<capSysResource) != 0 {
		m.features = append(m.features, featureSysResource)
	}
	if m.cgroup == "v1" {
		m.probeV1()
	}
	return m, nil
}

// probeV1 tries to mount the hierarchies that few machines have, each by itself. That succeeds only where cgroup v2 does
// not use the controller.
func (m *machine) probeV1() {
	for _, f := range []struct {
		feature     string
		controllers []string
	}{{featureHugetlb, []string{"hugetlb"}}, {featureNetwork, []string{"net_cls", "net_prio"}}} {
		has := true
		for _, controller := range f.controllers {
			has = m.addController(controller) && has
		}
		if has {
			m.features = append(m.features, f.feature)
		}
	}
}

// addController makes sure that the programs find the hierarchy of a controller.
func (m *machine) addController(name string) bool {
	if exists(filepath.Join(cgroupRoot, name, "cgroup.procs")) {
		return true
	}
	if err := m.hold(name); err != nil {
		fmt.Printf("# without %s: %v\n", name, err)
		_ = syscall.Rmdir(filepath.Join(cgroupRoot, name))
		return false
	}
	m.extra = append(m.extra, name)
	return true
}

// hold keeps the hierarchy of a controller mounted in a mount namespace of its own. Between two programs the kernel
// would drop it, and cgroup v2 could take the controller.
func (m *machine) hold(controller string) error {
	mounted, letGo := make(chan error), make(chan struct{})
	go func() {
		err := inPrivateMounts(func() error {
			err := mountController(controller)
			mounted <- err
			if err == nil {
				<-letGo
			}
			return nil
		})
		if err != nil {
			mounted <- err
		}
	}()
	m.letGo = append(m.letGo, letGo)
	return <-mounted
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// boundingSet returns the capabilities that root can have, bit by bit.
func boundingSet() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("probe capabilities: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "\nCapBnd:\t")
	field, _, _ := strings.Cut(rest, "\n")
	bounding, err := strconv.ParseUint(field, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("probe capabilities: %w", err)
	}
	return bounding, nil
}

// mountCgroups gives the calling thread's mount namespace the view of control groups that the programs shall have.
func (m machine) mountCgroups() error {
	if m.viewOnly {
		if err := syscall.Unmount(cgroupRoot, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("hide v1: unmount %s: %w", cgroupRoot, err)
		}
		if err := syscall.Mount("cgroup2", cgroupRoot, "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("hide v1: mount %s: %w", cgroupRoot, err)
		}
	}
	for _, controller := range m.extra {
		if err := mountController(controller); err != nil {
			return err
		}
	}
	return nil
}

func mountController(name string) error {
	dir := filepath.Join(cgroupRoot, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return fmt.Errorf("mount the hierarchy of %s: %w", name, err)
	}
	if err := syscall.Mount("cgroup", dir, "cgroup", 0, name); err != nil {
		return fmt.Errorf("mount the hierarchy of %s on %s: %w", name, dir, err)
	}
	return nil
}

// release takes back what mountCgroups has changed for the whole machine: the directories, and the extra hierarchies,
// whose lines in everybody's /proc/PID/cgroup other runtimes stumble over. The kernel keeps an unmounted hierarchy as
// long as removed groups are not freed yet, and drops it with the first unmount after that.
func (m machine) release() {
	for _, letGo := range m.letGo {
		close(letGo)
	}
	for _, controller := range m.extra {
		dropHierarchy(controller)
		_ = syscall.Rmdir(filepath.Join(cgroupRoot, controller))
	}
}

func dropHierarchy(controller string) {
	for range 20 {
		for deadline := time.Now().Add(250 * time.Millisecond); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if !hierarchyExists(controller) {
				return
			}
		}
		if err := inPrivateMounts(func() error { return mountController(controller) }); err != nil {
			return
		}
	}
}

// hierarchyExists reports whether a v1 hierarchy has the controller, mounted or not.
func hierarchyExists(controller string) bool {
	data, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == controller {
			return fields[1] != "0"
		}
	}
	return false
}
