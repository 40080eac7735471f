// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mountSteps plans one mount in a container with a mount namespace and returns its steps, one per line.
func mountSteps(t *testing.T, m specs.Mount, change func(*specs.Spec, *Host)) string {
	t.Helper()
	s, h := namespaceSpec("mount"), testHost()
	s.Mounts = []specs.Mount{m}
	if change != nil {
		change(s, &h)
	}
	b := &builder{spec: s, host: h, plan: &Plan{}}
	if err := mounts(b); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i := range b.plan.Steps {
		entry := b.plan.Steps[i]
		entry.Member = ""
		lines = append(lines, describeEntry(&entry))
	}
	return strings.Join(lines, "\n")
}

// bindAttributes is the first Attributes step of a bind mount that has attributes, "" without one.
func bindAttributes(t *testing.T, namespaces, options string) string {
	t.Helper()
	steps := mountSteps(t, specs.Mount{Destination: "/x", Source: "/y", Options: []string{options}}, func(s *specs.Spec, _ *Host) {
		s.Linux.Namespaces = namespaceSpec(namespaces).Linux.Namespaces
	})
	for line := range strings.Lines(steps) {
		if strings.Contains(line, "Set=") || strings.Contains(line, "Clear=") {
			return strings.TrimSuffix(strings.TrimPrefix(line, "Attributes "), "\n")
		}
	}
	return ""
}

// A bind mount keeps what its source has, unless an option names an attribute: then it has exactly the named ones.
// The access times stay as they are until an option sets one.
func TestBindMountAttributes(t *testing.T) {
	t.Parallel()
	const everything = "ro+nosuid+nodev+noexec+nosymfollow"
	for _, c := range []struct{ options, want string }{
		{"bind", ""},
		{"rbind", ""},
		{"bind,rprivate", ""},
		{"bind,rw", "Clear=" + everything},
		{"bind,dev", "Clear=" + everything},
		{"bind,suid,exec,symfollow", "Clear=" + everything},
		{"bind,ro", "Set=ro Clear=nosuid+nodev+noexec+nosymfollow"},
		{"bind,ro,rw", "Clear=" + everything},
		{"bind,nosuid,nodev,noexec,nosymfollow", "Set=nosuid+nodev+noexec+nosymfollow Clear=ro"},
		{"bind,atime", "Clear=" + everything},
		{"bind,norelatime", "Clear=" + everything},
		{"bind,nostrictatime", "Clear=" + everything},
		{"bind,diratime", "Clear=" + everything},
		{"bind,relatime", "Clear=atime+ro+nosuid+nodev+noexec+nodiratime+nosymfollow"},
		{"bind,noatime", "Set=noatime Clear=atime+ro+nosuid+nodev+noexec+nodiratime+nosymfollow"},
		{"bind,strictatime", "Set=strictatime Clear=atime+ro+nosuid+nodev+noexec+nodiratime+nosymfollow"},
		{"bind,nodiratime", "Set=nodiratime Clear=atime+" + everything},
		{"bind,nodiratime,strictatime", "Set=strictatime+nodiratime Clear=atime+" + everything},
		{"bind,nodiratime,norelatime", "Set=nodiratime Clear=atime+" + everything},
		{"rbind,rro", "Set=ro Recursive=yes"},
		{"rbind,rrw,rnosuid", "Set=nosuid Clear=ro Recursive=yes"},
		{"rbind,rnoatime", "Set=noatime Clear=atime Recursive=yes"},
	} {
		if got := bindAttributes(t, "mount", c.options); got != c.want {
			t.Errorf("%s: %q, want %q", c.options, got, c.want)
		}
	}
}

// In a user namespace the source's attributes may be locked: what no option clears by name stays.
func TestBindMountAttributesInAUserNamespace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, want string }{
		{"bind", ""},
		{"bind,ro", "Set=ro Clear=nosymfollow"},
		{"bind,rw", "Clear=ro+nosymfollow"},
		{"bind,nosuid,dev", "Set=nosuid Clear=nodev+nosymfollow"},
		{"bind,nosymfollow", "Set=nosymfollow"},
		{"bind,noatime", "Set=noatime Clear=atime+nodiratime+nosymfollow"},
		{"bind,atime", "Clear=nosymfollow"},
	} {
		for _, namespaces := range []string{"mount user", "mount user@"} {
			if got := bindAttributes(t, namespaces, c.options); got != c.want {
				t.Errorf("%s, namespaces %q: %q, want %q", c.options, namespaces, got, c.want)
			}
		}
	}
}

func TestRemount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, want string }{
		{"bind,remount,ro", `PathAttributes Path="/x" Set=ro Clear=nosuid+nodev+noexec+nosymfollow`},
		{"remount,rbind,rro,shared", `PathAttributes Path="/x" Clear=ro+nosuid+nodev+noexec+nosymfollow
PathAttributes Path="/x" Set=ro Recursive=yes
PathAttributes Path="/x" Propagation=shared`},
	} {
		if got := mountSteps(t, specs.Mount{Destination: "/x", Options: []string{c.options}}, nil); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.options, got, c.want)
		}
	}
}

// Where the clone of a source comes from: the container's root, the host's root as the stage sees it, the host side, or,
// in a user namespace, the staging directory.
func TestBindMountSources(t *testing.T) {
	t.Parallel()
	const taken, staged = "TakeTree Tree=file 0", `CloneTree Path="0" Flags=recursive+staging`
	for _, c := range []struct{ name, namespaces, source, want string }{
		{"absolute", "mount", "/srv/../srv/x", `CloneTree Path="/srv/../srv/x" Flags=recursive+old-root`},
		{"relative to the bundle", "mount", "data", `CloneTree Path="/run/bundle/data" Flags=recursive+old-root`},
		{"below the root", "mount", "/run/bundle/rootfs/a/../b", `CloneTree Path="b" Flags=recursive`},
		{"relative to the bundle, below the root", "mount", "rootfs/b", `CloneTree Path="b" Flags=recursive`},
		{"a name that begins like the root's", "mount", "/run/bundle/rootfs-2/b", `CloneTree Path="/run/bundle/rootfs-2/b" Flags=recursive+old-root`},
		{"of a process", "mount", "/proc/self/ns/net", taken},
		{"user namespace", "mount user", "/srv", staged},
		{"joined user namespace", "mount user@", "/srv", staged},
		{"user namespace, of a process", "mount user", "/proc/self/ns/net", staged},
		{"joined mount namespace", "mount@", "/srv", taken},
		{"user namespace, below the root", "mount user", "rootfs/b", `CloneTree Path="b" Flags=recursive`},
	} {
		m := specs.Mount{Source: c.source, Destination: "/x", Options: []string{"rbind"}}
		got, _, _ := strings.Cut(mountSteps(t, m, func(s *specs.Spec, _ *Host) {
			s.Linux.Namespaces = namespaceSpec(c.namespaces).Linux.Namespaces
		}), "\n")
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMountDestinations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ destination, want string }{
		{"/x", `Attach Path="/x"`},
		{"/run/bundle/rootfs/x", `Attach Path="/x"`},
		{"/run/bundle/rootfs-2", `Attach Path="/run/bundle/rootfs-2"`},
		{"/proc", `Attach Path="/proc" Flags=no-symlinks`},
		{"/sys/", `Attach Path="/sys/" Flags=no-symlinks`},
		{"/./dev/", `Attach Path="/./dev/" Flags=no-symlinks`},
		{"/run/bundle/rootfs/dev", `Attach Path="/dev" Flags=no-symlinks`},
		{"/dev/shm", `Attach Path="/dev/shm" Flags=no-symlinks`},
		{"/device", `Attach Path="/device"`},
	} {
		steps := mountSteps(t, specs.Mount{Source: "/y", Destination: c.destination, Options: []string{"bind"}}, nil)
		if got := steps[strings.LastIndex(steps, "\n")+1:]; got != c.want {
			t.Errorf("%q: %s, want %s", c.destination, got, c.want)
		}
	}
}

// Nothing of a bind mount goes back to the host unless the config wants a shared root.
func TestBindMountPropagation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ root, option, want string }{
		{"", "", "slave"},
		{"", "rshared", "slave shared"},
		{"private", "", "slave"},
		{"rslave", "private", "slave private"},
		{"shared", "", ""},
		{"rshared", "rprivate", "private"},
	} {
		steps := mountSteps(t, specs.Mount{Source: "/y", Destination: "/x", Options: []string{"rbind", c.option}},
			func(s *specs.Spec, _ *Host) { s.Linux.RootfsPropagation = c.root })
		var got []string
		for line := range strings.Lines(steps) {
			if _, word, ok := strings.Cut(line, "Propagation="); ok {
				got = append(got, strings.Fields(word)[0])
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("root %q, option %q: %q, want %q", c.root, c.option, got, c.want)
		}
	}
}

func TestMountParameters(t *testing.T) {
	t.Parallel()
	layers := make([]string, 30)
	for i := range layers {
		layers[i] = "/layers/" + strings.Repeat("x", i)
	}
	long := strings.Join(layers, ":")
	exact := strings.Repeat("/", parameterBytesMax)
	for _, c := range []struct {
		name    string
		source  string
		options []string
		want    []Parameter
	}{
		{"nothing", "", nil, nil},
		{"source first", "tmpfs", []string{"size=1m", "mode=700"}, []Parameter{{"source", "tmpfs", false}, {"size", "1m", false}, {"mode", "700", false}}},
		{"flags of the super block", "x", []string{"sync", "dirsync", "lazytime", "nolazytime"}, []Parameter{{"source", "x", false}, {"sync", "", true}, {"dirsync", "", true}}},
		{"empty value", "", []string{"context="}, []Parameter{{"context", "", false}}},
		{"a word is a flag", "x", []string{"userxattr"}, []Parameter{{"source", "x", false}, {"userxattr", "", true}}},
		{"only the first = counts", "x", []string{"context=a=b"}, []Parameter{{"source", "x", false}, {"context", "a=b", false}}},
		{"lowerdir that fits", "x", []string{"lowerdir=" + exact}, []Parameter{{"source", "x", false}, {"lowerdir", exact, false}}},
		{"short lowerdir", "x", []string{"lowerdir=/a:/b"}, []Parameter{{"source", "x", false}, {"lowerdir", "/a:/b", false}}},
	} {
		o, err := ParseMountOptions(c.options)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newMountParameters(&specs.Mount{Source: c.source, Options: c.options}, &o)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", c.name, got, err, c.want)
		}
	}
	o, err := ParseMountOptions([]string{"lowerdir=" + long, "upperdir=/u"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := newMountParameters(&specs.Mount{}, &o)
	if err != nil || len(got) != len(layers)+1 || got[len(layers)] != (Parameter{"upperdir", "/u", false}) {
		t.Fatalf("long lowerdir: %d parameters %v (%v)", len(got), got, err)
	}
	for i, layer := range layers {
		if got[i] != (Parameter{"lowerdir+", layer, false}) {
			t.Errorf("layer %d is %v, want %q", i, got[i], layer)
		}
	}
}

func TestTmpfsMounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, want, attach string }{
		{"", `NewMount Type="tmpfs" InheritMode="/x" Parameters=[]`, `Attach Path="/x"`},
		{"mode=0700", `NewMount Type="tmpfs" Parameters=["mode"="0700"]`, `Attach Path="/x"`},
		{"ro", `NewMount Type="tmpfs" InheritMode="/x" Parameters=[]`, `Attach Path="/x" Flags=hold`}, // read-only later
		{"noatime", `NewMount Type="tmpfs" InheritMode="/x" Parameters=[] Attributes=noatime`, `Attach Path="/x"`},
		{"nosuid,rsuid,rnodev", `NewMount Type="tmpfs" InheritMode="/x" Parameters=[] Attributes=nodev`, `Attach Path="/x"`},
	} {
		got := mountSteps(t, specs.Mount{Type: "tmpfs", Destination: "/x", Options: []string{c.options}}, nil)
		if want := c.want + "\n" + c.attach; got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", c.options, got, want)
		}
	}
}

func TestCgroupMounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, namespaces string
		host             func(*Host)
		want             []string // trees that are cloned
	}{
		{"v2", "mount", cgroupV2, []string{"/sys/fs/cgroup recursive+old-root"}},
		{"v2, cgroup namespace", "mount cgroup", cgroupV2, []string{"/sys/fs/cgroup/test old-root"}},
		{"v2, joined cgroup namespace", "mount cgroup@", cgroupV2, []string{"/sys/fs/cgroup recursive+old-root"}},
		{"v1", "mount", cgroupV1, []string{"/sys/fs/cgroup/cpu,cpuacct/test old-root", "/sys/fs/cgroup/memory/test old-root"}},
	} {
		s, h := namespaceSpec(c.namespaces), testHost()
		s.Mounts = []specs.Mount{{Type: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"ro"}}}
		c.host(&h)
		p, err := Create(s, h)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range p.Steps {
			if clone, ok := entry.Step.(CloneTree); ok {
				got = append(got, clone.Path+" "+describeField("CloneTree.Flags", clone.Flags))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: trees %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMountsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mount specs.Mount
		want  string
	}{
		{specs.Mount{Destination: "/x", Options: []string{"bind"}}, `mounts[0] "/x": a bind mount needs a source`},
		{specs.Mount{Destination: "/x"}, `mounts[0] "/x": a mount needs a type, or the option bind or rbind`},
		{specs.Mount{Destination: "/x", Type: "tmpfs", Options: []string{"remount"}}, `mounts[0] "/x": remount needs the option bind or rbind`},
		{specs.Mount{Destination: "/x", Source: "/y", Options: []string{"bind", "word"}}, `mounts[0] "/x": unknown mount option "word"`},
		{
			specs.Mount{Destination: "/x", Type: "overlay", Options: []string{"upperdir=" + strings.Repeat("u", 256)}},
			`mounts[0] "/x": upperdir: 256 bytes are more than the 255 that the kernel takes in one mount option`,
		},
		{specs.Mount{Destination: "/x", Type: "tmpfs", Options: []string{"=y"}}, `mounts[0] "/x": parse mount option "=y": no name before "="`},
	} {
		s := namespaceSpec("mount")
		s.Mounts = []specs.Mount{c.mount}
		_, err := Create(s, testHost())
		if err == nil || err.Error() != c.want {
			t.Errorf("%+v: got %v, want %s", c.mount, err, c.want)
		}
	}
}
